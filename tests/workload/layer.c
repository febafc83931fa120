/* Runs the kernels of a decoder layer's other ops on the first OpenCL device and compares every result with
 * the reference: sizes with tails, odd ones, special values, planted faults.
 *
 *   test-workload-layer all|small [FAMILY]... */
#include "trial.h"

#include <math.h>
#include <string.h>

static const char *const formats[] = {"f32", "f16", "bf16"};

/* Most variants are a compilation of their own. In the first format the safe parameters of a CPU and of a
 * GPU, tunings 0 and 4, meet every shape, the others every second one; in the other formats all take turns.
 * Shapes that follow one another differ in what their sizes are multiples of, so that every tuning meets both
 * kinds. */
static bool takes_turn(size_t format, size_t tuning, size_t shape, bool small) {
    if (small)
        return true;
    return format > 0 ? (format + tuning + shape) % 4 == 0 : tuning % 4 == 0 || (tuning + shape) % 2 == 0;
}

static struct bm_case rows(const char *workload, const char *dtype, uint64_t m, uint64_t n) {
    return (struct bm_case){.workload = bm_workload_find(workload),
                            .model = "-",
                            .op = "test",
                            .phase = BM_PHASE_PREFILL,
                            .dtype = bm_dtype_find(dtype),
                            .m = m,
                            .n = n};
}

static struct bm_case heads(const char *workload, const char *dtype, const uint32_t shape[6]) {
    struct bm_case c = rows(workload, dtype, 0, 0);
    c.batch = shape[0];
    c.tokens = shape[1];
    c.heads = shape[2];
    c.kv_heads = shape[3];
    c.head_dim = shape[4];
    c.v_dim = shape[5];
    return c;
}

/* Tokens, query heads, KV heads, elements of a head. */
static struct bm_case head_norm(const char *dtype, const uint32_t shape[4]) {
    struct bm_case c = rows("rmsnorm", dtype, (uint64_t)shape[0] * (shape[1] + shape[2]), shape[3]);
    c.heads = shape[1];
    c.kv_heads = shape[2];
    return c;
}

static void run_rows(const char *const *workloads, size_t workload_count, const struct tuning *tunings,
                     size_t tuning_count, bool small) {
    static const uint64_t shapes[][2] = {{1, 1},   {3, 7},     {5, 64},   {1, 4096},
                                         {33, 80}, {130, 257}, {7, 5000}, {64, 1024}};
    static const uint64_t tiny[][2] = {{1, 1}, {3, 7}, {5, 40}};
    const uint64_t(*table)[2] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t w = 0; w < workload_count; w++)
        for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
            for (size_t t = 0; t < tuning_count; t++)
                for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                    if (!takes_turn(f, t, s, small))
                        continue;
                    const struct bm_case c = rows(workloads[w], formats[f], table[s][0], table[s][1]);
                    trial_run(&c, &tunings[t], NULL);
                    if (strcmp(workloads[w], "swiglu") == 0 && (small || f == 0))
                        trial_run_wide(&c, &tunings[t], 2);
                }
}

static void run_norm(bool small) {
    static const char *const workloads[] = {"rmsnorm", "layernorm"};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 ROWS=2 STREAMS=2 PREFETCH=0"},
                                            {false, false, "ROWS=3 STREAMS=8 NONTEMPORAL=0 PREFETCH=2"},
                                            {true, true, "VEC=4 LANES=8 ROWS=2"},
                                            {false, true, ""},
                                            {false, true, "VEC=1 LANES=64 ROWS=2 STREAMS=2 NONTEMPORAL=1"}};
    static const uint32_t shapes[][4] = {{1, 32, 8, 128}, {33, 5, 1, 80}, {2, 3, 3, 6}, {130, 4, 2, 64}};
    static const uint32_t tiny[][4] = {{1, 2, 1, 4}, {5, 4, 2, 24}};
    const uint32_t(*table)[4] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    run_rows(workloads, BM_COUNT_OF(workloads), tunings, BM_COUNT_OF(tunings), small);
    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!takes_turn(f, t, s, small))
                    continue;
                const struct bm_case c = head_norm(formats[f], table[s]);
                trial_run(&c, &tunings[t], NULL);
                trial_run_wide(&c, &tunings[t], 2);
            }
}

