#include "estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void bm_serving_title(const struct bm_serving_options *request, struct bm_text *line) {
    bm_text_append(line, "%s: a prompt of %u token%s", request->model.id, request->prompt,
                   request->prompt == 1 ? "" : "s");
    if (request->prompt > request->chunk)
        bm_text_append(line, " in chunks of %u", request->chunk);
    bm_text_append(line, ", %u generated", request->generate);
    if (request->kv != BM_KV_DTYPE)
        bm_text_append(line, ", %s KV cache", bm_serving_kv(request));
    if (request->routing == BM_ROUTING_ZIPF && request->model.experts > 0)
        bm_text_append(line, ", routing %s", bm_routing_name(request->routing));
}

const char *bm_serving_kv(const struct bm_serving_options *request) {
    return request->kv == BM_KV_DTYPE ? "" : request->kv == BM_KV_INT8 ? "int8" : "f16";
}

void bm_serving_name(const struct bm_serving_report *report, size_t index, struct bm_text *line) {
    const struct bm_serving *serving = &report->servings[index], *before = serving - (index > 0);
    const bool told = index > 0 && strcmp(serving->device, before->device) == 0 &&
                      strcmp(serving->name, before->name) == 0 && strcmp(serving->files, before->files) == 0;
    bm_text_append(line, "%s: %s, %s, %s", serving->device, serving->name, serving->backend, serving->dtype);
    if (!told)
        bm_text_append(line, " (%s)", serving->files);
}

bool bm_serving_has_curve(const struct bm_serving *serving) {
    for (size_t i = 0; i < serving->point_count; i++)
        if (isfinite(serving->points[i].ttft_ns.value) || isfinite(serving->points[i].tpot_ns.value))
            return true;
    return false;
}

bool bm_serving_has_ops(const struct bm_serving_point *point) {
    for (size_t i = 0; i < point->op_count; i++)
        if (point->ops[i].prefill_ns > 0 || point->ops[i].decode_ns > 0)
            return true;
    return false;
}

struct bm_serving_op bm_serving_ops_total(const struct bm_serving_point *point) {
    struct bm_serving_op total = {0};
    for (size_t i = 0; i < point->op_count; i++) {
        total.prefill_ns += point->ops[i].prefill_ns;
        total.decode_ns += point->ops[i].decode_ns;
    }
    return total;
}

void bm_serving_share(double ns, double total_ns, struct bm_serving_share *share) {
    const double unknown = (double)NAN;
    bm_quantity_time(share->time, ns > 0 ? ns : unknown);
    bm_quantity_percent(share->share, ns > 0 ? ns / total_ns : unknown);
}

bool bm_serving_is_incomplete(const struct bm_serving *serving) {
    for (size_t i = 0; i < serving->point_count; i++)
        if (serving->points[i].missing_count > 0)
            return true;
    return false;
}

const char *bm_serving_bound(const struct bm_serving_point *point) {
    if (!isfinite(point->compute_share))
        return "-";
    return point->tpot_issue_bound ? "launch" : point->compute_share >= 0.5 ? "compute" : "memory";
}

/* ---- sentences ---- */

/* Hands the sentence on, and is empty again. */
static void tell(const struct bm_sentences *to, struct bm_text *sentence) {
    to->take(to->context, sentence->failed || sentence->data == NULL ? NULL : sentence->data);
    bm_text_fini(sentence);
}

void bm_serving_tell_memory(const struct bm_serving *serving, const struct bm_serving_options *request,
                            const struct bm_sentences *to) {
    char weights[BM_QUANTITY_SIZE], cache[BM_QUANTITY_SIZE], memory[BM_QUANTITY_SIZE];
    bm_quantity_bytes(weights, serving->weight_bytes);
    const bool known = isfinite(serving->memory_bytes);
    bm_quantity_bytes(memory, serving->memory_bytes);
    for (size_t i = 0; i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        const bool last = i + 1 == serving->point_count;
        struct bm_text line = {0};
        if (i > 0 && !last && (point->fits || !serving->points[i - 1].fits))
            continue;
        bm_quantity_bytes(cache, point->cache_bytes);
        bm_text_append(&line, "batch %u: weights %s + cache %s of %s", point->batch, weights, cache,
                       known ? memory : "a memory of unknown size");
        if (request->count > 1)
            bm_text_append(&line, " (each of %u devices)", request->count);
        if (known && point->fits)
            bm_text_append(&line, ": fits");
        else if (known && point->devices_needed > 0)
            bm_text_append(&line, ": does not fit: %u devices would hold it", point->devices_needed);
        else if (known)
            bm_text_append(&line, ": does not fit, nor its share of 1024 devices");
        tell(to, &line);
    }
}

static void tell_best(const struct bm_serving *serving, const struct bm_serving_options *request,
                      const struct bm_sentences *to) {
    char rate[BM_QUANTITY_SIZE], limit[BM_QUANTITY_SIZE];
    struct bm_text line = {0};
    bool any = false;
    for (size_t i = 0; i < serving->point_count; i++)
        any |= isfinite(serving->points[i].tpot_ns.value);
    if (!any)
        return;
    bm_quantity_time(limit, request->tpot_limit_ns);
    if (serving->best != SIZE_MAX) {
        const struct bm_serving_point *best = &serving->points[serving->best];
        bm_quantity_number(rate, best->decode_tokens_per_s.value);
        bm_text_append(&line, "most tokens/s with a TPOT of at most %s: %s, at batch %u", limit, rate,
                       best->batch);
    } else {
        bm_text_append(&line, "no batch that fits has a TPOT of at most %s", limit);
    }
    tell(to, &line);
}

