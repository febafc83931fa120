/* A flow on a device: its cases, prepared, and the memory that their tensors share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* Elements: copies of a value, and what kernels see of it, begin at whole cache lines. */
enum { VALUE_ALIGNMENT = 128 };

/* ---- values ---- */

/* Positions of a rotary embedding turn pair i of d by position / 10000^(2 i / d). */
static void write_angles(const struct bm_flow_value *value, float *content) {
    const uint32_t half = value->width / 2;
    for (uint64_t i = 0; i < value->count; i++) {
        const uint64_t position = value->first + i / value->width, within = i % value->width,
                       pair = within % half;
        const double angle = (double)position * pow(10000, -2.0 * (double)pair / value->width);
        content[i] = (float)(within < half ? cos(angle) : sin(angle));
    }
}

float *bm_opencl_value_content(struct bm_session *session, const struct bm_flow *flow, size_t index,
                               struct bm_error *error) {
    const struct bm_flow_value *value = &flow->values[index];
    const struct bm_values *values = NULL;
    if (value->content == BM_FLOW_SEEDED &&
        bm_opencl_values_get(session, value->element, &values, error) != BM_OK)
        return NULL;
    float *content = bm_alloc((size_t)value->count, sizeof *content);
    if (content == NULL) {
        (void)!bm_fail(error, BM_NO_MEMORY, "out of memory for %s", value->name);
        return NULL;
    }
    if (value->content == BM_FLOW_ANGLES)
        write_angles(value, content);
    for (uint64_t i = 0; value->content == BM_FLOW_WRITTEN && i < value->count; i++)
        content[i] = NAN;
    const uint64_t start = (index + 1) * 1000033; /* values begin at different ones */
    for (uint64_t i = 0; value->content == BM_FLOW_SEEDED && i < value->count; i++) {
        uint64_t stored = 0; /* as the device reads it */
        bm_element_store(value->element, &stored, 0,
                         value->amplitude * values->values[(start + i) % values->period]);
        content[i] = bm_element_load(value->element, &stored, 0);
    }
    return content;
}