static void run_elementwise(bool small) {
    static const char *const workloads[] = {"swiglu", "gelu", "residual"};
    static const struct tuning tunings[] = {
        {false, false, ""},
        {true, false, "VEC=4 CHUNK=2 STREAMS=2 ROWS=1 PREFETCH=0"},
        {false, false, "CHUNK=3 STREAMS=4 ROWS=2 NONTEMPORAL=0 PREFETCH=1"},
        {true, true, "VEC=4 LANES=4"},
        {false, true, ""},
        {false, true, "VEC=2 LANES=32 STREAMS=2 CHUNK=3 ROWS=2"}};
    run_rows(workloads, BM_COUNT_OF(workloads), tunings, BM_COUNT_OF(tunings), small);
}

static void run_softmax(bool small) {
    static const char *const workloads[] = {"softmax"};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 CHUNK=2 STREAMS=2"},
                                            {false, false, "CHUNK=7 VEC=8 STREAMS=1 NONTEMPORAL=0"},
                                            {true, true, "VEC=4 LANES=4 CHUNK=1"},
                                            {false, true, ""},
                                            {false, true, "VEC=1 LANES=128 CHUNK=3"},
                                            {true, false, "VEC=4 CHUNK=1 STREAMS=1 WHOLE=1"},
                                            {true, true, "VEC=2 LANES=4 CHUNK=2 WHOLE=1"}};
    run_rows(workloads, BM_COUNT_OF(workloads), tunings, BM_COUNT_OF(tunings), small);
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) {
        const struct bm_case c = rows("softmax", formats[f], 2, 128256); /* a vocabulary */
        trial_run(&c, &tunings[0], NULL);
        trial_run(&c, &tunings[4], NULL);
        trial_run(&c, &(struct tuning){false, false, "WHOLE=1"}, NULL);
    }
}

static void run_embedding(bool small) {
    static const char *const workloads[] = {"embedding"};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 ROWS=2"},
                                            {true, true, "VEC=4 LANES=4"},
                                            {false, true, "VEC=1 LANES=64 ROWS=8 NONTEMPORAL=1"}};
    run_rows(workloads, BM_COUNT_OF(workloads), tunings, BM_COUNT_OF(tunings), small);
}

/* Batch, tokens, query heads, KV heads, sizes of heads. Of rope all heads are one kind. */
static void run_heads(bool small) {
    static const uint32_t shapes[][6] = {
        {1, 1, 40, 8, 128, 128}, {2, 17, 5, 1, 80, 80},  {3, 5, 0, 1, 576, 0},  {1, 65, 3, 3, 6, 10},
        {1, 1, 2, 1, 2, 1},      {2, 9, 4, 2, 192, 128}, {1, 128, 8, 8, 64, 64}};
    static const uint32_t tiny[][6] = {{2, 3, 4, 2, 8, 4}, {1, 2, 0, 1, 12, 0}, {1, 3, 1, 1, 2, 3}};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 CHUNK=3"},
                                            {false, false, "VEC=8 CHUNK=16 NONTEMPORAL=0"},
                                            {true, true, "VEC=2 LANES=4"},
                                            {false, true, ""},
                                            {false, true, "VEC=1 LANES=32 CHUNK=2 NONTEMPORAL=1"}};
    static const struct tuning kv_tunings[BM_COUNT_OF(tunings)] = {
        {false, false, ""},
        {true, false, "VEC=4 ROWS=2"},
        {false, false, "VEC=8 ROWS=1 NONTEMPORAL=0"},
        {true, true, "VEC=2 LANES=4"},
        {false, true, ""},
        {false, true, "VEC=1 LANES=32 ROWS=4"}};
    const uint32_t(*table)[6] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!takes_turn(f, t, s, small))
                    continue;
                struct bm_case c = heads("kv_write", formats[f], table[s]);
                trial_run(&c, &kv_tunings[t], NULL);
                if (f == 0)
                    trial_run_wide(&c, &kv_tunings[t], c.v_dim ? 3 : 2);
                c.kv = BM_KV_INT8;
                trial_run(&c, &kv_tunings[t], NULL);
                if (f == 0)
                    trial_run_wide(&c, &kv_tunings[t], c.v_dim ? 5 : 3);
                c.kv = BM_KV_DTYPE;
                c.workload = bm_workload_find("rope");
                c.heads = c.heads + c.kv_heads;
                trial_run(&c, &tunings[t], NULL);
            }
}

