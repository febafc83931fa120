/* How mamba_scan runs on a device: kernels/scan.cl and, in decode, scan_step.cl, whose comments tell the
 * layouts. */
#include "scan.h"

enum { TILE = 4 }; /* as in the kernel */

/* Decode has the first four, prefill VEC and the others. SLICES 0: a head on one work-item. */
const struct bm_tunable bm_scan_tunables[BM_SCAN_TUNABLES] = {
    {"VEC", 1, 16, true},         {"STREAMS", 1, 8, true},      {"SLICES", 0, 64, false},
    {"NONTEMPORAL", 0, 1, false}, {"CHUNK_T", TILE, 256, true}, {"HEADS", 1, 64, false},
    {"PART", 1, 256, false},      {"COLUMN_TILE", 1, 8, false}, {"BLOCK_N", TILE, 1024, true},
    {"LANES", 1, 1024, true},
};

void bm_scan_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                             struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 64 && target->local_bytes >= 32768;
    const uint64_t vec = bm_power_of_two_divisor(c->head_dim, 4);
    uint64_t slices = 8, heads = 4;
    while (slices > 1 && c->head_dim / vec * slices > target->max_group_items)
        slices /= 2;
    /* Every unit has some groups to itself. */
    while (heads > 1 && (uint64_t)c->batch * c->heads / heads < UINT64_C(4) * target->compute_units)
        heads /= 2;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", grouped ? 4 : 16);
    bm_parameters_set(parameters, "STREAMS", grouped ? 1 : 2);
    bm_parameters_set(parameters, "SLICES",
                      grouped && c->head_dim / vec * slices <= target->max_group_items ? (int64_t)slices : 0);
    bm_parameters_set(parameters, "NONTEMPORAL", !grouped && !c->hot);
    bm_parameters_set(parameters, "CHUNK_T", grouped ? 16 : 32);
    bm_parameters_set(parameters, "HEADS", grouped ? 1 : (int64_t)heads);
    bm_parameters_set(parameters, "PART", grouped ? 4 : 64);
    bm_parameters_set(parameters, "COLUMN_TILE", grouped ? 1 : 5);
    bm_parameters_set(parameters, "BLOCK_N", grouped ? 1024 : 128);
    bm_parameters_set(parameters, "LANES", grouped ? 64 : 1);
}

static uint64_t divisor(uint64_t value, uint64_t most) {
    while (value % most)
        most--;
    return most;
}

static uint64_t get(const struct bm_parameters *p, const char *name) {
    return (uint64_t)bm_parameters_get(p, name, 1);
}

static void set(struct bm_parameters *p, const char *name, uint64_t value) {
    bm_parameters_set(p, name, (int64_t)value);
}

static enum bm_status fit_step(const struct bm_case *c, const struct bm_target *target,
                               struct bm_parameters *p, struct bm_error *error) {
    const uint64_t streams = bm_power_of_two_divisor(c->n, get(p, "STREAMS"));
    uint64_t slices = get(p, "SLICES");
    if (slices)
        slices = divisor(c->n / streams, slices);
    set(p, "STREAMS", streams);
    set(p, "SLICES", slices);
    const uint64_t items = c->head_dim / get(p, "VEC") * slices;
    enum bm_status status = bm_tunables_check_group("mamba_scan", (int64_t)items, target, error);
    if (!status && items)
        status = bm_tunables_check_local("mamba_scan", items * get(p, "VEC") * sizeof(float), target, error);
    return status;
}

/* Bytes of the kernel's struct scan_state. */
static uint64_t state_bytes(const struct bm_case *c, const struct bm_parameters *p) {
    const uint64_t chunk = get(p, "CHUNK_T"), part = get(p, "PART") * get(p, "VEC");
    return sizeof(float) * (2 * chunk * c->n + 3 * chunk * part + 2 * chunk * chunk + 4 * chunk +
                            get(p, "HEADS") * c->n * part);
}

static enum bm_status fit_chunks(const struct bm_case *c, const struct bm_target *target,
                                 struct bm_parameters *p, struct bm_error *error) {
    uint64_t chunk = get(p, "CHUNK_T");
    const uint64_t lanes = get(p, "LANES");

    while (chunk > TILE && chunk / 2 >= c->tokens)
        chunk /= 2;
    for (;; chunk /= 2) {
        const uint64_t vec = bm_power_of_two_divisor(chunk, get(p, "VEC"));
        const uint64_t part = divisor(c->head_dim / vec, get(p, "PART"));
        set(p, "CHUNK_T", chunk);
        set(p, "VEC", vec);
        set(p, "PART", part);
        set(p, "COLUMN_TILE", divisor(part, get(p, "COLUMN_TILE")));
        set(p, "HEADS", divisor(c->heads / c->groups, get(p, "HEADS")));
        set(p, "BLOCK_N", bm_power_of_two_divisor(c->n, get(p, "BLOCK_N")));
        if (lanes == 1 || chunk == TILE || state_bytes(c, p) <= target->local_bytes)
            break;
    }
    enum bm_status status = bm_tunables_check_group("mamba_scan", (int64_t)lanes, target, error);
    if (!status && lanes > 1)
        status = bm_tunables_check_local("mamba_scan", state_bytes(c, p), target, error);
    return status;
}

