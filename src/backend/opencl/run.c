#include "session.h"

static enum bm_status move_to_slot(struct bm_prepared *prepared, unsigned l, uint64_t slot,
                                   struct bm_error *error) {
    const struct bm_launch *launch = &prepared->plan.launches[l];
    for (unsigned a = 0; a < launch->argument_count; a++) {
        const struct bm_argument *argument = &launch->arguments[a];
        if (argument->kind != BM_ARGUMENT_OFFSET)
            continue;
        enum bm_element element = prepared->plan.tensors[argument->index].element;
        cl_ulong offset = slot * prepared->region[element] + prepared->operands.start[argument->index];
        cl_int code = clSetKernelArg(prepared->kernels[l], a, sizeof offset, &offset);
        if (code != CL_SUCCESS)
            return bm_cl_fail(error, code, "clSetKernelArg");
    }
    return BM_OK;
}

enum bm_status bm_opencl_enqueue(struct bm_prepared *prepared, uint64_t slot, cl_event *first, cl_event *last,
                                 struct bm_error *error) {
    const struct bm_plan *plan = &prepared->plan;
    for (unsigned l = 0; l < plan->launch_count; l++) {
        const struct bm_launch *launch = &plan->launches[l];
        enum bm_status status = move_to_slot(prepared, l, slot, error);
        if (status != BM_OK)
            return status;
        /* One launch may be both first and last: then one event serves, retained for its second owner. */
        cl_event *event = l == 0 && first != NULL ? first : l + 1 == plan->launch_count ? last : NULL;
        cl_int code = clEnqueueNDRangeKernel(prepared->session->queue.queue, prepared->kernels[l],
                                             launch->dimensions, NULL, launch->global,
                                             launch->local[0] != 0 ? launch->local : NULL, 0, NULL, event);
        if (code != CL_SUCCESS)
            return bm_cl_fail(error, code, "clEnqueueNDRangeKernel");
        if (event != NULL && event == first && last != NULL && l + 1 == plan->launch_count) {
            *last = *first;
            clRetainEvent(*last);
        }
    }
    return BM_OK;
}

enum bm_status bm_opencl_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error) {
    enum bm_status status = BM_OK;
    cl_event first = NULL, last = NULL;
    *block = (struct bm_block){.start_ns = bm_clock_now(&bm_clock_monotonic)};
    for (uint64_t i = 0; status == BM_OK && i < launches; i++) {
        status = bm_opencl_enqueue(prepared, prepared->next_slot, i == 0 ? &first : NULL,
                                   i + 1 == launches ? &last : NULL, error);
        prepared->next_slot = (prepared->next_slot + 1) % prepared->slots;
    }
    /* Also after a failure: what was queued must end before its buffers go. */
    cl_int code = clFinish(prepared->session->queue.queue);
    block->host_ns = bm_clock_now(&bm_clock_monotonic) - block->start_ns;
    if (code != CL_SUCCESS && status == BM_OK)
        status = bm_cl_fail(error, code, "clFinish");
    if (status == BM_OK && bm_cl_event_span(first, last, &block->device_ns, NULL) != BM_OK)
        block->device_ns = 0;
    if (first != NULL)
        clReleaseEvent(first);
    if (last != NULL)
        clReleaseEvent(last);
    if (status != BM_OK)
        *block = (struct bm_block){0};
    return status;
}
