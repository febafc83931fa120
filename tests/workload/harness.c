/* Oclgrind is an OpenCL 1.2: it has none of the newer ways to make a queue. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_FILL = 0xa5, ARENA_ALIGNMENT = 128, ARENA_LEAD = 3 * ARENA_ALIGNMENT };
#define GUARD_BYTES ((size_t)4096)

#define TRY(call_name, code)                                                                                 \
    do {                                                                                                     \
        const cl_int code_ = (code);                                                                         \
        if (code_ != CL_SUCCESS) {                                                                           \
            status =                                                                                         \
                bm_fail_native(error, BM_DEVICE, code_, call_name, "%s failed with %d", call_name, code_);   \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

enum bm_status harness_open(struct harness *h, struct bm_error *error) {
    enum bm_status status = BM_OK;
    cl_platform_id platform;
    cl_uint units = 0;
    cl_ulong local = 0, most = 0;
    cl_int code;

    *h = (struct harness){0};
    if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &h->device, NULL) != CL_SUCCESS)
        return bm_fail(error, BM_NOT_FOUND, "no OpenCL device");
    TRY("clGetDeviceInfo",
        clGetDeviceInfo(h->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL));
    TRY("clGetDeviceInfo", clGetDeviceInfo(h->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(local), &local, NULL));
    TRY("clGetDeviceInfo",
        clGetDeviceInfo(h->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, NULL));
    TRY("clGetDeviceInfo",
        clGetDeviceInfo(h->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(h->target.max_group_items),
                        &h->target.max_group_items, NULL));
    h->target.compute_units = units;
    h->target.local_bytes = local;
    h->target.max_allocation_bytes = most;
    h->context = clCreateContext(NULL, 1, &h->device, NULL, NULL, &code);
    TRY("clCreateContext", code);
    h->queue = clCreateCommandQueue(h->context, h->device, CL_QUEUE_PROFILING_ENABLE, &code);
    TRY("clCreateCommandQueue", code);
out:
    if (status)
        harness_close(h);
    return status;
}

void harness_close(struct harness *h) {
    if (h->program)
        clReleaseProgram(h->program);
    if (h->queue)
        clReleaseCommandQueue(h->queue);
    if (h->context)
        clReleaseContext(h->context);
    for (size_t i = 0; i < BM_COUNT_OF(h->values); i++)
        bm_values_fini(&h->values[i]);
    free(h->source);
    *h = (struct harness){0};
}

static enum bm_status build(struct harness *h, const struct bm_plan *plan, struct bm_error *error) {
    enum bm_status status = BM_OK;
    struct bm_text options = {0};
    char name[64], path[1024];
    size_t size;
    cl_int code;

    bm_text_append(&options, "-cl-std=CL1.2");
    for (unsigned i = 0; i < plan->defines.count; i++)
        bm_text_append(&options, " -D %s=%lld", plan->defines.items[i].name,
                       (long long)plan->defines.items[i].value);
    bm_text_append(&options, " -D SOURCE_%.*s", (int)strcspn(plan->source, "."), plan->source);
    if (h->program && !strcmp(h->options, options.data))
        goto out;
    if (h->program)
        clReleaseProgram(h->program);
    h->program = NULL;
    free(h->source);
    h->source = NULL;
    snprintf(name, sizeof(name), "kernels/%s", plan->source);
    status = bm_data_path(name, path, sizeof(path), error);
    if (!status)
        status = bm_file_read(path, 1 << 20, &h->source, &size, error);
    if (status)
        goto out;
    h->program = clCreateProgramWithSource(h->context, 1, (const char *[]){h->source}, &size, &code);
    TRY("clCreateProgramWithSource", code);
    bm_string_set(h->options, sizeof(h->options), options.data);
    code = clBuildProgram(h->program, 1, &h->device, options.data, NULL, NULL);
    if (code != CL_SUCCESS) {
        char log[8192] = "";
        clGetProgramBuildInfo(h->program, h->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
        fprintf(stderr, "%s\n%s\n", options.data, log);
    }
    TRY("clBuildProgram", code);
out:
    if (status && h->program) {
        clReleaseProgram(h->program);
        h->program = NULL;
    }
    bm_text_fini(&options);
    return status;
}

/* Of each format at its first use. */
static enum bm_status values_of(struct harness *h, enum bm_element element, const struct bm_values **values,
                                struct bm_error *error) {
    *values = &h->values[element];
    return (*values)->values ? BM_OK : bm_values_init(&h->values[element], element, 1 + element, error);
}

