/* The tensors of a plan in device memory, with guards and poison. */
#include "buffers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_FILL = 0xa5, ARENA_ALIGNMENT = 128, ARENA_LEAD = 3 * ARENA_ALIGNMENT };

/* Of each format at its first use. */
static enum bm_status values_of(struct harness *h, enum bm_element element, const struct bm_values **values,
                                struct bm_error *error) {
    *values = &h->values[element];
    return (*values)->values ? BM_OK : bm_values_init(&h->values[element], element, 1 + element, error);
}

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

uint64_t buffers_pitch(const struct placing *p, uint64_t value) {
    return !p->run[0] ? value : value == p->run[0] ? p->pitch[0] : p->pitch[1];
}

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

enum bm_status buffers_create(struct harness *h, const struct bm_case *c, const struct bm_plan *plan,
                              const struct harness_fault *fault, struct buffers *b, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (unsigned t = 0; t < plan->tensor_count; t++)
        b->placing[t] = placing_of(h, plan, t);
    for (unsigned e = 0; !status && e < BM_ELEMENT_COUNT; e++)
        status = make_arena(h, plan, (enum bm_element)e, fault, b, error);
    for (unsigned t = 0; !status && t < plan->tensor_count; t++)
        if (plan->tensors[t].role == BM_ROLE_TABLE)
            status = make_table(h, c, plan, t, b, error);
        else if (plan->tensors[t].role != BM_ROLE_COLD)
            status = make_buffer(h, plan, t, fault, b, error);
    return status;
}

void buffers_destroy(struct buffers *b) {
    for (unsigned t = 0; t < BM_COUNT_OF(b->parent); t++) {
        if (b->buffer[t])
            clReleaseMemObject(b->buffer[t]);
        if (b->parent[t])
            clReleaseMemObject(b->parent[t]);
        free(b->tables[t]);
    }
    for (size_t i = 0; i < BM_COUNT_OF(b->arena); i++)
        if (b->arena[i])
            clReleaseMemObject(b->arena[i]);
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

enum bm_status buffers_read(struct harness *h, const struct bm_plan *plan, const struct buffers *b,
                            unsigned t, unsigned char **data, bool *intact, struct bm_error *error) {
    const struct bm_tensor *tensor = &plan->tensors[t];
    const size_t bytes = (size_t)bm_element_size(tensor->element, b->placing[t].extent);
    enum bm_status status = BM_OK;
    *data = bm_alloc(bytes + 2 * GUARD_BYTES, 1);
    if (!*data)
        return bm_fail(error, BM_NO_MEMORY, "no memory for %s", tensor->name);
    TRY("clEnqueueReadBuffer", clEnqueueReadBuffer(h->queue, b->parent[t], CL_TRUE, 0,
                                                   bytes + 2 * GUARD_BYTES, *data, 0, NULL, NULL));
    *intact &= is_filled(*data, GUARD_BYTES) && is_filled(*data + GUARD_BYTES + bytes, GUARD_BYTES);
    if (b->placing[t].run[0])
        *intact &= gather(&b->placing[t], tensor, *data + GUARD_BYTES);
out:
    return status;
}
