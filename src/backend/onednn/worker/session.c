#include "session.h"

#include <stdlib.h>
#include <string.h>

enum bm_status bm_onednn_open(enum bm_isa cap, uint64_t cold_bytes, uint64_t seed, uint64_t memory_bytes,
                              struct bm_session **session_out, struct bm_error *error) {
    *session_out = NULL;
    struct bm_session *session = bm_alloc(1, sizeof *session);
    if (session == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening oneDNN");
    session->cold_bytes = cold_bytes;
    session->seed = seed;
    session->memory_bytes = memory_bytes;
    bm_cpu_detect(&session->cpu);
    bm_cpu_cap(&session->cpu, cap);
    if (bm_cpu_has(&session->cpu, BM_ISA_AMX) && !bm_cpu_request_amx())
        session->cpu.amx_bf16 = session->cpu.amx_int8 = false; /* the library does without them, too */
    enum bm_status status = bm_library_open(cap, &session->library, error);
    if (status == BM_OK)
        *session_out = session;
    else
        free(session);
    return status;
}

void bm_onednn_close(struct bm_session *session) {
    if (session == NULL)
        return;
    bm_onednn_memory_fini(session);
    bm_library_close(session->library);
    free(session);
}

/* ---- what a case is to the library ---- */

static enum bm_status type_of(enum bm_element element, enum bm_library_type *type, struct bm_error *error) {
    switch (element) {
    case BM_ELEMENT_F32:
        *type = BM_LIBRARY_F32;
        return BM_OK;
    case BM_ELEMENT_F16:
        *type = BM_LIBRARY_F16;
        return BM_OK;
    case BM_ELEMENT_BF16:
        *type = BM_LIBRARY_BF16;
        return BM_OK;
    case BM_ELEMENT_I8:
        *type = BM_LIBRARY_S8;
        return BM_OK;
    case BM_ELEMENT_I4:
        break;
    }
    return bm_fail(error, BM_UNSUPPORTED, "oneDNN has no products of %s weights", bm_element_name(element));
}

/* Quantised activations are int8 to the library, their sums whole numbers of 32 bits. */
static enum bm_status shape_of(const struct bm_case *the_case, bool unsigned_activations,
                               struct bm_library_shape *shape, struct bm_error *error) {
    const struct bm_dtype *dtype = the_case->dtype;
    *shape = (struct bm_library_shape){.m = the_case->m, .n = the_case->n, .k = the_case->k};
    enum bm_status status = type_of(dtype->weight, &shape->weights, error);
    if (status == BM_OK)
        status = type_of(dtype->activation, &shape->activations, error);
    if (status == BM_OK)
        status = type_of(dtype->output, &shape->outputs, error);
    if (dtype->quantised_activations) {
        shape->activations = unsigned_activations ? BM_LIBRARY_U8 : BM_LIBRARY_S8;
        shape->outputs = BM_LIBRARY_S32;
    }
    return status;
}

static enum bm_status plan_case(const struct bm_case *the_case, struct bm_plan *plan,
                                struct bm_error *error) {
    const char *name = the_case->workload->name;
    if (strcmp(name, "gemm") != 0 && strcmp(name, "gemv") != 0)
        return bm_fail(error, BM_UNSUPPORTED, "onednn runs matrix products alone, no %s", name);
    return the_case->workload->plain(the_case, plan, error);
}

/* ---- sizes ---- */

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

enum { REGION_ALIGNMENT = 4096 };

static uint64_t round_up(uint64_t bytes, uint64_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

static uint64_t corrections_at(const struct bm_prepared *prepared) {
    return round_up(bm_library_matmul_packed_bytes(prepared->matmul), 64);
}

static uint64_t region_bytes(const struct bm_prepared *prepared) {
    const uint64_t corrections = prepared->unsigned_activations ? prepared->the_case.n * sizeof(int32_t) : 0;
    return round_up(corrections_at(prepared) + corrections, REGION_ALIGNMENT);
}

static uint64_t tensor_bytes(const struct bm_tensor *tensor) {
    return bm_element_size(tensor->element, tensor->count);
}

/* Whole slots that are the cold set at least. */
static uint64_t arena_bytes(const struct bm_session *session, const struct bm_prepared *prepared) {
    const uint64_t apart = region_bytes(prepared);
    return larger(round_up(session->cold_bytes, apart), apart);
}

/* Every size of a session, and what becomes of it if a case joins those already reserved. */
struct need {
    struct bm_shared *shared;
    uint64_t bytes, base; /* base: needed as soon as there is one byte */
};
enum { NEEDS_MOST = BM_MATMUL_TENSORS + 5 };

static size_t list_needs(struct bm_session *session, const struct bm_prepared *candidate,
                         struct need needs[NEEDS_MOST]) {
    const struct bm_plan *plan = &candidate->plan;
    size_t count = 0;
    needs[count++] =
        (struct need){&session->arena[plan->tensors[BM_WEIGHTS].element], arena_bytes(session, candidate), 0};
    needs[count++] =
        (struct need){&session->outputs, tensor_bytes(&plan->tensors[BM_OUTPUTS]), 2 * BM_GUARD_BYTES};
    needs[count++] =
        (struct need){&session->scratch, bm_library_matmul_scratch_bytes(candidate->matmul) + 1, 0};
    for (unsigned t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].role == BM_ROLE_HOT)
            needs[count++] =
                (struct need){&session->hot[t][plan->tensors[t].element], tensor_bytes(&plan->tensors[t]), 0};
    if (candidate->quantised) {
        needs[count++] = (struct need){&session->quantised, candidate->the_case.m * candidate->the_case.k, 0};
        needs[count++] = (struct need){&session->row_scales, candidate->the_case.m * sizeof(float), 0};
    }
    return count;
}

static uint64_t reserved_bytes(const struct bm_session *session) {
    uint64_t total = session->outputs.largest + session->scratch.largest + session->quantised.largest +
                     session->row_scales.largest;
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++) {
        total += session->arena[e].largest;
        for (unsigned t = 0; t < BM_MATMUL_TENSORS; t++)
            total += session->hot[t][e].largest;
    }
    return total;
}