/* Where the elements of a tensor lie: those of the compact layout in runs of run[1] within runs of run[0],
 * which begin pitch[1] and pitch[0] apart; run 0: not cut. */
struct placing {
    uint64_t run[2], pitch[2];
    uint64_t extent; /* elements from the first to the last */
};

static uint64_t place(const struct placing *p, uint64_t i) {
    uint64_t at = 0;
    for (unsigned level = 0; level < 2; level++)
        if (p->run[level]) {
            at += i / p->run[level] * p->pitch[level];
            i %= p->run[level];
        }
    return at + i;
}

/* The value of a plan's argument of this kind for a tensor, 0 where it has none. */
static uint64_t pitch_of(const struct bm_plan *plan, unsigned t, enum bm_argument_kind kind) {
    for (unsigned l = 0; l < plan->launch_count; l++)
        for (unsigned a = 0; a < plan->launches[l].argument_count; a++)
            if (plan->launches[l].arguments[a].kind == kind && plan->launches[l].arguments[a].index == t)
                return plan->launches[l].arguments[a].value;
    return 0;
}

static struct placing placing_of(const struct harness *h, const struct bm_plan *plan, unsigned t) {
    const uint64_t row = pitch_of(plan, t, BM_ARGUMENT_PITCH), count = plan->tensors[t].count;
    const uint64_t head = pitch_of(plan, t, BM_ARGUMENT_HEAD_PITCH);
    const uint64_t outer = row > head ? row : head, inner = row > head ? head : row;
    struct placing p = {.extent = count};
    if (!h->widen || !outer)
        return p;
    if (!inner || inner == outer) { /* of heads and rows there is one kind alone, whatever it is called */
        p.run[0] = outer;
        p.pitch[0] = outer + h->widen;
    } else {
        const uint64_t run = inner + h->widen, times = h->transpose ? count / outer : outer / inner;
        p.run[0] = outer;
        p.run[1] = inner;
        p.pitch[h->transpose] = times * run + h->widen;
        p.pitch[!h->transpose] = run;
    }
    p.extent = place(&p, count - 1) + 1;
    return p;
}

/* The pitch of a tensor's rows or heads whose compact one is `value`. */
static uint64_t placed_pitch(const struct placing *p, uint64_t value) {
    return !p->run[0] ? value : value == p->run[0] ? p->pitch[0] : p->pitch[1];
}

struct buffers {
    struct placing placing[8];
    cl_mem parent[8], buffer[8], arena[BM_ELEMENT_COUNT];
    uint64_t offset[8];
    int32_t *tables[8];
    struct bm_operands operands;
};

/* An input at its place, between rows NaN, and the fault that is planted in it. */
static void write_input(const struct bm_tensor *tensor, unsigned t, const struct bm_values *values,
                        const struct harness_fault *fault, const struct buffers *b, void *data) {
    const struct placing *p = &b->placing[t];
    const uint64_t first = tensor->role == BM_ROLE_COLD ? b->offset[t] : 0, start = b->operands.start[t];
    for (uint64_t i = 0; p->run[0] && i < p->extent; i++)
        bm_element_store(tensor->element, data, first + i, NAN);
    for (uint64_t i = 0; i < tensor->count; i++)
        bm_element_store(tensor->element, data, first + place(p, i),
                         values->values[(start + i) % values->period]);
    for (uint64_t i = 0; fault && fault->on && fault->tensor == t && i < fault->count; i++)
        bm_element_store(tensor->element, data, first + place(p, fault->first + i * fault->stride), 0);
}

/* Cold tensors lie in one buffer per format that ends with the last of them, so that reading past it is
 * caught. */
static enum bm_status make_arena(struct harness *h, const struct bm_plan *plan, enum bm_element element,
                                 const struct harness_fault *fault, struct buffers *b,
                                 struct bm_error *error) {
    const struct bm_values *values;
    enum bm_status status;
    uint64_t end = 0;
    void *data = NULL;
    cl_int code;

    for (unsigned t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].role == BM_ROLE_COLD && plan->tensors[t].element == element) {
            b->offset[t] = (end + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT + ARENA_LEAD;
            b->operands.values[t] = &h->values[element];
            b->operands.start[t] = b->offset[t];
            end = b->offset[t] + b->placing[t].extent;
        }
    if (!end)
        return BM_OK;
    status = values_of(h, element, &values, error);
    if (status)
        return status;
    data = bm_alloc((size_t)bm_element_size(element, end), 1);
    if (!data)
        return bm_fail(error, BM_NO_MEMORY, "no memory for the arena");
    for (uint64_t i = 0; i < end; i++)
        bm_element_store(element, data, i, values->values[i % values->period]);
    for (unsigned t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].role == BM_ROLE_COLD && plan->tensors[t].element == element &&
            (b->placing[t].run[0] || fault))
            write_input(&plan->tensors[t], t, values, fault, b, data);
    b->arena[element] = clCreateBuffer(h->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR,
                                       (size_t)bm_element_size(element, end), data, &code);
    TRY("clCreateBuffer", code);
