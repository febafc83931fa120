/* The workloads, listed once. */
#include <string.h>

#include "internal.h"

static const struct bm_workload *const workloads[] = {
    &bm_workload_gemm, &bm_workload_gemv, &bm_workload_attention, &bm_workload_stream, &bm_workload_fma,
};

const struct bm_workload *bm_workload_find(const char *name) {
    for (size_t i = 0; i < BM_COUNT_OF(workloads); i++)
        if (!strcmp(workloads[i]->name, name))
            return workloads[i];
    return NULL;
}

const struct bm_workload *bm_workload_get(size_t index) {
    return index < BM_COUNT_OF(workloads) ? workloads[index] : NULL;
}

size_t bm_ceiling_cases(uint64_t working_set, struct bm_case *cases, size_t capacity) {
    static const struct {
        const struct bm_workload *workload;
        const char *op;
    } ceilings[] = {
        {&bm_workload_stream, "read"},
        {&bm_workload_stream, "copy"},
        {&bm_workload_fma, "f32_vector"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(ceilings) && i < capacity; i++) {
        cases[i] = (struct bm_case){.workload = ceilings[i].workload, .model = "-"};
        bm_string_set(cases[i].op, sizeof(cases[i].op), ceilings[i].op);
        if (ceilings[i].workload == &bm_workload_stream)
            cases[i].working_set = working_set;
    }
    return BM_COUNT_OF(ceilings);
}
