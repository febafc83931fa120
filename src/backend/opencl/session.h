/* Private to the OpenCL backend: an opened device, its arenas of cold data, and cases prepared on it. */
#ifndef BM_OPENCL_SESSION_H
#define BM_OPENCL_SESSION_H

#include <limits.h>

#include "bm/backend.h"
#include "bm/opencl.h"
#include "verification.h"

enum { BM_MAX_TENSORS = 8, BM_MAX_LAUNCHES = 4, BM_SOURCE_LIMIT = 1 << 20 /* bytes of a kernel file */ };

/* Weights and caches of every case live in one buffer per number format; each launch reads another region of
 * it, so that nothing is found in a cache by accident. */
struct bm_arena {
    struct bm_values values; /* element i of the buffer is values[i % period] */
    uint64_t largest;        /* elements of the largest region that a case asked for */
    uint64_t elements;
    cl_mem buffer;
};

/* Cases run one at a time, so they share activations and outputs as well: a buffer per position in the plan.
 */
struct bm_pool {
    uint64_t largest; /* bytes of the largest tensor reserved for this place, guard zones excluded */
    cl_mem buffer;
};

struct bm_session {
    const struct bm_endpoint *endpoint;
    struct bm_session_options options;
    char kernels_folder[PATH_MAX];
    struct bm_cl_queue queue;
    struct bm_target target;
    struct bm_tuned_list tuned, shipped; /* what is known of this device's best parameters */
    struct bm_arena arenas[BM_ELEMENT_COUNT];
    struct bm_pool hot[BM_MAX_TENSORS][BM_ELEMENT_COUNT];
    struct bm_pool written[BM_MAX_TENSORS]; /* outputs and scratch, between guard zones */
    uint64_t table_bytes;                   /* of all cases that were reserved */
    uint64_t reserved_bytes, value_bytes;   /* of all of these together, and of the values of flows */
    struct bm_pool staging; /* the host's end of transfers, between guard zones, mapped while it lives */
    uint8_t *staging_memory;
};

struct bm_prepared {
    struct bm_session *session;
    struct bm_case the_case;
    struct bm_plan plan;
    const char *parameters_from;
    cl_program program;
    cl_kernel kernels[BM_MAX_LAUNCHES];
    cl_mem buffers[BM_MAX_TENSORS];    /* what the kernels see */
    struct bm_operands operands;       /* starts of cold tensors: within a region */
    uint64_t region[BM_ELEMENT_COUNT]; /* elements of one slot, 0: no cold tensor of this format */
    uint64_t stride[BM_MAX_TENSORS];   /* elements from one slot to the next; 0: it does not rotate */
    uint64_t slots, next_launch;
    int32_t *tables[BM_MAX_TENSORS]; /* the host's copy of every draw of a table */
    struct bm_sequence *sequence;    /* then neither program nor buffers are its own */
};

/* Where a kernel finds a tensor, if not in the case's own memory (buffer NULL). */
struct bm_tensor_place {
    cl_mem buffer;
    cl_ulong offset;            /* elements; of a tensor without an OFFSET argument it is in the buffer */
    cl_ulong pitch, head_pitch; /* 0: as it stands alone */
};

/* A flow on a device. */
struct bm_sequence_node {
    unsigned part;
    uint64_t occurrence; /* of the part before this one, within an execution */
    struct bm_tensor_place places[BM_MAX_TENSORS];
    uint64_t copy_stride[BM_MAX_TENSORS]; /* elements from a rotating value's copy to the next; 0: one copy */
    const struct bm_flow_link *links[BM_MAX_TENSORS]; /* NULL: memory of its own */
};
struct bm_sequence {
    struct bm_flow flow;        /* its own copy */
    struct bm_prepared **parts; /* one a case of the flow */
    uint64_t *occurrences;      /* of each part in an execution */
    struct bm_sequence_node *nodes;
    size_t node_count;
    cl_mem *values;            /* one a value of the flow; of those that rotate `copies`, strides[] apart */
    uint64_t copies, *strides; /* elements */
    cl_mem *windows;           /* onto values, where a kernel has no offset */
    size_t window_count, window_capacity;
    uint64_t executions, value_bytes;
    struct bm_tensor_place current[BM_MAX_TENSORS];
};

/* What is enqueued next. */
struct bm_turn {
    struct bm_prepared *part;
    uint64_t turn;
    const struct bm_tensor_place
        *places; /* one a tensor; NULL: all memory is its own. Valid until the next turn */
};
/* Node number `node` of a sequence, of any other case (node 0) the case itself. After the last node the next
 * execution begins. */
struct bm_turn bm_opencl_next_turn(struct bm_prepared *prepared, uint64_t node);
/* Of a sequence: node number `node` of execution number `execution`. */
struct bm_turn bm_opencl_turn_at(struct bm_sequence *sequence, uint64_t node, uint64_t execution);
enum bm_status bm_opencl_sequence(struct bm_session *session, const struct bm_flow *flow,
                                  struct bm_prepared **prepared, struct bm_error *error);
void bm_opencl_sequence_fini(struct bm_prepared *prepared);
/* Every node on what flowed to it; then the whole, where a float64 reference of it takes seconds. */
enum bm_status bm_opencl_sequence_verify(struct bm_prepared *prepared, uint64_t seed,
                                         struct bm_verification *verification, struct bm_error *error);
/* How a tensor lies in a value: element i of the tensor, packed as it stands alone, is element
 * i / row * pitch + i % row / head * head_pitch + i % head from `offset` on. */
