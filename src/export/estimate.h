/* Private to the export module: what the reports of an estimate share. */
#ifndef BM_EXPORT_ESTIMATE_H
#define BM_EXPORT_ESTIMATE_H

#include "bm/estimate.h"
#include "quantity.h"

/* Takes one sentence at a time; NULL: there was no memory for it. */
struct bm_sentences {
    void (*take)(void *context, const char *sentence);
    void *context;
};

/* "llama2-7b: a prompt of 512 tokens, 128 generated". */
void bm_serving_title(const struct bm_serving_options *request, struct bm_text *line);
/* What the cache was asked to hold; "": as the number format says. */
const char *bm_serving_kv(const struct bm_serving_options *request);
/* "gpu0: NVIDIA A40, opencl/nvidia, f16 (a.json, b.json)": index of a serving; the files of a device once. */
void bm_serving_name(const struct bm_serving_report *report, size_t index, struct bm_text *line);
/* Whether any batch has a time; whether any op of this batch has one. */
bool bm_serving_has_curve(const struct bm_serving *serving);
bool bm_serving_has_ops(const struct bm_serving_point *point);
bool bm_serving_is_incomplete(const struct bm_serving *serving);
/* Weights and cache against the memory: of a curve its ends, and where it stops to fit. */
void bm_serving_tell_memory(const struct bm_serving *serving, const struct bm_serving_options *request,
                            const struct bm_sentences *to);
/* What the curve shows. */
void bm_serving_tell_findings(const struct bm_serving *serving, const struct bm_serving_options *request,
                              const struct bm_sentences *to);
/* "decode, batch 4, 8: attn norm: not measured": batches that miss the same for the same reason at once. */
void bm_serving_tell_missing(const struct bm_serving_point *points, size_t count,
                             const struct bm_sentences *to);
/* What a decode step waits for: "memory", "compute", "launch", "-". */
const char *bm_serving_bound(const struct bm_serving_point *point);
/* Time of all ops in each phase; NaN: that of some is not known, so shares are not. */
struct bm_serving_op bm_serving_ops_total(const struct bm_serving_point *point);
/* An op in a phase of total_ns; "-": unknown, or not in this phase. */
struct bm_serving_share {
    char time[BM_QUANTITY_SIZE], share[BM_QUANTITY_SIZE];
};
void bm_serving_share(double ns, double total_ns, struct bm_serving_share *share);

#endif
