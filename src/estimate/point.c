/* point.c - TTFT and TPOT of one batch size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct filling {
    const struct bm_serving_options *options;
    const struct bm_model *model;
    const struct bm_dtype *dtype;
    const struct bm_serving *serving;
    struct bm_serving_point *point;
    struct bm_error *error;
};

static bool lacks(const struct bm_serving_point *point, enum bm_phase phase) {
    for (size_t i = 0; i < point->missing_count; i++)
        if (point->missing[i].phase == phase)
            return true;
    return false;
}

static struct bm_request request_of(const struct filling *f, enum bm_phase phase) {
    return (struct bm_request){.phase = phase,
                               .dtype = f->dtype,
                               .batch = f->point->batch,
                               .tokens = 1,
                               .routing = f->options->routing,
                               .kv = phase == BM_PHASE_DECODE ? f->options->kv : BM_KV_DTYPE};
}

/* What devices that share the model tell one another in a pass over `rows` rows: after every mixer and FFN.
 */
static double all_reduces_ns(const struct filling *f, double rows) {
    const struct bm_model *model = f->model;
    const double times = model->mamba_layers > 0 ? model->layers : 2.0 * model->layers;
    const double bytes = rows * model->hidden * bm_element_bytes_each(f->dtype->activation);
    if (f->options->count <= 1)
        return 0;
    return times *
           bm_serving_all_reduce_ns(f->options->count, bytes, f->options->link_gbs, f->options->link_us);
}

static enum bm_status sum_prefill(const struct filling *f, struct bm_sum *sum) {
    const struct bm_serving_options *options = f->options;
    enum bm_status status = BM_OK;
    for (uint32_t past = 0; status == BM_OK && past < options->prompt;) {
        struct bm_sum_pass pass = {.request = request_of(f, BM_PHASE_PREFILL), .times = 1};
        const uint32_t left = options->prompt - past;
        pass.request.tokens = left < options->chunk ? left : options->chunk;
        pass.request.context = past;
        past += pass.request.tokens;
        pass.skip_logits = past < options->prompt;
        status = bm_sum_add_pass(f->model, &pass, sum, f->point, f->error);
    }
    return status;
}

/* A window in some of the layers changes what a step does from the first context beyond it. */
static enum bm_status sum_decode(const struct filling *f, struct bm_sum *sum) {
    const uint32_t first = f->options->prompt + 1, last = f->options->prompt + f->options->generate - 1;
    const uint32_t window = f->model->sliding_window;
    const bool cut = window >= first && window < last;
    const uint32_t ends[2] = {cut ? window : last, last};
    enum bm_status status = BM_OK;
    for (int part = 0; status == BM_OK && part < 1 + cut; part++) {
        const uint32_t begin = part == 0 ? first : window + 1;
        struct bm_sum_pass pass = {.request = request_of(f, BM_PHASE_DECODE),
                                   .mean_to = ends[part],
                                   .times = ((double)ends[part] - begin + 1) / ((double)last - first + 1)};
        pass.request.context = begin;
        status = bm_sum_add_pass(f->model, &pass, sum, f->point, f->error);
    }
    return status;
}

static enum bm_status miss_latency(const struct filling *f, const char *resource, double ns) {
    struct bm_serving_point *point = f->point;
    if (isfinite(ns))
        return BM_OK;
    enum bm_status status = bm_grow(&point->missing, &point->missing_capacity, point->missing_count + 1,
                                    sizeof *point->missing, f->error);
    if (status == BM_OK) {
        struct bm_serving_missing *missing = &point->missing[point->missing_count++];
        *missing = (struct bm_serving_missing){.phase = BM_PHASE_NONE};
        bm_string_set(missing->op, sizeof missing->op, resource);
        bm_string_set(missing->why, sizeof missing->why, "not measured");
    }
    return status;
}

/* The time of an op of which a part is missing is unknown, whatever else of it was measured. */
static void forget_parts(struct bm_serving_point *point) {
    for (size_t i = 0; i < point->missing_count; i++)
        for (size_t k = 0; k < point->op_count; k++) {
            struct bm_serving_op *op = &point->ops[k];
            if (strcmp(point->missing[i].op, op->name) != 0)
                continue;
            if (point->missing[i].phase == BM_PHASE_PREFILL)
                op->prefill_ns = (double)NAN;
            if (point->missing[i].phase == BM_PHASE_DECODE)
                op->decode_ns = (double)NAN;
        }
}

static const struct bm_serving_figure unknown = {(double)NAN, (double)NAN, (double)NAN};

