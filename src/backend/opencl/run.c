#include "session.h"

static enum bm_status enqueue_kernel(struct bm_prepared *prepared, unsigned l, const cl_event *gate,
                                     cl_event *event, struct bm_error *error) {
    const struct bm_launch *launch = &prepared->plan.launches[l];
    cl_int code = clEnqueueNDRangeKernel(
        prepared->session->queue.queue, prepared->kernels[l], launch->dimensions, NULL, launch->global,
        launch->local[0] != 0 ? launch->local : NULL, gate != NULL ? 1 : 0, gate, event);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clEnqueueNDRangeKernel");
}

enum bm_status bm_opencl_enqueue(struct bm_prepared *prepared, uint64_t turn,
                                 const struct bm_tensor_place *places, const cl_event *gate, cl_event *first,
                                 cl_event *last, struct bm_error *error) {
    const struct bm_plan *plan = &prepared->plan;
    for (unsigned l = 0; l < plan->launch_count; l++) {
        const struct bm_launch *launch = &plan->launches[l];
        enum bm_status status = bm_opencl_move(prepared, l, turn, places, error);
        if (status != BM_OK)
            return status;
        /* One launch may be both first and last: then one event serves, retained for its second owner. */
        cl_event *event = l == 0 && first != NULL ? first : l + 1 == plan->launch_count ? last : NULL;
        const cl_event *waits_for = l == 0 ? gate : NULL;
        status = launch->kernel != NULL ? enqueue_kernel(prepared, l, waits_for, event, error)
                                        : bm_opencl_enqueue_transfer(prepared, l, waits_for, event, error);
        if (status != BM_OK)
            return status;
        if (event != NULL && event == first && last != NULL && l + 1 == plan->launch_count) {
            cl_int code = clRetainEvent(*first);
            if (code != CL_SUCCESS)
                return bm_cl_fail(error, code, "clRetainEvent");
            *last = *first;
        }
    }
    return BM_OK;
}

/* Launches queued before the device may start: it then never waits for the host. No more, because a driver
 * may block the host when its queue is full, and a full queue that waits for the host would never empty. */
enum { QUEUED_AHEAD = 64 };

/* The events of one block. */
struct timing_events {
    cl_event gate, first, last;
};

/* And tells the driver to submit: it may gather commands, and the device would idle while the rest is queued.
 */
static enum bm_status open_gate(struct bm_prepared *prepared, struct timing_events *events,
                                struct bm_block *block, struct bm_error *error) {
    block->start_ns = bm_clock_now(&bm_clock_monotonic);
    cl_int code = clSetUserEventStatus(events->gate, CL_COMPLETE);
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clSetUserEventStatus");
    code = clFlush(prepared->session->queue.queue);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clFlush");
}

static enum bm_status enqueue_block(struct bm_prepared *prepared, uint64_t launches,
                                    struct timing_events *events, struct bm_block *block,
                                    struct bm_error *error) {
    cl_int code;
    bool open = false;
    events->gate = clCreateUserEvent(prepared->session->queue.context, &code);
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clCreateUserEvent");
    enum bm_status status = BM_OK;
    const uint64_t count = prepared->sequence != NULL ? prepared->sequence->node_count : 1,
                   total = launches * count;
    for (uint64_t i = 0; status == BM_OK && i < total; i++) {
        struct bm_turn turn = bm_opencl_next_turn(prepared, i % count);
        struct bm_prepared *part = turn.part;
        status =
            bm_opencl_enqueue(part, turn.turn, turn.places, i == 0 ? &events->gate : NULL,
                              i == 0 ? &events->first : NULL, i + 1 == total ? &events->last : NULL, error);
        const bool waits = part->plan.waits;
        if (status == BM_OK && !open && (i + 1 == total || i + 1 == QUEUED_AHEAD || waits)) {
            status = open_gate(prepared, events, block, error);
            open = true;
        }
        if (status == BM_OK && waits && (code = clFinish(prepared->session->queue.queue)) != CL_SUCCESS)
            status = bm_cl_fail(error, code, "clFinish");
    }
    if (!open ||
        status != BM_OK) /* never leave the queue waiting; a second opening is an error of no matter */
        clSetUserEventStatus(events->gate, CL_COMPLETE);
    return status;
}

enum bm_status bm_opencl_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error) {
    struct timing_events events = {0};
    *block = (struct bm_block){0};
    enum bm_status status = enqueue_block(prepared, launches, &events, block, error);
    /* Also after a failure: what was queued must end before its buffers go. */
    cl_int code = clFinish(prepared->session->queue.queue);
    block->host_ns = bm_clock_now(&bm_clock_monotonic) - block->start_ns;
    if (code != CL_SUCCESS && status == BM_OK)
        status = bm_cl_fail(error, code, "clFinish");
    if (status == BM_OK && bm_cl_event_span(events.first, events.last, &block->device_ns, NULL) != BM_OK)
        block->device_ns = 0;
    cl_event used[] = {events.gate, events.first, events.last};
    for (size_t i = 0; i < BM_COUNT_OF(used); i++)
        if (used[i] != NULL)
            clReleaseEvent(used[i]);
    if (status != BM_OK)
        *block = (struct bm_block){0};
    return status;
}