/* Before the library is asked, which may take terabytes for an error of its own. */
static enum bm_status check_single_tensors(const struct bm_session *session, const struct bm_plan *plan,
                                           struct bm_error *error) {
    for (unsigned t = 0; t < plan->tensor_count; t++)
        if (tensor_bytes(&plan->tensors[t]) > session->memory_bytes)
            return bm_fail(error, BM_UNSUPPORTED, "%s: %.2f GiB, but the device has at most %.2f GiB",
                           plan->tensors[t].name, (double)tensor_bytes(&plan->tensors[t]) / 0x1p30,
                           (double)session->memory_bytes / 0x1p30);
    return BM_OK;
}

/* VPMADDUBSW, which serves where there is no VNNI, saturates at 16 bits unless one operand has 7 bits or less
 * (oneDNN's developer guide, "Nuances of int8 Computations"): a result that is wrong by design. */
static bool multiplies_int8_exactly(const struct bm_cpu *cpu) {
    return bm_cpu_has(cpu, BM_ISA_VNNI) || cpu->amx_int8;
}

/* VNNI multiplies unsigned bytes by signed ones: for others oneDNN adds 128 to each activation on its way.
 * The tiles of AMX have both signs. */
static enum bm_status choose_signs(struct bm_prepared *prepared, const struct bm_parameters *parameters,
                                   struct bm_error *error) {
    static const char name[] = "UNSIGNED";
    const struct bm_dtype *dtype = prepared->the_case.dtype;
    for (unsigned i = 0; parameters != NULL && i < parameters->count; i++)
        if (!dtype->quantised_activations || strcmp(parameters->items[i].name, name) != 0 ||
            (uint64_t)parameters->items[i].value > 1)
            return bm_fail(error, BM_INVALID, "%s: onednn has no kernel parameter %s = %lld in %s",
                           prepared->the_case.workload->name, parameters->items[i].name,
                           (long long)parameters->items[i].value, dtype->name);
    prepared->quantised = dtype->quantised_activations;
    if (!prepared->quantised)
        return BM_OK;
    const int64_t fitting = !prepared->session->cpu.amx_int8;
    prepared->unsigned_activations =
        (parameters != NULL ? bm_parameters_get(parameters, name, fitting) : fitting) != 0;
    bm_parameters_set(&prepared->parameters, name, prepared->unsigned_activations);
    return BM_OK;
}