struct bm_spread {
    uint64_t count, offset, row, head, pitch, head_pitch;
};
struct bm_spread bm_opencl_spread(const struct bm_plan *plan, unsigned t, const struct bm_flow_link *link);
static inline uint64_t bm_spread_at(const struct bm_spread *spread, uint64_t i) {
    const uint64_t within = i % spread->row;
    return spread->offset + i / spread->row * spread->pitch + within / spread->head * spread->head_pitch +
           within % spread->head;
}
/* What the value holds before an execution, in the order of its elements: floats to free. */
float *bm_opencl_value_content(struct bm_session *session, const struct bm_flow *flow, size_t value,
                               struct bm_error *error);
/* Sets the arguments of launch l that change from turn to turn. */
enum bm_status bm_opencl_move(const struct bm_prepared *prepared, unsigned l, uint64_t turn,
                              const struct bm_tensor_place *places, struct bm_error *error) BM_CHECK_RESULT;

/* Plans a case with these parameters, which then count as tuned; NULL: the best known ones, tuned, else
 * shipped, else safe. *from says which. */
enum bm_status bm_opencl_plan(const struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_plan *plan, const char **from,
                              struct bm_error *error) BM_CHECK_RESULT;
/* Lays the plan's cold tensors side by side: offsets in starts[tensor], sizes of a slot in region[element].
 */
void bm_opencl_layout(const struct bm_plan *plan, uint64_t starts[BM_MAX_TENSORS],
                      uint64_t region[BM_ELEMENT_COUNT]);
/* Elements between the slots of an output that rotates. */
uint64_t bm_opencl_output_stride(const struct bm_tensor *tensor);
enum bm_status bm_opencl_values_get(struct bm_session *session, enum bm_element element,
                                    const struct bm_values **values, struct bm_error *error) BM_CHECK_RESULT;
/* Creates and fills the arena of a format at its first use. */
enum bm_status bm_opencl_arena_get(struct bm_session *session, enum bm_element element,
                                   const struct bm_arena **arena, struct bm_error *error) BM_CHECK_RESULT;
void bm_opencl_arena_fini(struct bm_arena *arena);
void bm_opencl_pools_fini(struct bm_session *session);
/* Makes room for the plan's tensors in arenas and pools; BM_NO_MEMORY or BM_UNSUPPORTED when it cannot fit.
 */
enum bm_status bm_opencl_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_error *error);
/* BM_INTERNAL when the plan needs more than was reserved: its kernels would leave their buffers. */
enum bm_status bm_opencl_check_reserved(const struct bm_session *session, const struct bm_plan *plan,
                                        struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_opencl_hot_get(struct bm_session *session, const struct bm_plan *plan, unsigned t,
                                 struct bm_operands *operands, cl_mem *buffer,
                                 struct bm_error *error) BM_CHECK_RESULT;
/* The pool's buffer: BM_GUARD_BYTES, the tensor, at least BM_GUARD_BYTES. Borrowed. */
enum bm_status bm_opencl_written_get(struct bm_session *session, unsigned t, cl_mem *buffer,
                                     struct bm_error *error) BM_CHECK_RESULT;
/* The host's end of a transfer, mapped: BM_GUARD_BYTES, the tensor, at least BM_GUARD_BYTES. Borrowed. */
enum bm_status bm_opencl_staging_get(struct bm_session *session, uint8_t **memory,
                                     struct bm_error *error) BM_CHECK_RESULT;
void bm_opencl_staging_fini(struct bm_session *session);
/* Writes the values of tensor t, a transfer's source on the host, to the staging memory. */
enum bm_status bm_opencl_staging_fill(struct bm_prepared *prepared, unsigned t,
                                      struct bm_error *error) BM_CHECK_RESULT;
/* Enqueues launch l, a transfer; events as for a kernel. */
enum bm_status bm_opencl_enqueue_transfer(struct bm_prepared *prepared, unsigned l, const cl_event *gate,
                                          cl_event *event, struct bm_error *error) BM_CHECK_RESULT;
/* Draws every copy of tensor t, a table; what it made is released with the case. */
enum bm_status bm_opencl_table_create(struct bm_prepared *prepared, unsigned t,
                                      struct bm_error *error) BM_CHECK_RESULT;
void bm_opencl_table_release(struct bm_prepared *prepared, unsigned t);
/* What the device reads at launch number `turn`. */
struct bm_operands bm_opencl_operands_at(const struct bm_prepared *prepared, uint64_t turn);
/* Where hot tensor t begins in its values. */
static inline uint64_t bm_opencl_hot_start(unsigned t) {
    return (uint64_t)(t + 1) * 1000003; /* those of one plan begin at different values */
}
/* The host's copy of count elements from `start`, packed in the stored format. Caller frees. */
void *bm_opencl_pack(const struct bm_values *values, uint64_t start, uint64_t count) BM_CHECK_RESULT;

enum bm_status bm_opencl_list(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                              size_t *count, size_t *capacity, struct bm_error *error);
void bm_opencl_release(struct bm_endpoint *endpoint);
enum bm_status bm_opencl_prepare(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_prepared **prepared,
                                 struct bm_error *error);
void bm_opencl_discard(struct bm_prepared *prepared);
enum bm_status bm_opencl_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error);
enum bm_status bm_opencl_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error);
/* Sets the offsets of launch number `turn`, whose slot and draw follow from it, and enqueues the plan once,
 * after the event gate where there is one. places, gate, first and last may be NULL; the latter two receive
 * events.
 */
enum bm_status bm_opencl_enqueue(struct bm_prepared *prepared, uint64_t turn,
                                 const struct bm_tensor_place *places, const cl_event *gate, cl_event *first,
                                 cl_event *last, struct bm_error *error) BM_CHECK_RESULT;

#endif