static void give_pitches(const struct bm_case *c, struct bm_launch *launch) {
    bm_launch_pitch(launch, BM_SCAN_OUT, (uint64_t)c->heads * c->head_dim);
    bm_launch_pitch(launch, BM_SCAN_ROWS, bm_scan_width(c));
    bm_launch_pitch(launch, BM_SCAN_STEPS, c->heads);
}

static void launch_step(const struct bm_case *c, struct bm_plan *plan) {
    const uint64_t slices = get(&plan->parameters, "SLICES");
    struct bm_launch *launch = bm_plan_launch(plan, "scan_step", 2);

    set(&plan->defines, "GROUPED", slices > 0);
    set(&plan->defines, "SLICES", slices ? slices : 1);
    launch->local[0] = slices ? c->head_dim / get(&plan->parameters, "VEC") * slices : 1;
    launch->global[0] = c->heads * launch->local[0];
    launch->global[1] = c->batch;
    for (unsigned t = BM_SCAN_OUT; t <= BM_SCAN_BEFORE; t++)
        bm_launch_tensor(launch, plan, t);
    give_pitches(c, launch);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->groups);
}

static void launch_chunks(const struct bm_case *c, struct bm_plan *plan) {
    const uint64_t part = get(&plan->parameters, "PART") * get(&plan->parameters, "VEC");
    struct bm_launch *launch = bm_plan_launch(plan, "scan_chunks", 3);

    set(&plan->defines, "PART_DIM", part);
    launch->local[0] = get(&plan->parameters, "LANES");
    launch->global[0] = c->head_dim / part * launch->local[0];
    launch->global[1] = c->heads / get(&plan->parameters, "HEADS");
    launch->global[2] = c->batch;
    for (unsigned t = BM_SCAN_OUT; t <= BM_SCAN_HEADS; t++)
        bm_launch_tensor(launch, plan, t);
    give_pitches(c, launch);
    bm_launch_uint(launch, c->tokens);
    bm_launch_uint(launch, c->heads);
    bm_launch_uint(launch, c->groups);
}

enum bm_status bm_scan_plan(const struct bm_case *c, const struct bm_target *target,
                            const struct bm_parameters *given, struct bm_plan *plan, struct bm_error *error) {
    const bool decode = c->phase == BM_PHASE_DECODE;
    struct bm_parameters safe, p;

    *plan = (struct bm_plan){0};
    enum bm_status status = c->workload->validate(c, error);
    if (!status)
        status = bm_dtype_check_plain("mamba_scan", c->dtype, BM_ELEMENT_BF16, error);
    if (status)
        return status;
    bm_scan_safe_parameters(c, target, &safe);
    status = bm_tunables_resolve("mamba_scan", bm_scan_tunables, BM_SCAN_TUNABLES, &safe, given, &p, error);
    if (status)
        return status;
    set(&p, "VEC", bm_power_of_two_divisor(c->n, bm_power_of_two_divisor(c->head_dim, get(&p, "VEC"))));
    status = decode ? fit_step(c, target, &p, error) : fit_chunks(c, target, &p, error);
    if (status)
        return status;

    const uint64_t tokens = (uint64_t)c->batch * bm_scan_tokens(c), states = c->heads * c->n * c->head_dim;
    const enum bm_element element = c->dtype->activation;
    const bool grouped = decode ? get(&p, "SLICES") > 0 : get(&p, "LANES") > 1;
    bm_plan_begin(plan, decode ? "scan_step.cl" : "scan.cl",
                  grouped  ? decode ? "group_step" : "group_chunks"
                  : decode ? "item_step"
                           : "item_chunks",
                  "f32_vector", &p);
    set(&plan->defines, "HEAD_DIM", c->head_dim);
    set(&plan->defines, "STATE", c->n);
    bm_parameters_set(&plan->defines, "FORMAT", element);
    bm_plan_tensor(plan, "outputs", c->dtype->output, BM_ROLE_OUTPUT, tokens * c->heads * c->head_dim);
    bm_plan_rotating_output(plan, "states", BM_ELEMENT_F32, c->batch * states);
    bm_plan_tensor(plan, "rows", element, BM_ROLE_HOT, tokens * bm_scan_width(c));
    bm_plan_tensor(plan, "steps", element, BM_ROLE_COLD, tokens * c->heads);
    bm_plan_tensor(plan, "heads", BM_ELEMENT_F32, BM_ROLE_HOT, UINT64_C(3) * c->heads);
    if (decode) {
        bm_plan_tensor(plan, "states before", BM_ELEMENT_F32, BM_ROLE_COLD, c->batch * states);
        launch_step(c, plan);
    } else {
        launch_chunks(c, plan);
    }
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}
