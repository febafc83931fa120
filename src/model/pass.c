/* pass.c - adds operations to a pass: merges equal ones, makes their cases, keeps sizes sane. */
#include "pass.h"

#include <string.h>

/* Elements of one matrix or cache: 2^44 are 64 TiB of f32, past any device, and far from overflowing a
 * product. */
#define MAX_ELEMENTS ((uint64_t)1 << 44)

static struct bm_op *add(struct bm_pass *pass, const char *name, uint64_t count) {
    if (pass->status != BM_OK || count == 0)
        return NULL;
    if (pass->count == BM_MAX_OPS) {
        pass->status =
            bm_fail(pass->error, BM_INTERNAL, "%s: more than %d operations", pass->model->id, BM_MAX_OPS);
        return NULL;
    }
    struct bm_op *op = &pass->ops[pass->count++];
    memset(op, 0, sizeof *op);
    bm_string_set(op->name, sizeof op->name, name);
    op->count = (double)count;
    return op;
}

/* The last operation added joins an earlier one of the same name and work. */
static void merge_last(struct bm_pass *pass) {
    const struct bm_op *last = &pass->ops[pass->count - 1];
    for (size_t i = 0; i + 1 < pass->count; i++) {
        struct bm_op *op = &pass->ops[i];
        if (strcmp(op->name, last->name) != 0 || op->has_case != last->has_case ||
            (op->has_case && !bm_case_same_work(&op->the_case, &last->the_case)))
            continue;
        op->count += last->count;
        memset(&pass->ops[--pass->count], 0, sizeof *last);
        return;
    }
}

static bool has_weights(const char *workload) {
    return strcmp(workload, "gemm") == 0 || strcmp(workload, "gemv") == 0 ||
           strcmp(workload, "grouped_gemm") == 0;
}

/* tokens: rows of the operation a sequence. Axes that have no part in the operation stay 0, so that requests
 * of different contexts share the rows that do not depend on it. */
static void set_case(struct bm_pass *pass, struct bm_op *op, const char *workload, uint32_t tokens) {
    const struct bm_request *request = pass->request;
    struct bm_case *the_case = &op->the_case;
    op->has_case = true;
    the_case->workload = bm_workload_find(workload);
    if (the_case->workload == NULL) {
        pass->status = bm_fail(pass->error, BM_INTERNAL, "no workload named %s", workload);
        return;
    }
    bm_string_set(the_case->model, sizeof the_case->model, pass->model->id);
    bm_string_set(the_case->op, sizeof the_case->op, op->name);
    the_case->phase = request->phase;
    /* What has no weights runs in the format of the activations, whatever that of the weights: all contracts
     * with the same activations then share one measurement. */
    the_case->dtype = has_weights(workload) ? request->dtype : bm_dtype_of_activations(request->dtype);
    the_case->batch = request->batch;
    the_case->tokens = tokens;
}

/* The workload has the last word on its own axes. */
static void finish_case(struct bm_pass *pass, const struct bm_op *op) {
    if (pass->status == BM_OK)
        pass->status = op->the_case.workload->validate(&op->the_case, pass->error);
    if (pass->status == BM_OK)
        merge_last(pass);
}

static void check_elements(struct bm_pass *pass, const char *name, uint64_t a, uint64_t b) {
    uint64_t elements;
    if (pass->status != BM_OK || (!__builtin_mul_overflow(a, b, &elements) && elements <= MAX_ELEMENTS))
        return;
    pass->status =
        bm_fail(pass->error, BM_INVALID,
                "%s: %s would have %llu x %llu elements, above 2^44; lower --batch, --tokens or --context",
                pass->model->id, name, (unsigned long long)a, (unsigned long long)b);
}

void bm_pass_add(struct bm_pass *pass, const char *name, uint64_t count) {
    if (add(pass, name, count) != NULL)
        merge_last(pass);
}

void bm_pass_matmul(struct bm_pass *pass, const char *name, uint64_t count, uint64_t m, uint64_t n,
                    uint64_t k) {
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return;
    check_elements(pass, name, m, n);
    check_elements(pass, name, m, k);
    check_elements(pass, name, n, k);
    if (pass->status == BM_OK)
        set_case(pass, op, m == 1 ? "gemv" : "gemm", (uint32_t)(m / pass->request->batch));
    op->the_case.m = m;
    op->the_case.n = n;
    op->the_case.k = k;
    finish_case(pass, op);
}

