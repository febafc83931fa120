/* Which kernels serve a case on this CPU: the tables, filtered. */
#include <string.h>

#include "native.h"

static bool is_workload(const struct bm_case *the_case, const char *name) {
    return strcmp(the_case->workload->name, name) == 0;
}

static bool does(const struct bm_stream_kernel *kernel, const struct bm_case *the_case) {
    if (is_workload(the_case, "cache"))
        return kernel->again != NULL;
    return strcmp(the_case->op, "read") == 0    ? kernel->read != NULL
           : strcmp(the_case->op, "write") == 0 ? kernel->write != NULL
           : strcmp(the_case->op, "copy") == 0  ? kernel->copy != NULL
                                                : kernel->triad != NULL;
}

/* Portable kernels are for CPUs that have no others. */
static bool allowed(const struct bm_session *session, enum bm_form form) {
    if (form == BM_FORM_PORTABLE)
        return !BM_NATIVE_X86 || !session->cpu.avx2;
    return bm_form_allowed(form, &session->cpu);
}

static void describe_stream(const struct bm_stream_kernel *kernel, struct bm_parameters *parameters) {
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "BITS", kernel->bits);
    bm_parameters_set(parameters, "STREAMS", kernel->streams);
    bm_parameters_set(parameters, "NONTEMPORAL", kernel->nontemporal);
    bm_parameters_set(parameters, "PREFETCH", kernel->ahead);
}

static void describe_fma(const struct bm_fma_kernel *kernel, struct bm_parameters *parameters) {
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "BITS", kernel->bits);
    bm_parameters_set(parameters, "CHAINS", kernel->chains);
    bm_parameters_set(parameters, "VEX", kernel->form == BM_FORM_AVX_VNNI); /* without AVX-512 */
}

/* Number `index` of the kernels for the case; false past the end. */
static bool find(const struct bm_session *session, const struct bm_case *the_case, size_t index,
                 const struct bm_stream_kernel **stream, const struct bm_fma_kernel **fma) {
    *stream = NULL;
    *fma = NULL;
    if (is_workload(the_case, "fma")) {
        for (size_t i = 0; (*fma = bm_fma_kernel_get(i)) != NULL; i++)
            if (strcmp((*fma)->pipe, the_case->op) == 0 && allowed(session, (*fma)->form) && index-- == 0)
                return true;
        return false;
    }
    for (size_t i = 0; (*stream = bm_stream_kernel_get(i)) != NULL; i++)
        if (does(*stream, the_case) && allowed(session, (*stream)->form) && index-- == 0)
            return true;
    return false;
}

static bool is_own(const struct bm_case *the_case) {
    return is_workload(the_case, "stream") || is_workload(the_case, "cache") || is_workload(the_case, "fma");
}

enum bm_status bm_native_check(const struct bm_session *session, const struct bm_case *the_case,
                               struct bm_error *error) {
    const struct bm_stream_kernel *stream;
    const struct bm_fma_kernel *fma;
    const bool matrix = is_workload(the_case, "fma") && strstr(the_case->op, "_matrix") != NULL;
    struct bm_plan plan;
    if (!is_own(the_case) || the_case->workload->plain == NULL)
        return bm_fail(error, BM_UNSUPPORTED, "native measures ceilings of the CPU, no %s",
                       the_case->workload->name);
    enum bm_status status = the_case->workload->plain(the_case, &plan, error);
    if (status != BM_OK)
        return status;
    if (!find(session, the_case, 0, &stream, &fma))
        return bm_fail(error, BM_UNSUPPORTED, "the CPU has no instructions for %s%s%s", the_case->op,
                       session->endpoint->isa != BM_ISA_ANY ? " within the cap " : "",
                       bm_isa_name(session->endpoint->isa));
    if (matrix && !session->amx_given)
        return bm_fail(error, BM_UNSUPPORTED, "the kernel does not give this process the tiles of AMX");
    if (matrix && the_case->k % 2 != 0)
        return bm_fail(error, BM_INVALID, "%s takes an even number of steps", the_case->op);
    if (the_case->small_pages && !bm_native_has_huge_pages())
        return bm_fail(error, BM_UNSUPPORTED, "this system has no other pages than small ones");
    return BM_OK;
}

size_t bm_native_candidates(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *candidates, size_t capacity) {
    const struct bm_stream_kernel *stream;
    const struct bm_fma_kernel *fma;
    size_t count = 0;
    for (; count < capacity && find(session, the_case, count, &stream, &fma); count++)
        if (fma != NULL)
            describe_fma(fma, &candidates[count]);
        else
            describe_stream(stream, &candidates[count]);
    return count;
}

static bool equal(const struct bm_parameters *a, const struct bm_parameters *b) {
    for (unsigned i = 0; i < b->count; i++) /* none that does not exist */
        if (bm_parameters_get(a, b->items[i].name, INT64_MIN) != b->items[i].value)
            return false;
    return true;
}

enum bm_status bm_native_choose(struct bm_prepared *prepared, const struct bm_parameters *parameters,
                                struct bm_error *error) {
    struct bm_plan *plan = &prepared->plan;
    for (size_t i = 0; find(prepared->session, &prepared->the_case, i, &prepared->stream, &prepared->fma);
         i++) {
        if (prepared->fma != NULL)
            describe_fma(prepared->fma, &prepared->parameters);
        else
            describe_stream(prepared->stream, &prepared->parameters);
        if (parameters != NULL && !equal(&prepared->parameters, parameters))
            continue;
        const enum bm_form form = prepared->fma != NULL ? prepared->fma->form : prepared->stream->form;
        bm_string_set(plan->variant, sizeof plan->variant, bm_form_name(form));
        if (prepared->fma == NULL)
            bm_parameters_set(&prepared->parameters, "HUGE_PAGES",
                              bm_native_has_huge_pages() && !prepared->the_case.small_pages);
        prepared->parameters_from = parameters != NULL ? "tuned" : "safe";
        return BM_OK;
    }
    return bm_fail(error, BM_INVALID, "%s: native has no kernel with these parameters",
                   prepared->the_case.op);
}