out:
    free(data);
    return status;
}

static enum bm_status make_buffer(struct harness *h, const struct bm_plan *plan, unsigned t,
                                  const struct harness_fault *fault, struct buffers *b,
                                  struct bm_error *error) {
    const struct bm_tensor *tensor = &plan->tensors[t];
    const struct bm_values *values;
    enum bm_status status = values_of(h, tensor->element, &values, error);
    const size_t bytes = (size_t)bm_element_size(tensor->element, b->placing[t].extent);
    const bool input = tensor->role == BM_ROLE_HOT;
    /* The space after the tensor is a guard too, as the parent's size need not be a multiple of it. */
    const size_t lead = input ? 0 : GUARD_BYTES, whole = bytes + 2 * lead;
    /* One that rotates is written in the middle of its buffer: here, after the guard. */
    const size_t window = tensor->rotates ? lead : 0;
    cl_int code;

    if (status)
        return status;
    char *data = bm_alloc(whole, 1);
    if (!data)
        return bm_fail(error, BM_NO_MEMORY, "no memory for %s", tensor->name);
    if (input) {
        b->operands.values[t] = values;
        b->operands.start[t] = UINT64_C(1000) * t;
        write_input(tensor, t, values, fault, b, data);
    } else { /* what lies between rows is a guard as well */
        memset(data, GUARD_FILL, whole);
        if (!b->placing[t].run[0])
            memset(data + lead, 0xff, bytes); /* NaN in every float format */
        const size_t size = (size_t)bm_element_size(tensor->element, 1);
        for (uint64_t i = 0; b->placing[t].run[0] && i < tensor->count; i++)
            memset(data + lead + place(&b->placing[t], i) * size, 0xff, size);
    }
    b->parent[t] = clCreateBuffer(h->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, whole, data, &code);
    TRY("clCreateBuffer", code);
    if (!input) {
        const cl_buffer_region region = {.origin = lead - window, .size = window + bytes};
        b->offset[t] = bm_element_fit(tensor->element, window);
        b->buffer[t] =
            clCreateSubBuffer(b->parent[t], CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        TRY("clCreateSubBuffer", code);
    }
out:
    free(data);
    return status;
}

/* The kernel reads the last of these draws. */
enum { DRAWS = 3, TABLE_SEED = 5 };

static enum bm_status make_table(struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                                 unsigned t, struct buffers *b, struct bm_error *error) {
    const uint64_t count = plan->tensors[t].count;
    enum bm_status status = BM_OK;
    cl_int code;

    b->tables[t] = bm_alloc((size_t)count * DRAWS, sizeof(int32_t));
    if (!b->tables[t])
        return bm_fail(error, BM_NO_MEMORY, "no memory for %s", plan->tensors[t].name);
    for (uint64_t draw = 0; !status && draw < DRAWS; draw++)
        status = c->workload->fill(c, plan, t, TABLE_SEED, draw, b->tables[t] + draw * count, error);
    if (status)
        return status;
    b->offset[t] = count * (DRAWS - 1);
    b->operands.start[t] = DRAWS - 1;
    b->operands.table[t] = b->tables[t] + b->offset[t];
    b->parent[t] = clCreateBuffer(h->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR,
                                  (size_t)count * DRAWS * sizeof(int32_t), b->tables[t], &code);
    TRY("clCreateBuffer", code);
out:
    return status;
}

static cl_int set_argument(cl_kernel kernel, cl_uint i, const struct bm_argument *a,
                           const struct bm_plan *plan, const struct buffers *b) {
    const struct bm_tensor *tensor = &plan->tensors[a->index];
    const cl_uint number = (cl_uint)a->value;
    const cl_ulong offset = b->offset[a->index], pitch = placed_pitch(&b->placing[a->index], a->value);

    switch (a->kind) {
    case BM_ARGUMENT_BUFFER:
        return clSetKernelArg(kernel, i, sizeof(cl_mem),
                              tensor->role == BM_ROLE_COLD ? &b->arena[tensor->element]
                              : b->buffer[a->index]        ? &b->buffer[a->index]
                                                           : &b->parent[a->index]);
    case BM_ARGUMENT_OFFSET:
        return clSetKernelArg(kernel, i, sizeof(offset), &offset);
    case BM_ARGUMENT_PITCH:
    case BM_ARGUMENT_HEAD_PITCH:
        return clSetKernelArg(kernel, i, sizeof(pitch), &pitch);
    case BM_ARGUMENT_UINT:
        return clSetKernelArg(kernel, i, sizeof(number), &number);
    case BM_ARGUMENT_FLOAT:
        return clSetKernelArg(kernel, i, sizeof(a->real), &a->real);
    case BM_ARGUMENT_LOCAL:
        return clSetKernelArg(kernel, i, (size_t)a->value, NULL);
    }
    return CL_INVALID_VALUE;
}

static enum bm_status execute(struct harness *h, const struct bm_plan *plan, const struct buffers *b,
                              uint64_t *ns, struct bm_error *error) {
    enum bm_status status = BM_OK;
    cl_kernel kernel = NULL;
    cl_event event = NULL;
    cl_ulong start, end;
    cl_int code;

    *ns = 0;
    for (unsigned l = 0; l < plan->launch_count; l++) {
        const struct bm_launch *launch = &plan->launches[l];
        cl_uint expected;
        kernel = clCreateKernel(h->program, launch->kernel, &code);
        TRY("clCreateKernel", code);
        TRY("clGetKernelInfo",
            clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(expected), &expected, NULL));
        if (expected != launch->argument_count) {
            status = bm_fail(error, BM_INTERNAL, "%s takes %u arguments, the plan has %u", launch->kernel,
                             expected, launch->argument_count);
            goto out;
        }
        for (cl_uint i = 0; i < launch->argument_count; i++)
            TRY("clSetKernelArg", set_argument(kernel, i, &launch->arguments[i], plan, b));
        TRY("clEnqueueNDRangeKernel",
            clEnqueueNDRangeKernel(h->queue, kernel, launch->dimensions, NULL, launch->global,
                                   launch->local[0] ? launch->local : NULL, 0, NULL, &event));
        TRY("clFinish", clFinish(h->queue));
        TRY("clGetEventProfilingInfo",
            clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL));
        TRY("clGetEventProfilingInfo",
            clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL));
        *ns += end - start;
        clReleaseEvent(event);
        event = NULL;
        clReleaseKernel(kernel);
        kernel = NULL;
    }