static uint32_t new_tokens(const struct bm_request *request) {
    return request->phase == BM_PHASE_DECODE ? 1 : request->tokens;
}

/* An operation without weights on m rows: one a token, one a sequence, or those of a token's experts. */
static struct bm_op *add_rows(struct bm_pass *pass, const char *name, const char *workload, uint64_t count,
                              uint64_t m, uint64_t n) {
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return NULL;
    check_elements(pass, name, m, n);
    if (pass->status == BM_OK)
        set_case(pass, op, workload, m == pass->request->batch ? 1 : new_tokens(pass->request));
    op->the_case.m = m;
    op->the_case.n = n;
    return op;
}

void bm_pass_rows(struct bm_pass *pass, const char *name, const char *workload, uint64_t count, uint64_t m,
                  uint64_t n) {
    const struct bm_op *op = add_rows(pass, name, workload, count, m, n);
    if (op != NULL)
        finish_case(pass, op);
}

void bm_pass_head_norm(struct bm_pass *pass, uint64_t count, uint64_t m) {
    const struct bm_model *model = pass->model;
    const uint64_t heads = (uint64_t)model->heads + model->kv_heads;
    struct bm_op *op = add_rows(pass, "qk_norm", "rmsnorm", count, m * heads, model->head_dim);
    if (op == NULL)
        return;
    op->the_case.heads = model->heads;
    op->the_case.kv_heads = model->kv_heads;
    finish_case(pass, op);
}

void bm_pass_topk(struct bm_pass *pass, uint64_t count, uint64_t m) {
    const struct bm_model *model = pass->model;
    struct bm_op *op = add_rows(pass, "top_k", "topk", count, m, model->experts);
    if (op == NULL)
        return;
    op->the_case.k = model->experts_per_token;
    op->the_case.groups = model->expert_groups;
    op->the_case.groups_used = model->expert_groups_used;
    finish_case(pass, op);
}

static struct bm_op *add_heads(struct bm_pass *pass, const char *name, const char *workload, uint64_t count,
                               uint32_t heads, uint32_t head_dim) {
    const uint32_t tokens = new_tokens(pass->request);
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return NULL;
    check_elements(pass, name, (uint64_t)pass->request->batch * tokens, (uint64_t)heads * head_dim);
    if (pass->status == BM_OK)
        set_case(pass, op, workload, tokens);
    op->the_case.heads = heads;
    op->the_case.head_dim = head_dim;
    return op;
}

void bm_pass_rope(struct bm_pass *pass, const char *name, uint64_t count, uint32_t heads, uint32_t head_dim) {
    const struct bm_op *op = add_heads(pass, name, "rope", count, heads, head_dim);
    if (op != NULL)
        finish_case(pass, op);
}

void bm_pass_kv_write(struct bm_pass *pass, uint64_t count, uint32_t heads, uint32_t kv_heads,
                      uint32_t head_dim, uint32_t v_dim) {
    const bool decode = pass->request->phase == BM_PHASE_DECODE;
    struct bm_op *op = add_heads(pass, "kv_write", "kv_write", count, heads, head_dim);
    if (op == NULL)
        return;
    op->the_case.kv = decode ? pass->request->kv : BM_KV_DTYPE;
    op->the_case.kv_heads = kv_heads;
    op->the_case.v_dim = v_dim;
    finish_case(pass, op);
}

void bm_pass_kv_expand(struct bm_pass *pass, uint64_t count) {
    const struct bm_model *model = pass->model;
    struct bm_op *op = add_heads(pass, "kv_expand", "kv_expand", count, model->heads, model->head_dim);
    if (op == NULL)
        return;
    op->the_case.v_dim = model->v_dim;
    op->the_case.k = model->qk_rope_dim;
    finish_case(pass, op);
}

static void set_experts(const struct bm_pass *pass, struct bm_case *the_case) {
    const struct bm_model *model = pass->model;
    the_case->experts = model->experts;
    the_case->top_k = model->experts_per_token;
    the_case->groups = model->expert_groups;
    the_case->groups_used = model->expert_groups > 0 ? model->expert_groups_used : 0;
    the_case->routing = pass->request->routing;
}

void bm_pass_combine(struct bm_pass *pass, uint64_t count, uint64_t m) {
    const struct bm_model *model = pass->model;
    struct bm_op *op = add_rows(pass, "experts_combine", "combine", count, m, model->hidden);
    if (op == NULL)
        return;
    check_elements(pass, op->name, m * model->experts_per_token, model->hidden);
    op->the_case.k = model->shared_experts > 0;
    set_experts(pass, &op->the_case);
    finish_case(pass, op);
}