/* Where a curve turns from memory to arithmetic. */
static void tell_turn(const struct bm_serving *serving, const struct bm_sentences *to) {
    struct bm_text line = {0};
    size_t known = 0;
    for (size_t i = 0; i < serving->point_count; i++)
        known += isfinite(serving->points[i].compute_share);
    if (serving->point_count == 1 || known == 0)
        return;
    if (serving->turn != SIZE_MAX)
        bm_text_append(&line, "arithmetic bounds decode from batch %u on",
                       serving->points[serving->turn].batch);
    else
        bm_text_append(&line, "memory bounds more of decode than arithmetic, at every batch %s",
                       known == serving->point_count ? "here" : "that was measured");
    tell(to, &line);
}

/* A time of a batch that does not fit is what the device would do with more memory. */
static void tell_unfitting(const struct bm_serving *serving, const struct bm_sentences *to) {
    struct bm_text line = {0};
    bool any = false;
    for (size_t i = 0; i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        if (point->fits || (!isfinite(point->ttft_ns.value) && !isfinite(point->tpot_ns.value)))
            continue;
        bm_text_append(&line, "%s %u", any ? "," : "batch", point->batch);
        any = true;
    }
    if (!any)
        return;
    bm_text_append(&line, " would need more memory: times as if it were there");
    tell(to, &line);
}

void bm_serving_tell_findings(const struct bm_serving *serving, const struct bm_serving_options *request,
                              const struct bm_sentences *to) {
    const struct bm_serving_point *first = &serving->points[0];
    char ttft[BM_QUANTITY_SIZE], tpot[BM_QUANTITY_SIZE];
    struct bm_text line = {0};
    if (request->count > 1 && !(request->link_gbs > 0)) {
        to->take(to->context, "how fast the devices tell one another is unknown: --link GB/S,US; so only the "
                              "fit is told");
        return;
    }
    tell_unfitting(serving, to);
    if (isfinite(first->ttft_launch_free_ns) || isfinite(first->tpot_launch_free_ns)) {
        bm_quantity_time(ttft, first->ttft_launch_free_ns);
        bm_quantity_time(tpot, first->tpot_launch_free_ns);
        bm_text_append(&line, "without launches and synchronisation, batch %u: TTFT %s, TPOT %s",
                       first->batch, ttft, tpot);
        tell(to, &line);
    }
    tell_best(serving, request, to);
    tell_turn(serving, to);
}

/* ---- what is missing ---- */

static bool same_group(const struct bm_serving_missing *a, const struct bm_serving_missing *b) {
    return a->phase == b->phase && strcmp(a->why, b->why) == 0;
}

/* The first that a point misses in this phase for this reason; NULL: nothing. */
static const struct bm_serving_missing *first_of(const struct bm_serving_point *point,
                                                 const struct bm_serving_missing *like) {
    for (size_t i = 0; i < point->missing_count; i++)
        if (same_group(&point->missing[i], like))
            return &point->missing[i];
    return NULL;
}

/* The ops of a group, " attn norm": each once, whatever number of shapes of it is missing. */
static void append_ops(const struct bm_serving_point *point, const struct bm_serving_missing *group,
                       struct bm_text *text) {
    for (size_t i = 0; i < point->missing_count; i++) {
        bool told = !same_group(&point->missing[i], group);
        for (size_t k = 0; k < i && !told; k++)
            told = same_group(&point->missing[k], group) &&
                   strcmp(point->missing[k].op, point->missing[i].op) == 0;
        if (!told)
            bm_text_append(text, " %s", point->missing[i].op);
    }
}

static bool equal_groups(const struct bm_serving_point *a, const struct bm_serving_point *b,
                         const struct bm_serving_missing *group) {
    struct bm_text of_a = {0}, of_b = {0};
    append_ops(a, group, &of_a);
    append_ops(b, group, &of_b);
    const bool equal = of_a.data != NULL && of_b.data != NULL && strcmp(of_a.data, of_b.data) == 0;
    bm_text_fini(&of_a);
    bm_text_fini(&of_b);
    return equal;
}

static void tell_group(const struct bm_serving_point *points, size_t count, size_t index,
                       const struct bm_serving_missing *group, const struct bm_sentences *to) {
    struct bm_text line = {0}, ops = {0};
    for (size_t i = 0; i < index; i++)
        if (equal_groups(&points[i], &points[index], group))
            return;
    if (group->phase != BM_PHASE_NONE) {
        bm_text_append(&line, "%s, batch %u", bm_phase_name(group->phase), points[index].batch);
        for (size_t i = index + 1; i < count; i++)
            if (equal_groups(&points[index], &points[i], group))
                bm_text_append(&line, ", %u", points[i].batch);
        bm_text_append(&line, ": ");
    }
    append_ops(&points[index], group, &ops);
    line.failed |= ops.failed;
    bm_text_append(&line, "%s: %s", ops.data != NULL ? ops.data + 1 : "", group->why);
    bm_text_fini(&ops);
    tell(to, &line);
}

void bm_serving_tell_missing(const struct bm_serving_point *points, size_t count,
                             const struct bm_sentences *to) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < points[i].missing_count; k++)
            if (first_of(&points[i], &points[i].missing[k]) == &points[i].missing[k])
                tell_group(points, count, i, &points[i].missing[k], to);
}