out:
    if (event)
        clReleaseEvent(event);
    if (kernel)
        clReleaseKernel(kernel);
    return status;
}

static bool is_filled(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != GUARD_FILL)
            return false;
    return true;
}

/* Moves what a kernel wrote together, as the compact layout has it. False: it wrote between rows. */
static bool gather(const struct placing *p, const struct bm_tensor *tensor, unsigned char *data) {
    const size_t size = (size_t)bm_element_size(tensor->element, 1);
    bool intact = true;
    unsigned char *compact = bm_alloc((size_t)tensor->count, size);
    for (uint64_t i = 0; compact && i < tensor->count; i++) {
        memcpy(compact + i * size, data + place(p, i) * size, size);
        memset(data + place(p, i) * size, GUARD_FILL, size);
    }
    if (compact) {
        intact = is_filled(data, (size_t)p->extent * size);
        memcpy(data, compact, (size_t)tensor->count * size);
    }
    free(compact);
    return compact && intact;
}

/* outputs: of each of the plan's, in their order. */
static enum bm_status compare(const struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                              const struct buffers *b, const void *const *outputs,
                              const enum bm_element *elements, struct harness_result *result,
                              struct bm_error *error) {
    const double tolerance = c->workload->tolerance(c) * (h->tolerance_factor > 0 ? h->tolerance_factor : 1);
    const uint64_t count = c->workload->check_count(c, plan);
    const uint64_t before = bm_clock_now(&bm_clock_monotonic);
    struct bm_check check;

    for (uint64_t i = 0; i < count; i++) {
        enum bm_status status = c->workload->check(c, plan, &b->operands, 7, i, &check, error);
        if (status)
            return status;
        for (unsigned j = 0; j < check.count; j++) {
            const double got =
                (double)bm_element_load(elements[check.output], outputs[check.output], check.first + j);
            const double expected = check.expected[j];
            result->checked++;
            if (isnan(expected) || isinf(expected)) { /* in these places, and in no others */
                result->wrong += isnan(expected) ? !isnan(got) : got != expected;
                result->special++;
                continue;
            }
            const double size = fmax(fabs(expected), check.scale);
            const double difference = fmax(fabs(got - expected) - check.rounding, 0);
            const double relative = isnan(difference) ? (double)INFINITY : difference / size;
            result->worst = fmax(result->worst, difference == 0 ? 0 : relative);
            if (!(difference <= tolerance * size))
                result->wrong++;
        }
    }
    result->check_s = (double)(bm_clock_now(&bm_clock_monotonic) - before) * 1e-9;
    return BM_OK;
}