void bm_pass_experts(struct bm_pass *pass, const char *name, uint64_t count, uint64_t m, uint64_t n,
                     uint64_t k, bool row_per_pair) {
    const struct bm_model *model = pass->model;
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return;
    check_elements(pass, name, m * model->experts_per_token, n);
    check_elements(pass, name, m * model->experts_per_token, k);
    check_elements(pass, name, (uint64_t)model->experts * n, k);
    if (pass->status == BM_OK)
        set_case(pass, op, "grouped_gemm", (uint32_t)(m / pass->request->batch));
    op->the_case.m = m;
    op->the_case.n = n;
    op->the_case.k = k;
    set_experts(pass, &op->the_case);
    op->the_case.row_per_pair = row_per_pair;
    finish_case(pass, op);
}

void bm_pass_attention(struct bm_pass *pass, const char *name, uint64_t count,
                       const struct bm_pass_heads *heads, uint32_t length, uint32_t window) {
    bool decode = pass->request->phase == BM_PHASE_DECODE;
    const uint32_t past = decode ? 0 : pass->request->context;
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return;
    check_elements(pass, name, (uint64_t)pass->request->batch * ((uint64_t)length + past),
                   (uint64_t)heads->heads * heads->head_dim);
    if (pass->status == BM_OK)
        set_case(pass, op, "attention", decode ? 1 : length);
    op->the_case.context = decode ? length : past;
    op->the_case.heads = heads->heads;
    op->the_case.kv_heads = heads->kv_heads;
    op->the_case.head_dim = heads->head_dim;
    op->the_case.v_dim = heads->v_dim;
    op->the_case.window = window;
    op->the_case.sinks = pass->model->attention_sinks;
    op->the_case.kv = decode ? pass->request->kv : BM_KV_DTYPE;
    finish_case(pass, op);
}

void bm_pass_latent_attention(struct bm_pass *pass, const char *name, uint64_t count) {
    const struct bm_model *model = pass->model;
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return;
    check_elements(pass, name, (uint64_t)pass->request->batch * pass->request->context,
                   (uint64_t)model->kv_lora + model->qk_rope_dim);
    if (pass->status == BM_OK)
        set_case(pass, op, "mla", 1);
    op->the_case.context = pass->request->context;
    op->the_case.heads = model->heads;
    op->the_case.kv_heads = 1;
    op->the_case.head_dim = model->kv_lora + model->qk_rope_dim;
    op->the_case.v_dim = model->kv_lora;
    op->the_case.kv = pass->request->kv;
    finish_case(pass, op);
}

void bm_pass_head_products(struct bm_pass *pass, const char *name, uint64_t count, uint64_t n, uint64_t k) {
    const struct bm_model *model = pass->model;
    const uint64_t m = pass->request->batch;
    struct bm_op *op = add(pass, name, count);
    if (op == NULL)
        return;
    check_elements(pass, name, m * model->heads, n > k ? n : k);
    check_elements(pass, name, model->heads * n, k);
    if (pass->status == BM_OK)
        set_case(pass, op, "grouped_gemm", 1);
    op->the_case.m = m;
    op->the_case.n = n;
    op->the_case.k = k;
    op->the_case.experts = op->the_case.top_k = model->heads;
    op->the_case.row_per_pair = op->the_case.rows_by_token = true;
    finish_case(pass, op);
}

void bm_pass_conv(struct bm_pass *pass, uint64_t count, uint64_t m, uint64_t channels) {
    struct bm_op *op = add_rows(pass, "conv", "mamba_conv", count, m, channels);
    if (op == NULL)
        return;
    op->the_case.k = pass->model->mamba_conv;
    finish_case(pass, op);
}

void bm_pass_scan(struct bm_pass *pass, uint64_t count) {
    const struct bm_model *model = pass->model;
    struct bm_op *op =
        add_heads(pass, "scan", "mamba_scan", count, model->mamba_heads, model->mamba_head_dim);
    if (op == NULL)
        return;
    check_elements(pass, "scan", (uint64_t)pass->request->batch * model->mamba_heads,
                   (uint64_t)model->mamba_head_dim * model->mamba_state);
    op->the_case.n = model->mamba_state;
    op->the_case.k = model->mamba_chunk;
    op->the_case.groups = model->mamba_groups;
    finish_case(pass, op);
}
