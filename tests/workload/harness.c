/* Oclgrind is an OpenCL 1.2: it has none of the newer ways to make a queue. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "buffers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static cl_int set_argument(cl_kernel kernel, cl_uint i, const struct bm_argument *a,
                           const struct bm_plan *plan, const struct buffers *b) {
    const struct bm_tensor *tensor = &plan->tensors[a->index];
    const cl_uint number = (cl_uint)a->value;
    const cl_ulong offset = b->offset[a->index], pitch = buffers_pitch(&b->placing[a->index], a->value);

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
    enum bm_status status = build(h, plan, error);
    if (!status)
        status = buffers_create(h, c, plan, fault, &b, error);
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
        const size_t size = tensor->element <= BM_ELEMENT_BF16 ? (size_t)bm_element_size(tensor->element, 1)
                                                               : 0; /* an integer may be the poison itself */
        if (tensor->role != BM_ROLE_OUTPUT && tensor->role != BM_ROLE_SCRATCH)
            continue;
        status = buffers_read(h, plan, &b, t, &written[t], &result->guards_intact, error);
        if (status)
            break;
        const unsigned char *data = written[t] + GUARD_BYTES;
        static const unsigned char poison[4] = {0xff, 0xff, 0xff, 0xff};
        for (size_t i = 0; size && i < tensor->count && (!routed || tensor->role == BM_ROLE_OUTPUT); i++)
            result->unwritten += !memcmp(data + i * size, poison, size);
        if (tensor->role == BM_ROLE_OUTPUT) {
            outputs[output_count] = data;
            elements[output_count++] = tensor->element;
        }
    }
    if (!status)
        status = compare(h, c, plan, &b, outputs, elements, result, error);
    for (unsigned t = 0; t < BM_COUNT_OF(written); t++)
        free(written[t]);
    buffers_destroy(&b);
    return status;
}