/* Batch, tokens, heads, keys and values of a head, elements that all share. */
static void run_expand(bool small) {
    static const uint32_t shapes[][6] = {{1, 1, 128, 192, 128, 64}, {2, 17, 5, 80, 80, 16},
                                         {1, 65, 3, 10, 6, 4},      {2, 9, 4, 192, 128, 64},
                                         {1, 128, 8, 48, 32, 16},   {3, 2, 1, 3, 1, 1}};
    static const uint32_t tiny[][6] = {{2, 3, 4, 12, 8, 4}, {1, 5, 1, 3, 1, 1}};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 ROWS=2 HEADS=3"},
                                            {false, false, "VEC=8 ROWS=1 NONTEMPORAL=0"},
                                            {true, true, "VEC=2 LANES=4 HEADS=2"},
                                            {false, true, ""},
                                            {false, true, "VEC=1 LANES=32 ROWS=4 HEADS=1"}};
    const uint32_t(*table)[6] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!takes_turn(f, t, s, small))
                    continue;
                const uint32_t *shape = table[s];
                struct bm_case c =
                    heads("kv_expand", formats[f],
                          (const uint32_t[]){shape[0], shape[1], shape[2], 0, shape[3], shape[4]});
                c.k = shape[5];
                trial_run(&c, &tunings[t], NULL);
                trial_run_wide(&c, &tunings[t], 4);
            }
}

static void run_topk(bool small) {
    static const uint64_t shapes[][5] = {/* rows, experts, chosen, groups, groups used */
                                         {1, 8, 2, 0, 0},   {33, 128, 8, 0, 0}, {5, 7, 7, 0, 0},
                                         {9, 1, 1, 0, 0},   {64, 256, 8, 8, 4}, {17, 30, 4, 5, 2},
                                         {3, 12, 12, 3, 3}, {200, 32, 1, 4, 1}, {130, 512, 10, 0, 0}};
    static const uint64_t tiny[][5] = {{3, 8, 2, 0, 0}, {2, 16, 4, 4, 2}, {2, 7, 3, 0, 0}};
    static const struct tuning tunings[] = {{false, false, ""},      {true, false, "VEC=4"},
                                            {false, false, "VEC=1"}, {true, true, "VEC=2 LANES=4"},
                                            {false, true, ""},       {false, true, "VEC=4 LANES=64"}};
    const uint64_t(*table)[5] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!takes_turn(f, t, s, small))
                    continue;
                struct bm_case c = rows("topk", formats[f], table[s][0], table[s][1]);
                c.k = table[s][2];
                c.groups = (uint32_t)table[s][3];
                c.groups_used = (uint32_t)table[s][4];
                trial_run(&c, &tunings[t], NULL);
            }
}

/* Tokens, outputs, experts, those of a token, a shared row; groups of 2 where experts are 8. */
static struct bm_case combine_case(const char *dtype, const uint64_t shape[5]) {
    struct bm_case c = rows("combine", dtype, shape[0], shape[1]);
    c.experts = (uint32_t)shape[2];
    c.top_k = (uint32_t)shape[3];
    c.k = shape[4];
    c.groups = c.experts == 8 ? 4 : 0;
    c.groups_used = c.groups / 2;
    c.routing = shape[0] % 2 ? BM_ROUTING_ZIPF : BM_ROUTING_UNIFORM;
    return c;
}

