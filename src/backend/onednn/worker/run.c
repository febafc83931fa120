#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quantise.h"
#include "session.h"

static int32_t *corrections_of(const struct bm_prepared *prepared, uint64_t slot) {
    const struct bm_tensor *weights = &prepared->plan.tensors[BM_WEIGHTS];
    uint8_t *packed = prepared->session->arena[weights->element].data + slot * prepared->apart;
    return (int32_t *)(void *)(packed + prepared->corrections_at);
}

/* One execution: what engines do for a matrix product of this contract. */
static enum bm_status execute(struct bm_prepared *prepared, uint64_t slot, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_case *c = &prepared->the_case;
    float *row_scales = (float *)(void *)session->row_scales.data;
    if (!prepared->quantised)
        return bm_library_matmul_run(prepared->matmul, (size_t)slot, error);
    bm_quantise_rows(
        &session->cpu, (const float *)(void *)session->hot[BM_ACTIVATIONS][c->dtype->activation].data, c->m,
        c->k, prepared->unsigned_activations ? BM_UNSIGNED_OFFSET : 0, session->quantised.data, row_scales);
    enum bm_status status = bm_library_matmul_run(prepared->matmul, (size_t)slot, error);
    if (status == BM_OK)
        bm_dequantise(&session->cpu, session->outputs.data + BM_GUARD_BYTES, c->m, c->n,
                      prepared->unsigned_activations ? corrections_of(prepared, slot) : NULL, row_scales,
                      (const float *)(void *)session->hot[BM_SCALES][c->dtype->scale].data);
    return status;
}

/* Weights of a slot: the values that follow those of the slots before it, packed. Fresh memory for the plain
 * ones would have to be cleared by the system each time, which takes longer than all else. */
static enum bm_status pack_slot(struct bm_prepared *prepared, uint64_t slot, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const struct bm_tensor *weights = &prepared->plan.tensors[BM_WEIGHTS];
    uint8_t *packed = session->arena[weights->element].data + slot * prepared->apart;
    const uint64_t bytes = bm_element_size(weights->element, weights->count);
    if (session->plain.largest < bytes) {
        bm_onednn_unmap(&session->plain);
        session->plain.largest = bytes;
    }
    enum bm_status status = bm_onednn_map(&session->plain, 0, error);
    if (status != BM_OK)
        return status;
    bm_onednn_fill(&session->values[weights->element], slot * weights->count, weights->count,
                   session->plain.data);
    if (prepared->unsigned_activations)
        bm_column_corrections((const int8_t *)session->plain.data, prepared->the_case.n, prepared->the_case.k,
                              BM_UNSIGNED_OFFSET, corrections_of(prepared, slot));
    return bm_library_matmul_pack(prepared->matmul, session->plain.data, packed, error);
}

static void poison(struct bm_session *session, const struct bm_tensor *outputs) {
    memset(session->outputs.data, BM_POISON,
           (size_t)bm_element_size(outputs->element, outputs->count) + 2 * BM_GUARD_BYTES);
    if (session->quantised.data != NULL)
        memset(session->quantised.data, BM_POISON, (size_t)session->quantised.largest);
}

enum bm_status bm_onednn_verify(struct bm_prepared *prepared, uint64_t seed,
                                struct bm_verification *verification, struct bm_error *error) {
    const uint64_t slot = seed % prepared->slots;
    struct bm_operands operands = prepared->operands;
    *verification = (struct bm_verification){0};
    enum bm_status status = pack_slot(prepared, slot, error);
    if (status != BM_OK)
        return status;
    poison(prepared->session, &prepared->plan.tensors[BM_OUTPUTS]);
    status = execute(prepared, slot, error);
    if (status != BM_OK)
        return status;
    operands.start[BM_WEIGHTS] = slot * prepared->plan.tensors[BM_WEIGHTS].count;
    return bm_verification_compare(&prepared->the_case, &prepared->plan, &operands, seed,
                                   prepared->session->outputs.data, verification, error);
}

/* Threads sleep between blocks. They are awake when the clock starts, and asleep again before the answer goes
 * out, as others measure on the same cores then. */
static void wake_threads(void) {
#pragma omp parallel
    { __asm__ volatile("" ::: "memory"); }
}

static void let_threads_sleep(void) {
    const struct timespec while_they_spin = {.tv_nsec = 700000};
    nanosleep(&while_they_spin, NULL);
}

enum bm_status bm_onednn_run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                             struct bm_error *error) {
    enum bm_status status = BM_OK;
    *block = (struct bm_block){0};
    bm_onednn_unmap(&prepared->session->plain);
    wake_threads();
    block->start_ns = bm_clock_now(&bm_clock_monotonic);
    for (uint64_t i = 0; status == BM_OK && i < launches; i++) {
        status = execute(prepared, prepared->next_slot, error);
        prepared->next_slot = prepared->next_slot + 1 == prepared->slots ? 0 : prepared->next_slot + 1;
    }
    block->host_ns = bm_clock_now(&bm_clock_monotonic) - block->start_ns;
    let_threads_sleep();
    if (status != BM_OK)
        *block = (struct bm_block){0};
    return status;
}