static void tell_prefill(const struct filling *f, const struct bm_sum *sum) {
    struct bm_serving_point *point = f->point;
    const double tokens = (double)point->batch * f->options->prompt;
    if (lacks(point, BM_PHASE_PREFILL))
        return;
    double link = 0;
    for (uint32_t past = 0; past < f->options->prompt; past += f->options->chunk) {
        const uint32_t left = f->options->prompt - past;
        link +=
            all_reduces_ns(f, (double)point->batch * (left < f->options->chunk ? left : f->options->chunk));
    }
    point->ttft_launch_free_ns = bm_sum_ns(sum);
    if (lacks(point, BM_PHASE_NONE))
        return;
    point->ttft_ns = bm_sum_figure(sum, 1, link, &point->ttft_issue_bound);
    point->prefill_tokens_per_s = bm_figure_rate(tokens * 1e9, &point->ttft_ns);
    point->prefill_mfu = sum->flops / point->ttft_ns.value / f->serving->datasheet_gflops;
    point->prefill_mbu = sum->bytes / point->ttft_ns.value / f->serving->datasheet_gbs;
}

static void tell_decode(const struct filling *f, const struct bm_sum *sum) {
    struct bm_serving_point *point = f->point;
    if (lacks(point, BM_PHASE_DECODE))
        return;
    point->tpot_launch_free_ns = bm_sum_ns(sum);
    point->compute_share = bm_sum_compute_ns(sum) / bm_sum_ns(sum);
    if (lacks(point, BM_PHASE_NONE))
        return;
    point->tpot_ns = bm_sum_figure(sum, 1, all_reduces_ns(f, point->batch), &point->tpot_issue_bound);
    point->decode_tokens_per_s = bm_figure_rate(point->batch * 1e9, &point->tpot_ns);
    point->decode_mfu = sum->flops / point->tpot_ns.value / f->serving->datasheet_gflops;
    point->decode_mbu = sum->bytes / point->tpot_ns.value / f->serving->datasheet_gbs;
}

static enum bm_status fill_phase(const struct filling *f, const struct bm_measured_set *set,
                                 enum bm_status (*add)(const struct filling *f, struct bm_sum *sum),
                                 void (*tell)(const struct filling *f, const struct bm_sum *sum)) {
    struct bm_sum sum;
    enum bm_status status = bm_sum_init(&sum, set, f->error);
    if (status == BM_OK)
        status = add(f, &sum);
    if (status == BM_OK)
        tell(f, &sum);
    bm_sum_fini(&sum);
    return status;
}

enum bm_status bm_point_fill(const struct bm_serving_options *options, const struct bm_model *model,
                             const struct bm_dtype *dtype, const struct bm_measured_set *set,
                             const struct bm_serving *serving, struct bm_serving_point *point,
                             struct bm_error *error) {
    const uint64_t tokens = bm_serving_tokens(options);
    const struct filling f = {options, model, dtype, serving, point, error};
    const double nothing = (double)NAN;
    *point = (struct bm_serving_point){.batch = point->batch,
                                       .ttft_ns = unknown,
                                       .tpot_ns = unknown,
                                       .prefill_tokens_per_s = unknown,
                                       .decode_tokens_per_s = unknown,
                                       .ttft_launch_free_ns = nothing,
                                       .tpot_launch_free_ns = nothing,
                                       .prefill_mfu = nothing,
                                       .prefill_mbu = nothing,
                                       .decode_mfu = nothing,
                                       .decode_mbu = nothing,
                                       .compute_share = nothing};
    point->cache_bytes = point->batch * bm_model_cache_bytes(model, dtype, options->kv, tokens);
    point->fits = !(serving->weight_bytes + point->cache_bytes > serving->memory_bytes);
    point->devices_needed = bm_devices_needed(options, dtype, point->batch, serving->memory_bytes);
    if (options->count > 1 && !(options->link_gbs > 0)) /* nothing is known of what they tell one another */
        return BM_OK;
    enum bm_status status = miss_latency(&f, "launch_latency", set->issue.ns);
    if (status == BM_OK)
        status = miss_latency(&f, "wait_latency", set->wait.ns);
    if (status == BM_OK)
        status = fill_phase(&f, set, sum_prefill, tell_prefill);
    if (status == BM_OK && options->generate > 1)
        status = fill_phase(&f, set, sum_decode, tell_decode);
    forget_parts(point);
    return status;
}

void bm_point_fini(struct bm_serving_point *point) {
    free(point->ops);
    free(point->missing);
    *point = (struct bm_serving_point){0};
}
