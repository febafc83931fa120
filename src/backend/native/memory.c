/* Memory of the native ceilings, in pages that lie near the threads that use them. */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 }; /* x86 with 64 bits, ARM with pages of 4 KiB */

bool bm_native_has_huge_pages(void) {
    char *text = NULL;
    size_t size;
    if (bm_file_read("/sys/kernel/mm/transparent_hugepage/enabled", 256, &text, &size, NULL) != BM_OK)
        return false;
    const bool given = strstr(text, "[never]") == NULL;
    free(text);
    return given;
}

struct bm_native_span bm_native_span(const struct bm_places *places, const struct bm_case *the_case) {
    struct bm_native_span span = {.first = 0, .count = places->count};
    if (the_case->node != 0) {
        span.count = 0;
        for (unsigned i = 0; i < places->count; i++)
            if (places->items[i].node + 1 == the_case->node && span.count++ == 0)
                span.first = i;
    } else if (the_case->threads != 0 && the_case->threads < places->count) {
        span.count = the_case->threads;
    }
    return span;
}

/* ---- what a case needs ---- */

static bool is_written(const struct bm_tensor *tensor) {
    return tensor->role == BM_ROLE_OUTPUT || tensor->role == BM_ROLE_SCRATCH;
}

/* Blocks of memory that lie near the threads of the span, or before them. */
static uint64_t blocks_before(const struct bm_native_memory *memory, unsigned thread, unsigned threads) {
    return bm_native_share(memory->count / BM_STREAM_BLOCK, thread, threads);
}

/* A case on all threads takes memory of its own size, so that each thread's part is what it touched first;
 * one on some of them the part of any memory that those touched. */
static bool serves(const struct bm_native_memory *memory, const struct bm_native_memory *wanted,
                   struct bm_native_span span, unsigned threads) {
    if (memory->tensor != wanted->tensor || memory->written != wanted->written ||
        memory->small_pages != wanted->small_pages)
        return false;
    if (span.count == threads)
        return memory->count == wanted->count;
    const uint64_t blocks =
        blocks_before(memory, span.first + span.count, threads) - blocks_before(memory, span.first, threads);
    return blocks * BM_STREAM_BLOCK >= wanted->count;
}

static struct bm_native_memory *find(struct bm_session *session, const struct bm_case *the_case,
                                     const struct bm_native_memory *wanted) {
    const struct bm_places *places = session->endpoint->places;
    const struct bm_native_span span = bm_native_span(places, the_case);
    for (unsigned i = 0; i < session->memory_count; i++)
        if (serves(&session->memories[i], wanted, span, places->count))
            return &session->memories[i];
    return NULL;
}

static uint64_t whole_blocks(uint64_t elements) {
    return (elements + BM_STREAM_BLOCK - 1) / BM_STREAM_BLOCK * BM_STREAM_BLOCK;
}

static struct bm_native_memory wanted_for(const struct bm_case *the_case, const struct bm_plan *plan,
                                          unsigned t) {
    return (struct bm_native_memory){.count = whole_blocks(plan->tensors[t].count),
                                     .tensor = t,
                                     .written = is_written(&plan->tensors[t]),
                                     .small_pages = the_case->small_pages};
}

/* Of all threads, of which those of the span have enough. */
static struct bm_native_memory grown_for(const struct bm_session *session, const struct bm_case *the_case,
                                         struct bm_native_memory wanted) {
    const struct bm_places *places = session->endpoint->places;
    const struct bm_native_span span = bm_native_span(places, the_case);
    if (span.count < places->count)
        wanted.count =
            whole_blocks(wanted.count / span.count + 2 * (uint64_t)BM_STREAM_BLOCK) * places->count;
    return wanted;
}

static uint64_t bytes_of(const struct bm_native_memory *memory) {
    return memory->count * sizeof(float) + 2 * BM_GUARD_BYTES;
}

enum bm_status bm_native_reserve(struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_parameters *parameters, struct bm_error *error) {
    (void)parameters; /* no kernel needs more than another */
    struct bm_plan plan;
    enum bm_status status = bm_native_check(session, the_case, error);
    if (status == BM_OK)
        status = the_case->workload->plain(the_case, &plan, error);
    if (status != BM_OK)
        return status;
    uint64_t total = 0, usable = session->endpoint->memory_bytes / 4 * 3;
    struct bm_native_memory more[BM_NATIVE_TENSORS];
    unsigned count = 0;
    for (unsigned i = 0; i < session->memory_count; i++)
        total += bytes_of(&session->memories[i]);
    for (unsigned t = 0; t < plan.tensor_count; t++) {
        const struct bm_native_memory wanted = wanted_for(the_case, &plan, t);
        if (find(session, the_case, &wanted) != NULL)
            continue;
        more[count] = grown_for(session, the_case, wanted);
        total += bytes_of(&more[count++]);
    }
    if (total > usable)
        return bm_fail(error, BM_NO_MEMORY,
                       "needs %.2f GiB in all, and %.2f of the device's %.2f GiB may be used",
                       (double)total / 0x1p30, (double)usable / 0x1p30,
                       (double)session->endpoint->memory_bytes / 0x1p30);
    if (session->memory_count + count > BM_NATIVE_MEMORIES)
        return bm_fail(error, BM_NO_MEMORY, "more than %d sizes of memory", (int)BM_NATIVE_MEMORIES);
    for (unsigned i = 0; i < count; i++)
        session->memories[session->memory_count++] = more[i];
    return BM_OK;
}