enum bm_status harness_run(struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                           const struct harness_fault *fault, unsigned repeat, struct harness_result *result,
                           struct bm_error *error) {
    struct buffers b = {0};
    unsigned char *written[8] = {0};
    const void *outputs[8];
    enum bm_element elements[8];
    unsigned output_count = 0;

    *result = (struct harness_result){.guards_intact = true};
    for (unsigned t = 0; t < plan->tensor_count; t++)
        b.placing[t] = placing_of(h, plan, t);
    enum bm_status status = build(h, plan, error);
    for (unsigned e = 0; !status && e < BM_ELEMENT_COUNT; e++)
        status = make_arena(h, plan, (enum bm_element)e, fault, &b, error);
    for (unsigned t = 0; !status && t < plan->tensor_count; t++)
        if (plan->tensors[t].role == BM_ROLE_TABLE)
            status = make_table(h, c, plan, t, &b, error);
        else if (plan->tensors[t].role != BM_ROLE_COLD)
            status = make_buffer(h, plan, t, fault, &b, error);
    bool routed = false; /* then scratch has room for more rows than there are */
    for (unsigned t = 0; t < plan->tensor_count; t++)
        routed |= plan->tensors[t].role == BM_ROLE_TABLE;
    for (unsigned i = 0; !status && i < repeat; i++) {
        uint64_t ns;
        status = execute(h, plan, &b, &ns, error);
        if (!i || ns < result->device_ns)
            result->device_ns = ns;
    }
    for (unsigned t = 0; !status && t < plan->tensor_count; t++) {
        const struct bm_tensor *tensor = &plan->tensors[t];
        const size_t bytes = (size_t)bm_element_size(tensor->element, b.placing[t].extent);
        const size_t size = tensor->element <= BM_ELEMENT_BF16 ? (size_t)bm_element_size(tensor->element, 1)
                                                               : 0; /* an integer may be the poison itself */
        if (tensor->role != BM_ROLE_OUTPUT && tensor->role != BM_ROLE_SCRATCH)
            continue;
        unsigned char *data = written[t] = bm_alloc(bytes + 2 * GUARD_BYTES, 1);
        if (!data) {
            status = bm_fail(error, BM_NO_MEMORY, "no memory for %s", tensor->name);
            goto out;
        }
        TRY("clEnqueueReadBuffer", clEnqueueReadBuffer(h->queue, b.parent[t], CL_TRUE, 0,
                                                       bytes + 2 * GUARD_BYTES, data, 0, NULL, NULL));
        result->guards_intact &=
            is_filled(data, GUARD_BYTES) && is_filled(data + GUARD_BYTES + bytes, GUARD_BYTES);
        if (b.placing[t].run[0])
            result->guards_intact &= gather(&b.placing[t], tensor, data + GUARD_BYTES);
        static const unsigned char poison[4] = {0xff, 0xff, 0xff, 0xff};
        for (size_t i = 0; size && i < tensor->count && (!routed || tensor->role == BM_ROLE_OUTPUT); i++)
            result->unwritten += !memcmp(data + GUARD_BYTES + i * size, poison, size);
        if (tensor->role == BM_ROLE_OUTPUT) {
            outputs[output_count] = data + GUARD_BYTES;
            elements[output_count++] = tensor->element;
        }
    }
    if (!status)
        status = compare(h, c, plan, &b, outputs, elements, result, error);
out:
    for (unsigned t = 0; t < BM_COUNT_OF(written); t++)
        free(written[t]);
    for (unsigned t = 0; t < BM_COUNT_OF(b.parent); t++) {
        if (b.buffer[t])
            clReleaseMemObject(b.buffer[t]);
        if (b.parent[t])
            clReleaseMemObject(b.parent[t]);
        free(b.tables[t]);
    }
    for (size_t i = 0; i < BM_COUNT_OF(b.arena); i++)
        if (b.arena[i])
            clReleaseMemObject(b.arena[i]);
    return status;
}
