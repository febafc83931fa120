/* A small run through the whole module, for the tests with the fault layer. */
#ifndef BM_TESTS_SCENARIO_H
#define BM_TESTS_SCENARIO_H

#include "../layer/layer.h"
#include "bm/opencl.h"

struct scenario_outcome {
    size_t devices; /* listed */
    bool right;     /* the kernel's result, as read, is right */
    enum bm_status status;
    struct bm_error error;
    unsigned warnings;  /* logged */
    char warning[1024]; /* the last */
};

/* Lists, opens device number `which`, builds, writes, runs twice, reads, takes the time and releases
 * everything. */
void scenario_run(size_t which, struct scenario_outcome *outcome);

/* Whether host memory was lost so far: by LeakSanitizer where the build has it, which does not come by itself
 * to the processes of Criterion's tests; false elsewhere. It prints what it finds. */
bool scenario_leaks(void);

/* The layer's controls; the layer is the library that OPENCL_LAYERS names. */
struct scenario_layer {
    bm_fault_layer_reset_function reset;
    bm_fault_layer_calls_function calls;
    bm_fault_layer_name_function name;
    bm_fault_layer_live_function live;
};
void scenario_layer_open(struct scenario_layer *layer);

#endif