static void run_combine(bool small) {
    static const uint64_t shapes[][5] = {{1, 7168, 256, 8, 1}, {33, 80, 8, 2, 0},    {130, 257, 16, 4, 1},
                                         {5, 64, 1, 1, 0},     {7, 5000, 16, 16, 0}, {64, 1024, 8, 4, 1}};
    static const uint64_t tiny[][5] = {{1, 1, 1, 1, 1}, {5, 40, 8, 2, 0}, {3, 7, 4, 3, 1}};
    static const struct tuning tunings[] = {{false, false, ""},
                                            {true, false, "VEC=4 CHUNK=2 STREAMS=2 PREFETCH=0"},
                                            {false, false, "CHUNK=3 STREAMS=2 NONTEMPORAL=0 PREFETCH=3"},
                                            {true, true, "VEC=4 LANES=4"},
                                            {false, true, ""},
                                            {false, true, "VEC=2 LANES=32 STREAMS=2 CHUNK=3"}};
    const uint64_t(*table)[5] = small ? tiny : shapes;
    const size_t count = small ? BM_COUNT_OF(tiny) : BM_COUNT_OF(shapes);

    for (size_t f = 0; f < BM_COUNT_OF(formats); f++)
        for (size_t t = 0; t < BM_COUNT_OF(tunings); t++)
            for (size_t s = 0; s < count && (!small || tunings[t].small); s++) {
                if (!takes_turn(f, t, s, small))
                    continue;
                const struct bm_case c = combine_case(formats[f], table[s]);
                trial_run(&c, &tunings[t], NULL);
                if (f == 0)
                    trial_run_wide(&c, &tunings[t], 1);
            }
}

/* ---- inputs that are not normal ---- */

/* The values that the device and the reference are given, changed in place. */
static float *values_of(enum bm_element element, size_t *period) {
    struct bm_values *values = &trial_harness.values[element];
    if (!values->values && bm_values_init(values, element, 1 + element, NULL) != BM_OK)
        return NULL;
    *period = values->period;
    return values->values;
}

/* NaN and infinities come out where the reference has them. */
static void run_special(bool small) {
    static const char *const workloads[] = {"rmsnorm", "layernorm", "swiglu", "gelu",    "residual",
                                            "softmax", "embedding", "rope",   "kv_write"};
    static const struct tuning tunings[] = {{false, false, ""}, {false, true, ""}, {false, false, "VEC=1"}};
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) {
        size_t period;
        float *values = values_of(bm_dtype_find(formats[f])->activation, &period);
        if (!values)
            return;
        for (size_t i = 0; i < 40000; i += 997) { /* some rows have none, some have all three */
            values[i] = INFINITY;
            values[i + 17] = -INFINITY;
            values[i + 501] = NAN;
        }
        for (size_t w = 0; w < BM_COUNT_OF(workloads); w++)
            /* PoCL's scalar conversion to f16 makes a NaN of the very bits that mark what was never written.
             */
            for (size_t t = 0; t < BM_COUNT_OF(tunings) - (f == 1); t++) {
                const uint32_t shape[] = {1, 33, 6, 2, 64, 64};
                struct bm_case c = heads(workloads[w], formats[f], shape);
                c.m = 64; /* of rmsnorm: eight heads of eight tokens */
                c.n = 208;
                trial_run(&c, &tunings[t], NULL);
            }
        bm_values_fini(&trial_harness.values[bm_dtype_find(formats[f])->activation]);
    }
}

/* Logits of some ten thousands: exponentials must neither overflow nor lose the sum. Large activations too.
 */
static void run_large(bool small) {
    static const char *const workloads[] = {"softmax", "swiglu", "gelu", "rmsnorm"};
    static const struct tuning tunings[] = {{false, false, ""}, {false, true, ""}};
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) {
        const enum bm_element element = bm_dtype_find(formats[f])->activation;
        size_t period;
        float *values = values_of(element, &period);
        for (size_t w = 0; values && w < BM_COUNT_OF(workloads); w++)
            for (size_t t = 0; t < BM_COUNT_OF(tunings); t++) {
                /* products of two such would overflow an f16 */
                const float factor = w == 0 || element != BM_ELEMENT_F16 ? 1e4f : 50;
                for (size_t i = 0; i < period; i++) {
                    bm_element_store(element, &values[i], 0, values[i] * factor);
                    values[i] = bm_element_load(element, &values[i], 0);
                }
                const struct bm_case c = rows(workloads[w], formats[f], 40, 500);
                trial_run(&c, &tunings[t], NULL);
                bm_values_fini(&trial_harness.values[element]);
                values = values_of(element, &period);
            }
    }
}