static enum bm_status begin(struct bm_session *session, const struct bm_case *the_case,
                            const struct bm_parameters *parameters, struct bm_prepared *prepared,
                            struct bm_error *error) {
    struct bm_library_shape shape;
    *prepared = (struct bm_prepared){.session = session, .the_case = *the_case};
    enum bm_status status = plan_case(the_case, &prepared->plan, error);
    if (status == BM_OK)
        status = choose_signs(prepared, parameters, error);
    if (status == BM_OK)
        status = shape_of(the_case, prepared->unsigned_activations, &shape, error);
    if (status == BM_OK)
        status = check_single_tensors(session, &prepared->plan, error);
    if (status != BM_OK)
        return status;
    if (prepared->quantised && !multiplies_int8_exactly(&session->cpu))
        return bm_fail(error, BM_UNSUPPORTED,
                       "without VNNI oneDNN adds pairs of int8 products in 16 bits, where they saturate");
    return bm_library_matmul_create(session->library, &shape, &prepared->matmul, error);
}

uint32_t bm_onednn_lacks(struct bm_session *session) {
    const struct bm_dtype *dtype;
    uint32_t lacks = 0;
    for (size_t i = 0; (dtype = bm_dtype_get(i)) != NULL; i++) {
        const struct bm_case small = {.workload = bm_workload_find("gemm"),
                                      .op = "qkv",
                                      .phase = BM_PHASE_PREFILL,
                                      .dtype = dtype,
                                      .batch = 1,
                                      .tokens = 16,
                                      .m = 16,
                                      .n = 64,
                                      .k = 64};
        struct bm_prepared candidate;
        if (begin(session, &small, NULL, &candidate, NULL) == BM_UNSUPPORTED)
            lacks |= (uint32_t)1 << i;
        bm_library_matmul_destroy(candidate.matmul);
    }
    return lacks;
}

static enum bm_status reserve(struct bm_session *session, const struct bm_prepared *candidate,
                              struct bm_error *error) {
    struct need needs[NEEDS_MOST];
    const size_t count = list_needs(session, candidate, needs);
    uint64_t total = reserved_bytes(session), usable = session->memory_bytes / 4 * 3;
    for (size_t i = 0; i < count; i++) {
        const uint64_t before = needs[i].shared->largest;
        if (needs[i].bytes > before)
            total += needs[i].bytes - before + (before == 0 ? needs[i].base : 0);
    }
    if (total > usable)
        return bm_fail(
            error, BM_NO_MEMORY, "needs %.2f GiB in all, and %.2f of the device's %.2f GiB may be used",
            (double)total / 0x1p30, (double)usable / 0x1p30, (double)session->memory_bytes / 0x1p30);
    for (size_t i = 0; i < count; i++)
        if (needs[i].shared->data != NULL && needs[i].bytes > needs[i].shared->largest)
            return bm_fail(error, BM_INTERNAL, "every case must be reserved before the first is prepared");
    for (size_t i = 0; i < count; i++)
        needs[i].shared->largest = larger(needs[i].shared->largest, needs[i].bytes);
    return BM_OK;
}

enum bm_status bm_onednn_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_error *error) {
    struct bm_prepared candidate;
    enum bm_status status = begin(session, the_case, parameters, &candidate, error);
    if (status == BM_OK)
        status = reserve(session, &candidate, error);
    bm_library_matmul_destroy(candidate.matmul);
    return status;
}

/* ---- preparing ---- */

/* The unit that does the arithmetic, from the library's name for what it chose. Without an instruction for
 * it, bf16 is converted to f32. */
