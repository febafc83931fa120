#include <stdio.h>
#include <stdlib.h>

#include "session.h"

/* A compiler without the feature that the plan is for is no failure. */
static enum bm_status build_program(struct bm_prepared *prepared, const char *source, const char *options,
                                    struct bm_error *error) {
    const struct bm_cl_queue *queue = &prepared->session->queue;
    struct bm_error why = {0};
    enum bm_status status = bm_cl_program_build(queue, source, options, &prepared->program, &why);
    if (status == BM_DEVICE && prepared->plan.feature != NULL)
        return bm_fail(error, BM_UNSUPPORTED, "the driver's compiler has no %s", prepared->plan.feature);
    return status == BM_OK ? BM_OK : bm_fail_native(error, status, why.native, why.call, "%s", why.message);
}

static enum bm_status build(struct bm_prepared *prepared, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_plan *plan = &prepared->plan;
    struct bm_text path = {0}, options = {0};
    char *source = NULL;
    size_t size;
    enum bm_status status = BM_OK;
    if (plan->source == NULL)
        return BM_OK;
    bm_text_append(&path, "%s/%s", session->kernels_folder, plan->source);
    bm_text_append(&options, "-cl-std=CL1.2");
    for (unsigned i = 0; i < plan->defines.count; i++)
        bm_text_append(&options, " -D %s=%lld", plan->defines.items[i].name,
                       (long long)plan->defines.items[i].value);
    if (path.failed || options.failed)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory while building %s", plan->source);
    if (status == BM_OK)
        status = bm_file_read(path.data, BM_SOURCE_LIMIT, &source, &size, error);
    if (status == BM_OK)
        status = build_program(prepared, source, options.data, error);
    for (unsigned l = 0; status == BM_OK && l < plan->launch_count; l++) {
        cl_int code;
        if (plan->launches[l].kernel == NULL)
            continue;
        prepared->kernels[l] = clCreateKernel(prepared->program, plan->launches[l].kernel, &code);
        if (code != CL_SUCCESS)
            status = bm_cl_fail(error, code, "clCreateKernel");
    }
    free(source);
    bm_text_fini(&path);
    bm_text_fini(&options);
    return status;
}

static void use_slots(struct bm_prepared *prepared, unsigned t, uint64_t stride, uint64_t slots) {
    prepared->stride[t] = stride;
    prepared->slots = slots < prepared->slots ? slots : prepared->slots;
}

/* A window onto the shared buffer, as long as this case's tensor: guard zones follow it directly. Of one that
 * rotates it holds all slots, and each slot's neighbours are its guards. */
static enum bm_status create_window(struct bm_prepared *prepared, unsigned t, struct bm_error *error) {
    const struct bm_tensor *tensor = &prepared->plan.tensors[t];
    cl_buffer_region window = {.origin = BM_GUARD_BYTES,
                               .size = bm_element_size(tensor->element, tensor->count)};
    cl_mem shared;
    cl_int code;
    enum bm_status status = bm_opencl_written_get(prepared->session, t, &shared, error);
    if (status != BM_OK)
        return status;
    if (tensor->rotates) {
        uint64_t stride = bm_opencl_output_stride(tensor), bytes = bm_element_size(tensor->element, stride);
        window.size = (size_t)(prepared->session->written[t].largest / bytes * bytes);
        use_slots(prepared, t, stride, window.size / bytes);
    }
    prepared->buffers[t] =
        clCreateSubBuffer(shared, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &window, &code);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clCreateSubBuffer");
}

static enum bm_status use_arena(struct bm_prepared *prepared, unsigned t, struct bm_error *error) {
    enum bm_element element = prepared->plan.tensors[t].element;
    const struct bm_arena *arena;
    enum bm_status status = bm_opencl_arena_get(prepared->session, element, &arena, error);
    if (status != BM_OK)
        return status;
    use_slots(prepared, t, prepared->region[element], arena->elements / prepared->region[element]);
    prepared->buffers[t] = arena->buffer;
    prepared->operands.values[t] = &arena->values;
    return BM_OK;
}

static enum bm_status use_staging(struct bm_prepared *prepared, unsigned t, struct bm_error *error) {
    uint8_t *memory;
    prepared->operands.start[t] = bm_opencl_hot_start(t);
    enum bm_status status = bm_opencl_staging_get(prepared->session, &memory, error);
    if (status != BM_OK || prepared->plan.tensors[t].role != BM_ROLE_HOT)
        return status;
    return bm_opencl_values_get(prepared->session, prepared->plan.tensors[t].element,
                                &prepared->operands.values[t], error);
}

static enum bm_status take_buffers(struct bm_prepared *prepared, struct bm_error *error) {
    const struct bm_plan *plan = &prepared->plan;
    enum bm_status status = BM_OK;
    prepared->slots = UINT64_MAX;
    bm_opencl_layout(plan, prepared->operands.start, prepared->region);
    for (unsigned t = 0; status == BM_OK && t < plan->tensor_count; t++) {
        if (plan->tensors[t].on_host)
            status = use_staging(prepared, t, error);
        else if (plan->tensors[t].role == BM_ROLE_HOT)
            status = bm_opencl_hot_get(prepared->session, plan, t, &prepared->operands, &prepared->buffers[t],
                                       error);
        else if (plan->tensors[t].role == BM_ROLE_COLD)
            status = use_arena(prepared, t, error);
        else if (plan->tensors[t].role == BM_ROLE_TABLE)
            status = bm_opencl_table_create(prepared, t, error);
        else
            status = create_window(prepared, t, error);
    }
    if (prepared->slots == UINT64_MAX || prepared->the_case.hot)
        prepared->slots = 1;
    return status;
}