/* ---- planted faults: the device computes with a term that is 0 ---- */

static void run_faults(bool small) {
    static const struct tuning plain = {false, false, ""};
    static const struct {
        const char *workload;
        struct harness_fault fault;
    } faults[] = {
        {"rmsnorm", {true, 1, 3 * 100 + 7, 1, 1}},
        {"rmsnorm", {true, 2, 99, 1, 1}},
        {"layernorm", {true, 1, 4 * 100 + 99, 1, 1}},
        {"layernorm", {true, 3, 0, 1, 1}},
        {"swiglu", {true, 1, 200 + 99, 1, 1}},
        {"swiglu", {true, 2, 200, 1, 1}},
        {"gelu", {true, 1, 499, 1, 1}},
        {"residual", {true, 1, 250, 1, 1}},
        {"residual", {true, 2, 499, 1, 1}},
        {"softmax", {true, 1, 301, 1, 1}},
        {"embedding", {true, 1, 499, 1, 1}},
        {"rope", {true, 1, 33, 1, 1}},
        {"rope", {true, 2, 31, 1, 1}},
        {"kv_write", {true, 1, 4 * 16 + 5, 1, 1}},
        {"topk", {true, 1, 0, 1, 500}},
    };
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++)
        for (size_t i = 0; i < BM_COUNT_OF(faults); i++) {
            const uint32_t shape[] = {1, 2, 4, 2, 16, 16};
            struct bm_case c = heads(faults[i].workload, formats[f], shape);
            c.m = 5;
            c.n = 100;
            c.k = 3;
            if (strcmp(faults[i].workload, "rmsnorm") == 0) /* of whole rows */
                c.heads = c.kv_heads = 0;
            trial_run(&c, &plain, &faults[i].fault);
        }
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) /* a head, weights of queries, of keys */
        for (unsigned tensor = 1; tensor <= 3; tensor++)
            for (unsigned gpu = 0; gpu < 2; gpu++) {
                const struct bm_case c = head_norm(formats[f], (const uint32_t[]){5, 4, 2, 64});
                trial_run(&c, &(struct tuning){false, gpu, ""},
                          &(struct harness_fault){true, tensor, tensor == 1 ? 30 * 64 - 1 : 63, 1, 1});
            }
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) /* of a key, of a value, of what all share */
        for (unsigned at = 0; at < 3; at++) {
            struct bm_case c = heads("kv_expand", formats[f], (const uint32_t[]){1, 2, 4, 0, 24, 16});
            c.k = 8;
            trial_run(&c, &plain,
                      &(struct harness_fault){true, at == 2 ? 2 : 1,
                                              (const uint64_t[]){32 + 15, 32 + 16, 9}[at], 1, 1});
        }
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) { /* the largest of a row that is quantised */
        const uint32_t shape[] = {1, 2, 4, 2, 16, 16};
        struct bm_case c = heads("kv_write", formats[f], shape);
        c.kv = BM_KV_INT8;
        for (unsigned lanes = 0; lanes < 2; lanes++)
            trial_run(&c, &(struct tuning){false, lanes, ""}, &(struct harness_fault){true, 1, 64, 16, 1});
    }
    for (size_t f = 0; f < BM_COUNT_OF(formats) && !small; f++) /* a row, a weight, what all share */
        for (unsigned tensor = 1; tensor <= 4; tensor += tensor) {
            const struct bm_case c = combine_case(formats[f], (const uint64_t[]){5, 100, 8, 2, 1});
            trial_run(&c, &plain, &(struct harness_fault){true, tensor, tensor == 2 ? 9 : 499, 1, 1});
        }
}

int main(int argc, char **argv) {
    static const struct trial_family families[] = {{"norm", run_norm},       {"elementwise", run_elementwise},
                                                   {"softmax", run_softmax}, {"embedding", run_embedding},
                                                   {"heads", run_heads},     {"topk", run_topk},
                                                   {"combine", run_combine}, {"expand", run_expand},
                                                   {"special", run_special}, {"large", run_large},
                                                   {"faults", run_faults}};
    return trial_main(argc, argv, families, BM_COUNT_OF(families));
}
