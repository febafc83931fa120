/* bm/flow.h - floor 3, beside workload.h: cases one after the other, whose outputs are the inputs of later
 * ones. What a model's layers are, src/model says; a backend queues it as one sequence. */
#ifndef BM_FLOW_H
#define BM_FLOW_H

#include "bm/workload.h"

/* What a value holds before anything is run. */
enum bm_flow_content {
    BM_FLOW_WRITTEN, /* nothing: a node writes it before another reads it */
    BM_FLOW_SEEDED,  /* normal values times `amplitude`, as bm_values has them */
    BM_FLOW_ANGLES /* rows of width: cosines, then sines, of a rotary embedding at positions first, first + 1,
                      ... (Su et al. 2021, arXiv 2104.09864, base 10000) */
};

/* Memory that nodes share. */
struct bm_flow_value {
    char name[32];
    enum bm_element element; /* a float format, or I8 */
    uint64_t count;          /* elements */
    enum bm_flow_content content;
    float amplitude;
    uint32_t first, width;
    bool rotates; /* a cache of earlier tokens: executions take turns with copies of it, so that none is found
                     in a cache of the device which would not be there between two steps of a large model */
};

/* A tensor of a node's plan that lies in a value instead of memory of its own. */
struct bm_flow_link {
    const char *tensor; /* its name, static */
    unsigned value;
    uint64_t offset;            /* elements from the value's beginning */
    uint64_t pitch, head_pitch; /* elements from row to row, from head to head; 0: as where it stands alone */
};
enum { BM_FLOW_LINKS = 6 };

struct bm_flow_node {
    unsigned case_index;
    unsigned link_count; /* tensors that are not linked have seeded values of their own: weights, tables */
    struct bm_flow_link links[BM_FLOW_LINKS];
};

struct bm_flow {
    struct bm_case *cases; /* distinct ones */
    size_t case_count, case_capacity;
    struct bm_flow_value *values;
    size_t value_count, value_capacity;
    struct bm_flow_node *nodes; /* in order of execution; the n-th node of a case is the same layer's wherever
                                   a layer has one of each, and draws its table n */
    size_t node_count, node_capacity;
    size_t result; /* the value that tells the whole; SIZE_MAX: data does not flow all the way */
};
void bm_flow_fini(struct bm_flow *flow);

/* Floating-point operations of all nodes. */
double bm_flow_flops(const struct bm_flow *flow);

#endif