static enum bm_status fill_value(struct bm_session *session, const struct bm_sequence *sequence, size_t index,
                                 uint64_t copies, struct bm_error *error) {
    const struct bm_flow_value *value = &sequence->flow.values[index];
    const size_t bytes = (size_t)bm_element_size(value->element, value->count);
    float *content = bm_opencl_value_content(session, &sequence->flow, index, error);
    uint8_t *packed = bm_alloc(bytes, 1);
    enum bm_status status = BM_OK;
    if (content == NULL || packed == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory for %s", value->name);
    for (uint64_t i = 0; status == BM_OK && i < value->count; i++)
        bm_element_store(value->element, packed, i, content[i]);
    for (uint64_t copy = 0; status == BM_OK && copy < copies; copy++)
        status = bm_cl_buffer_write(&session->queue, sequence->values[index],
                                    (size_t)bm_element_size(value->element, copy * sequence->strides[index]),
                                    packed, bytes, error);
    free(packed);
    free(content);
    return status;
}

/* As many copies of what rotates as make it cold, and as memory has room for: other flows want some too. */
static uint64_t count_copies(const struct bm_session *session, const struct bm_flow *flow) {
    const uint64_t memory = session->endpoint->memory_bytes / 8 * 7,
                   used = session->reserved_bytes + session->value_bytes;
    const uint64_t room = memory > used ? (memory - used) / 4 : 0;
    uint64_t bytes = 0, largest = 0;
    for (size_t i = 0; i < flow->value_count; i++) {
        const uint64_t own =
            bm_element_size(flow->values[i].element, flow->values[i].count + VALUE_ALIGNMENT);
        if (!flow->values[i].rotates)
            continue;
        bytes += own;
        largest = own > largest ? own : largest;
    }
    if (bytes == 0)
        return 1;
    uint64_t copies = (session->options.cold_bytes + bytes - 1) / bytes;
    if (copies > room / bytes)
        copies = room / bytes;
    if (copies > session->target.max_allocation_bytes / largest)
        copies = session->target.max_allocation_bytes / largest;
    return copies > 0 ? copies : 1;
}

static enum bm_status create_values(struct bm_session *session, struct bm_sequence *sequence, bool hot,
                                    struct bm_error *error) {
    const struct bm_flow *flow = &sequence->flow;
    enum bm_status status = BM_OK;
    sequence->copies = hot ? 1 : count_copies(session, flow);
    for (size_t i = 0; status == BM_OK && i < flow->value_count; i++) {
        const struct bm_flow_value *value = &flow->values[i];
        const uint64_t copies = value->rotates ? sequence->copies : 1;
        sequence->strides[i] = (value->count + VALUE_ALIGNMENT - 1) / VALUE_ALIGNMENT * VALUE_ALIGNMENT;
        const uint64_t bytes = bm_element_size(value->element, copies * sequence->strides[i]);
        if (bytes > session->target.max_allocation_bytes)
            return bm_fail(error, BM_UNSUPPORTED,
                           "%s: %.2f GiB, but the device allocates at most %.2f GiB at once", value->name,
                           (double)bytes / 0x1p30, (double)session->target.max_allocation_bytes / 0x1p30);
        status = bm_cl_buffer_create(&session->queue, (size_t)bytes, &sequence->values[i], error);
        if (status == BM_OK) {
            sequence->value_bytes += bytes;
            session->value_bytes += bytes;
        }
        if (status == BM_OK)
            status = fill_value(session, sequence, i, copies, error);
    }
    return status;
}

/* ---- nodes ---- */

struct bm_spread bm_opencl_spread(const struct bm_plan *plan, unsigned t, const struct bm_flow_link *link) {
    const uint64_t count = plan->tensors[t].count;
    struct bm_spread spread = {.count = count, .offset = link->offset, .row = count, .pitch = link->pitch};
    for (unsigned l = 0; l < plan->launch_count; l++)
        for (unsigned a = 0; a < plan->launches[l].argument_count; a++) {
            const struct bm_argument *argument = &plan->launches[l].arguments[a];
            if (argument->index != t)
                continue;
            if (argument->kind == BM_ARGUMENT_PITCH)
                spread.row = argument->value;
            if (argument->kind == BM_ARGUMENT_HEAD_PITCH)
                spread.head = argument->value;
        }
    if (spread.head == 0)
        spread.head = spread.row;
    if (spread.pitch == 0)
        spread.pitch = spread.row;
    spread.head_pitch = link->head_pitch != 0 ? link->head_pitch : spread.head;
    return spread;
}

static bool has_argument(const struct bm_plan *plan, unsigned t, enum bm_argument_kind kind) {
    for (unsigned l = 0; l < plan->launch_count; l++)
        for (unsigned a = 0; a < plan->launches[l].argument_count; a++)
            if (plan->launches[l].arguments[a].kind == kind && plan->launches[l].arguments[a].index == t)
                return true;
    return false;
}

/* A kernel without an offset for the tensor sees a window that begins there. */
static enum bm_status place_by_window(struct bm_sequence *sequence, const struct bm_tensor *tensor,
                                      struct bm_tensor_place *place, struct bm_error *error) {
    const cl_buffer_region region = {.origin = (size_t)bm_element_size(tensor->element, place->offset),
                                     .size = (size_t)bm_element_size(tensor->element, tensor->count)};
    cl_int code;
    enum bm_status status = bm_grow(&sequence->windows, &sequence->window_capacity,
                                    sequence->window_count + 1, sizeof *sequence->windows, error);
    if (status != BM_OK)
        return status;
    cl_mem window =
        clCreateSubBuffer(place->buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (code == CL_MISALIGNED_SUB_BUFFER_OFFSET)
        return bm_fail(error, BM_UNSUPPORTED, "the device cannot begin %s within another buffer",
                       tensor->name);
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clCreateSubBuffer");
    sequence->windows[sequence->window_count++] = window;
    place->buffer = window;
    place->offset = 0;
    return BM_OK;
}

static enum bm_status place_tensor(struct bm_sequence *sequence, struct bm_sequence_node *node,
                                   const struct bm_flow_link *link, struct bm_error *error) {
    const struct bm_prepared *part = sequence->parts[node->part];
    const struct bm_flow_value *value = &sequence->flow.values[link->value];
    const char *workload = part->the_case.workload->name;
    unsigned t = 0;
    while (t < part->plan.tensor_count && strcmp(part->plan.tensors[t].name, link->tensor) != 0)
        t++;
    if (t == part->plan.tensor_count)
        return bm_fail(error, BM_INTERNAL, "%s has no tensor %s", workload, link->tensor);
    const struct bm_tensor *tensor = &part->plan.tensors[t];
    if (tensor->element != value->element)
        return bm_fail(error, BM_INTERNAL, "%s: %s is %s, %s is %s", workload, tensor->name,
                       bm_element_name(tensor->element), value->name, bm_element_name(value->element));
    if ((link->pitch != 0 && !has_argument(&part->plan, t, BM_ARGUMENT_PITCH)) ||
        (link->head_pitch != 0 && !has_argument(&part->plan, t, BM_ARGUMENT_HEAD_PITCH)))
        return bm_fail(error, BM_UNSUPPORTED, "%s cannot have its %s within wider rows", workload,
                       tensor->name);
    const struct bm_spread spread = bm_opencl_spread(&part->plan, t, link);
    if (bm_spread_at(&spread, spread.count - 1) >= value->count)
        return bm_fail(error, BM_INTERNAL, "%s: %s ends past %s", workload, tensor->name, value->name);
    /* Kernels load vectors, as far as rows are whole ones: then these must begin where vectors do. */
    uint64_t vector = (uint64_t)bm_parameters_get(&part->plan.defines, "VEC", 1); /* a power of two */
    while (spread.head % vector != 0)
        vector /= 2;
    if (spread.offset % vector != 0 || spread.pitch % vector != 0 || spread.head_pitch % vector != 0)
        return bm_fail(error, BM_UNSUPPORTED, "%s cannot have its %s begin between vectors of %llu", workload,
                       tensor->name, (unsigned long long)vector);
    struct bm_tensor_place *place = &node->places[t];
    *place = (struct bm_tensor_place){.buffer = sequence->values[link->value],
                                      .offset = link->offset,
                                      .pitch = link->pitch,
                                      .head_pitch = link->head_pitch};
    node->links[t] = link;
    const bool moves = has_argument(&part->plan, t, BM_ARGUMENT_OFFSET);
    if (value->rotates && sequence->copies > 1) {
        if (!moves)
            return bm_fail(error, BM_INTERNAL, "%s: %s cannot rotate", workload, tensor->name);
        node->copy_stride[t] = sequence->strides[link->value];
    }
    return moves || place->offset == 0 ? BM_OK : place_by_window(sequence, tensor, place, error);
}

static enum bm_status create_nodes(struct bm_sequence *sequence, struct bm_error *error) {
    const struct bm_flow *flow = &sequence->flow;
    for (size_t i = 0; i < flow->node_count; i++) {
        struct bm_sequence_node *node = &sequence->nodes[i];
        node->part = flow->nodes[i].case_index;
        node->occurrence = sequence->occurrences[node->part]++;
        for (unsigned l = 0; l < flow->nodes[i].link_count; l++) {
            enum bm_status status = place_tensor(sequence, node, &flow->nodes[i].links[l], error);
            if (status != BM_OK)
                return status;
        }
        sequence->node_count++;
    }
    return BM_OK;
}

/* ---- turns ---- */

struct bm_turn bm_opencl_turn_at(struct bm_sequence *sequence, uint64_t index, uint64_t execution) {
    const struct bm_sequence_node *node = &sequence->nodes[index];
    const uint64_t copy = execution % sequence->copies;
    for (unsigned t = 0; t < BM_MAX_TENSORS; t++) {
        sequence->current[t] = node->places[t];
        sequence->current[t].offset += copy * node->copy_stride[t];
    }
    return (struct bm_turn){.part = sequence->parts[node->part],
                            .turn = execution * sequence->occurrences[node->part] + node->occurrence,
                            .places = sequence->current};
}

struct bm_turn bm_opencl_next_turn(struct bm_prepared *prepared, uint64_t node) {
    struct bm_sequence *sequence = prepared->sequence;
    if (sequence == NULL)
        return (struct bm_turn){.part = prepared, .turn = prepared->next_launch++};
    struct bm_turn turn = bm_opencl_turn_at(sequence, node, sequence->executions);
    sequence->executions += node + 1 == sequence->node_count;
    return turn;
}

/* ---- the whole ---- */

static enum bm_status copy_flow(const struct bm_flow *flow, struct bm_sequence *sequence,
                                struct bm_error *error) {
    struct bm_flow *own = &sequence->flow;
    *own = *flow;
    own->cases = bm_alloc(flow->case_count, sizeof *flow->cases);
    own->values = bm_alloc(flow->value_count, sizeof *flow->values);
    own->nodes = bm_alloc(flow->node_count, sizeof *flow->nodes);
    sequence->parts = bm_alloc(flow->case_count, sizeof(struct bm_prepared *));
    sequence->occurrences = bm_alloc(flow->case_count, sizeof *sequence->occurrences);
    sequence->nodes = bm_alloc(flow->node_count, sizeof *sequence->nodes);
    sequence->values = bm_alloc(flow->value_count, sizeof(cl_mem));
    sequence->strides = bm_alloc(flow->value_count, sizeof *sequence->strides);
    if (own->cases == NULL || own->values == NULL || own->nodes == NULL || sequence->parts == NULL ||
        sequence->occurrences == NULL || sequence->nodes == NULL || sequence->values == NULL ||
        sequence->strides == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a sequence of %zu ops", flow->node_count);
    memcpy(own->cases, flow->cases, flow->case_count * sizeof *flow->cases);
    memcpy(own->values, flow->values, flow->value_count * sizeof *flow->values);
    memcpy(own->nodes, flow->nodes, flow->node_count * sizeof *flow->nodes);
    return BM_OK;
}

enum bm_status bm_opencl_sequence(struct bm_session *session, const struct bm_flow *flow,
                                  struct bm_prepared **prepared_out, struct bm_error *error) {
    *prepared_out = NULL;
    if (flow->node_count == 0)
        return bm_fail(error, BM_INVALID, "a sequence of no cases");
    struct bm_prepared *prepared = bm_alloc(1, sizeof *prepared);
    if (prepared != NULL)
        prepared->sequence = bm_alloc(1, sizeof *prepared->sequence);
    if (prepared == NULL || prepared->sequence == NULL) {
        free(prepared);
        return bm_fail(error, BM_NO_MEMORY, "out of memory for a sequence");
    }
    struct bm_sequence *sequence = prepared->sequence;
    prepared->session = session;
    prepared->parameters_from = "safe";
    prepared->plan.pipe = "-";
    bm_string_set(prepared->plan.variant, sizeof prepared->plan.variant,
                  flow->result < flow->value_count ? "flow" : "sequence");
    enum bm_status status = copy_flow(flow, sequence, error);
    for (size_t i = 0; status == BM_OK && i < flow->case_count; i++)
        status = bm_opencl_prepare(session, &flow->cases[i], NULL, &sequence->parts[i], error);
    if (status == BM_OK)
        prepared->parameters_from = sequence->parts[0]->parameters_from;
    if (status == BM_OK)
        status = create_values(session, sequence, flow->cases[0].hot, error);
    if (status == BM_OK)
        status = create_nodes(sequence, error);
    if (status != BM_OK) {
        bm_opencl_discard(prepared);
        return status;
    }
    *prepared_out = prepared;
    return BM_OK;
}

void bm_opencl_sequence_fini(struct bm_prepared *prepared) {
    struct bm_sequence *sequence = prepared->sequence;
    if (sequence == NULL)
        return;
    for (size_t i = 0; i < sequence->window_count; i++)
        clReleaseMemObject(sequence->windows[i]);
    for (size_t i = 0; sequence->values != NULL && i < sequence->flow.value_count; i++)
        if (sequence->values[i] != NULL)
            clReleaseMemObject(sequence->values[i]);
    for (size_t i = 0; sequence->parts != NULL && i < sequence->flow.case_count; i++)
        bm_opencl_discard(sequence->parts[i]);
    prepared->session->value_bytes -= sequence->value_bytes;
    bm_flow_fini(&sequence->flow);
    free(sequence->parts);
    free(sequence->occurrences);
    free(sequence->nodes);
    free(sequence->values);
    free(sequence->strides);
    free(sequence->windows);
    free(sequence);
    prepared->sequence = NULL;
}