static const char *pipe_of(const struct bm_prepared *prepared) {
    const struct bm_cpu *cpu = &prepared->session->cpu;
    const bool tiles = strstr(bm_library_matmul_name(prepared->matmul), "amx") != NULL;
    if (prepared->quantised)
        return tiles ? "i8_matrix" : "i8_dot";
    switch (prepared->the_case.dtype->weight) {
    case BM_ELEMENT_BF16:
        return tiles ? "bf16_matrix" : cpu->avx512_bf16 ? "bf16_dot" : "f32_vector";
    case BM_ELEMENT_F16:
        return tiles ? "f16_matrix" : "f32_vector";
    case BM_ELEMENT_F32:
    case BM_ELEMENT_I8:
    case BM_ELEMENT_I4:
        break;
    }
    return "f32_vector";
}

static enum bm_status take_inputs(struct bm_prepared *prepared, uint8_t **activations,
                                  struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_plan *plan = &prepared->plan;
    enum bm_status status = BM_OK;
    for (unsigned t = 0; status == BM_OK && t < plan->tensor_count; t++) {
        const enum bm_element element = plan->tensors[t].element;
        uint8_t *data;
        if (plan->tensors[t].role != BM_ROLE_HOT)
            continue;
        status = bm_onednn_hot_get(session, t, element, &data, error);
        if (t == BM_ACTIVATIONS)
            *activations = data;
        prepared->operands.values[t] = &session->values[element];
        prepared->operands.start[t] = bm_onednn_hot_start(t);
    }
    return status;
}

static enum bm_status bind(struct bm_prepared *prepared, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const enum bm_element element = prepared->plan.tensors[BM_WEIGHTS].element;
    uint8_t *activations = NULL, *arena;
    enum bm_status status = take_inputs(prepared, &activations, error);
    if (status == BM_OK)
        status = bm_onednn_arena_get(session, element, &arena, error);
    if (status == BM_OK)
        status = bm_onednn_map(&session->outputs, 2 * BM_GUARD_BYTES, error);
    if (status == BM_OK)
        status = bm_onednn_map(&session->scratch, 0, error);
    if (status == BM_OK && prepared->quantised) {
        status = bm_onednn_map(&session->quantised, 0, error);
        if (status == BM_OK)
            status = bm_onednn_map(&session->row_scales, 0, error);
        activations = session->quantised.data;
    }
    if (status != BM_OK)
        return status;
    prepared->operands.values[BM_WEIGHTS] = &session->values[element];
    prepared->corrections_at = (size_t)corrections_at(prepared);
    prepared->apart = (size_t)region_bytes(prepared);
    prepared->slots = prepared->the_case.hot ? 1 : arena_bytes(session, prepared) / prepared->apart;
    return bm_library_matmul_bind(prepared->matmul, activations, session->outputs.data + BM_GUARD_BYTES,
                                  session->scratch.data, arena, prepared->apart, (size_t)prepared->slots,
                                  error);
}

enum bm_status bm_onednn_prepare(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_prepared **prepared_out,
                                 struct bm_error *error) {
    struct need needs[NEEDS_MOST];
    *prepared_out = NULL;
    struct bm_prepared *prepared = bm_alloc(1, sizeof *prepared);
    if (prepared == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while preparing a case");
    enum bm_status status = begin(session, the_case, parameters, prepared, error);
    const size_t count = status == BM_OK ? list_needs(session, prepared, needs) : 0;
    for (size_t i = 0; status == BM_OK && i < count; i++)
        if (needs[i].bytes > needs[i].shared->largest)
            status = bm_fail(error, BM_INTERNAL, "the case was not reserved before it was prepared");
    if (status == BM_OK)
        status = bind(prepared, error);
    if (status != BM_OK) {
        bm_onednn_discard(prepared);
        return status;
    }
    bm_string_set(prepared->pipe, sizeof prepared->pipe, pipe_of(prepared));
    *prepared_out = prepared;
    return BM_OK;
}

void bm_onednn_discard(struct bm_prepared *prepared) {
    if (prepared == NULL)
        return;
    bm_library_matmul_destroy(prepared->matmul);
    free(prepared);
}