/* ---- mapping, touching and filling it ---- */

static enum bm_status map(struct bm_native_memory *memory, struct bm_error *error) {
    size_t bytes = (size_t)bytes_of(memory) + HUGE_PAGE;
    uint8_t *mapped =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return bm_fail_native(error, BM_NO_MEMORY, errno, "mmap", "cannot map %.2f GiB: %s",
                              (double)bytes / 0x1p30, strerror(errno));
    /* Advice: where it is refused pages are what the system makes them. */
    (void)!madvise(mapped, bytes, memory->small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    memory->mapped = mapped;
    memory->mapped_bytes = bytes;
    const uintptr_t start = ((uintptr_t)mapped + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    memory->data =
        (float *)(void *)(mapped + (start - (uintptr_t)mapped) + (memory->written ? BM_GUARD_BYTES : 0));
    return BM_OK;
}

struct filling {
    const struct bm_native_memory *memory;
    const struct bm_values *values;
    uint64_t start;
};

/* Each thread what it will use when all work on the whole. */
static void fill_share(void *context, unsigned thread, unsigned count) {
    const struct filling *filling = context;
    const struct bm_native_memory *memory = filling->memory;
    const uint64_t blocks = memory->count / BM_STREAM_BLOCK;
    const uint64_t first = bm_native_share(blocks, thread, count) * BM_STREAM_BLOCK;
    const uint64_t end = bm_native_share(blocks, thread + 1, count) * BM_STREAM_BLOCK;
    if (memory->written) {
        memset(memory->data + first, BM_POISON, (size_t)(end - first) * sizeof(float));
        return;
    }
    size_t at = (size_t)((filling->start + first) % filling->values->period);
    for (uint64_t i = first; i < end; i++) {
        memory->data[i] = filling->values->values[at];
        at = at + 1 == filling->values->period ? 0 : at + 1;
    }
}

/* Sources of one plan begin at different values. */
static uint64_t start_of(unsigned tensor) {
    return (uint64_t)(tensor + 1) * 1000003;
}

static enum bm_status create(struct bm_session *session, struct bm_native_memory *memory,
                             struct bm_error *error) {
    enum bm_status status = BM_OK;
    uint64_t start_ns, ns;
    if (session->values.values == NULL)
        status = bm_values_init(&session->values, BM_ELEMENT_F32, session->options.seed, error);
    if (status == BM_OK)
        status = map(memory, error);
    if (status != BM_OK)
        return status;
    struct filling filling = {
        .memory = memory, .values = &session->values, .start = start_of(memory->tensor)};
    bm_team_run(session->team, 0, session->endpoint->places->count, fill_share, &filling, &start_ns, &ns);
    return BM_OK;
}

enum bm_status bm_native_take_memory(struct bm_prepared *prepared, struct bm_error *error) {
    struct bm_session *session = prepared->session;
    const unsigned all = session->endpoint->places->count;
    enum bm_status status = BM_OK;
    prepared->span = bm_native_span(session->endpoint->places, &prepared->the_case);
    for (unsigned t = 0; status == BM_OK && t < prepared->plan.tensor_count; t++) {
        const struct bm_native_memory wanted = wanted_for(&prepared->the_case, &prepared->plan, t);
        struct bm_native_memory *memory = find(session, &prepared->the_case, &wanted);
        if (memory == NULL)
            return bm_fail(error, BM_INTERNAL, "the case was not reserved before it was prepared");
        if (memory->data == NULL)
            status = create(session, memory, error);
        const uint64_t first = blocks_before(memory, prepared->span.first, all) * BM_STREAM_BLOCK;
        prepared->data[t] = memory->data != NULL ? memory->data + first : NULL;
        prepared->operands.values[t] = &session->values;
        prepared->operands.start[t] = start_of(t) + first;
    }
    return status;
}

void bm_native_memory_fini(struct bm_session *session) {
    for (unsigned i = 0; i < session->memory_count; i++)
        if (session->memories[i].mapped != NULL)
            munmap(session->memories[i].mapped, session->memories[i].mapped_bytes);
    bm_values_fini(&session->values);
}