static cl_ulong offset_at(const struct bm_prepared *prepared, unsigned t, uint64_t turn) {
    const struct bm_tensor *tensor = &prepared->plan.tensors[t];
    if (tensor->role == BM_ROLE_TABLE)
        return turn % BM_DRAWS * tensor->count;
    return turn % prepared->slots * prepared->stride[t] + prepared->operands.start[t];
}

static enum bm_status set_argument(const struct bm_prepared *prepared, unsigned l, unsigned a, uint64_t turn,
                                   const struct bm_tensor_place *places, struct bm_error *error) {
    const struct bm_argument *argument = &prepared->plan.launches[l].arguments[a];
    const struct bm_tensor_place *place =
        places != NULL && places[argument->index].buffer != NULL && argument->kind <= BM_ARGUMENT_HEAD_PITCH
            ? &places[argument->index]
            : NULL;
    cl_mem buffer = place != NULL ? place->buffer : prepared->buffers[argument->index];
    cl_uint number = (cl_uint)argument->value;
    cl_ulong elements = argument->value;
    const void *value = &elements;
    size_t size = sizeof elements;
    switch (argument->kind) {
    case BM_ARGUMENT_BUFFER:
        size = sizeof buffer;
        value = &buffer;
        break;
    case BM_ARGUMENT_OFFSET:
        elements = place != NULL ? place->offset : offset_at(prepared, argument->index, turn);
        break;
    case BM_ARGUMENT_PITCH:
        elements = place != NULL && place->pitch != 0 ? place->pitch : elements;
        break;
    case BM_ARGUMENT_HEAD_PITCH:
        elements = place != NULL && place->head_pitch != 0 ? place->head_pitch : elements;
        break;
    case BM_ARGUMENT_UINT:
        size = sizeof number;
        value = &number;
        break;
    case BM_ARGUMENT_FLOAT:
        size = sizeof argument->real;
        value = &argument->real;
        break;
    case BM_ARGUMENT_LOCAL:
        size = (size_t)argument->value;
        value = NULL;
        break;
    }
    const cl_int code = clSetKernelArg(prepared->kernels[l], a, size, value);
    return code == CL_SUCCESS ? BM_OK : bm_cl_fail(error, code, "clSetKernelArg");
}

/* Those arguments of a launch whose kind lies between the two. */
static enum bm_status set_arguments(const struct bm_prepared *prepared, unsigned l,
                                    enum bm_argument_kind first, enum bm_argument_kind last, uint64_t turn,
                                    const struct bm_tensor_place *places, struct bm_error *error) {
    const struct bm_launch *launch = &prepared->plan.launches[l];
    for (unsigned a = 0; launch->kernel != NULL && a < launch->argument_count; a++) {
        if (launch->arguments[a].kind < first || launch->arguments[a].kind > last)
            continue;
        enum bm_status status = set_argument(prepared, l, a, turn, places, error);
        if (status != BM_OK)
            return status;
    }
    return BM_OK;
}

enum bm_status bm_opencl_move(const struct bm_prepared *prepared, unsigned l, uint64_t turn,
                              const struct bm_tensor_place *places, struct bm_error *error) {
    return places == NULL
               ? set_arguments(prepared, l, BM_ARGUMENT_OFFSET, BM_ARGUMENT_OFFSET, turn, NULL, error)
               : set_arguments(prepared, l, BM_ARGUMENT_BUFFER, BM_ARGUMENT_HEAD_PITCH, turn, places, error);
}

enum bm_status bm_opencl_prepare(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_prepared **prepared_out,
                                 struct bm_error *error) {
    *prepared_out = NULL;
    struct bm_prepared *prepared = bm_alloc(1, sizeof *prepared);
    if (prepared == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while preparing a case");
    prepared->session = session;
    prepared->the_case = *the_case;
    enum bm_status status =
        bm_opencl_plan(session, the_case, parameters, &prepared->plan, &prepared->parameters_from, error);
    if (status == BM_OK)
        status = bm_opencl_check_reserved(session, &prepared->plan, error);
    if (status == BM_OK)
        status = take_buffers(prepared, error);
    if (status == BM_OK)
        status = build(prepared, error);
    for (unsigned l = 0; status == BM_OK && l < prepared->plan.launch_count; l++)
        status = set_arguments(prepared, l, BM_ARGUMENT_BUFFER, BM_ARGUMENT_LOCAL, 0, NULL, error);
    if (status != BM_OK) {
        bm_opencl_discard(prepared);
        return status;
    }
    *prepared_out = prepared;
    return BM_OK;
}

void bm_opencl_discard(struct bm_prepared *prepared) {
    if (prepared == NULL)
        return;
    bm_opencl_sequence_fini(prepared);
    for (unsigned l = 0; l < BM_MAX_LAUNCHES; l++)
        if (prepared->kernels[l] != NULL)
            clReleaseKernel(prepared->kernels[l]);
    if (prepared->program != NULL)
        clReleaseProgram(prepared->program);
    for (unsigned t = 0; t < prepared->plan.tensor_count; t++) {
        enum bm_role role = prepared->plan.tensors[t].role; /* the other buffers belong to the session */
        if (role == BM_ROLE_TABLE)
            bm_opencl_table_release(prepared, t);
        if (prepared->buffers[t] != NULL && (role == BM_ROLE_OUTPUT || role == BM_ROLE_SCRATCH))
            clReleaseMemObject(prepared->buffers[t]);
    }
    free(prepared);
}
