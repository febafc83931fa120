/* Executes plans on the first OpenCL device by direct calls, for tests: exact buffers, guard zones around
 * outputs, poison in everything that a kernel must write. */
#ifndef HARNESS_H
#define HARNESS_H

#include <CL/cl.h>

#include "bm/workload.h"

struct harness {
    cl_context context;
    cl_command_queue queue;
    cl_device_id device;
    struct bm_target target; /* of the device; tests may change is_gpu to have a GPU's parameters */
    struct bm_values values[BM_ELEMENT_COUNT]; /* of the formats used so far */
    cl_program program;                        /* the last one, kept for plans with the same options */
    /* Rows and heads of the tensors that have pitches lie so many elements further apart than in the compact
     * layout, 0: as there; with `transpose` the inner of the two becomes the outer one. A multiple of 16, so
     * that vectors stay aligned. */
    uint64_t widen;
    bool transpose;
    double tolerance_factor; /* of inputs that are larger than the tolerance is for; 0: 1 */
    char options[1024];
    char *source;
};
/* BM_NOT_FOUND without an OpenCL device. */
enum bm_status harness_open(struct harness *h, struct bm_error *error);
void harness_close(struct harness *h);

/* Changes the inputs on the device after they were written, while the reference sees the originals. */
struct harness_fault {
    bool on;
    unsigned tensor;
    uint64_t first, stride, count; /* elements first, first + stride, ... of the tensor become 0 */
};

struct harness_result {
    uint64_t checked, wrong; /* outputs */
    uint64_t special;        /* of those, NaN or infinite in the reference */
    double worst;            /* relative error, infinity for NaN */
    uint64_t unwritten;      /* outputs that still hold the poison */
    bool guards_intact;
    uint64_t device_ns; /* of the fastest of `repeat` executions */
    double check_s;
};
enum bm_status harness_run(struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                           const struct harness_fault *fault, unsigned repeat, struct harness_result *result,
                           struct bm_error *error);

#endif
