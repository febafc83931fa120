/* What devices would serve of a model, for the terminal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "quantity.h"
#include "wrap.h"

enum { LINE_SIZE = 1024, BAR_COLUMNS = 12 };

static void append_line(struct bm_text *text, const struct bm_export_options *options, const char *line) {
    bm_wrap_append(text, line, options->width, 2);
}

/* Half of the interval, of the value. */
static void write_half_width(char text[BM_QUANTITY_SIZE], const struct bm_serving_figure *figure) {
    bm_quantity_number(text, 50 * (figure->high - figure->low) / figure->value);
}

static void append_memory(const struct bm_serving *serving, const struct bm_serving_options *request,
                          const struct bm_export_options *options, struct bm_text *text) {
    char weights[BM_QUANTITY_SIZE], cache[BM_QUANTITY_SIZE], memory[BM_QUANTITY_SIZE], line[LINE_SIZE];
    bm_quantity_bytes(weights, serving->weight_bytes);
    bm_quantity_bytes(memory, serving->memory_bytes);
    for (size_t i = 0; i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        const bool last = i + 1 == serving->point_count;
        /* Of a curve the ends are told, and where it stops to fit. */
        if (i > 0 && !last && (point->fits || !serving->points[i - 1].fits))
            continue;
        char need[64] = "fits", share[48] = "";
        bm_quantity_bytes(cache, point->cache_bytes);
        if (!point->fits && point->devices_needed > 0)
            snprintf(need, sizeof need, "does not fit: %u devices would hold it", point->devices_needed);
        else if (!point->fits)
            snprintf(need, sizeof need, "does not fit, nor its share of 1024 devices");
        if (request->count > 1)
            snprintf(share, sizeof share, " (each of %u devices)", request->count);
        snprintf(line, sizeof line, "batch %u: weights %s + cache %s of %s%s: %s", point->batch, weights,
                 cache, memory, share, need);
        append_line(text, options, line);
    }
}

static const char *bound_of(const struct bm_serving_point *point) {
    if (!isfinite(point->compute_share))
        return "-";
    return point->tpot_issue_bound ? "launch" : point->compute_share >= 0.5 ? "compute" : "memory";
}

static enum bm_status append_curve(const struct bm_serving *serving, const struct bm_export_options *options,
                                   struct bm_text *text, struct bm_error *error) {
    static const struct bm_column columns[] = {{"BATCH", BM_ALIGN_RIGHT}, {"TTFT", BM_ALIGN_RIGHT},
                                               {"+/- %", BM_ALIGN_RIGHT}, {"TOK/s", BM_ALIGN_RIGHT},
                                               {"MFU", BM_ALIGN_RIGHT},   {"TPOT", BM_ALIGN_RIGHT},
                                               {"+/- %", BM_ALIGN_RIGHT}, {"TOK/s", BM_ALIGN_RIGHT},
                                               {"MBU", BM_ALIGN_RIGHT},   {"BOUND", BM_ALIGN_LEFT}};
    struct bm_table *table;
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < serving->point_count; i++) {
        const struct bm_serving_point *point = &serving->points[i];
        char batch[16], cells[8][BM_QUANTITY_SIZE];
        snprintf(batch, sizeof batch, "%u", point->batch);
        bm_quantity_time(cells[0], point->ttft_ns.value);
        write_half_width(cells[1], &point->ttft_ns);
        bm_quantity_number(cells[2], point->prefill_tokens_per_s.value);
        bm_quantity_percent(cells[3], point->prefill_mfu);
        bm_quantity_time(cells[4], point->tpot_ns.value);
        write_half_width(cells[5], &point->tpot_ns);
        bm_quantity_number(cells[6], point->decode_tokens_per_s.value);
        bm_quantity_percent(cells[7], point->decode_mbu);
        const char *row[] = {batch,    cells[0], cells[1], cells[2], cells[3],
                             cells[4], cells[5], cells[6], cells[7], bound_of(point)};
        bm_table_add(table, row);
    }
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    return status;
}

static void append_findings(const struct bm_serving *serving, const struct bm_serving_options *request,
                            const struct bm_export_options *options, struct bm_text *text) {
    const struct bm_serving_point *first = &serving->points[0];
    char ttft[BM_QUANTITY_SIZE], tpot[BM_QUANTITY_SIZE], rate[BM_QUANTITY_SIZE], limit[BM_QUANTITY_SIZE],
        line[LINE_SIZE];
    bm_quantity_time(ttft, first->ttft_launch_free_ns);
    bm_quantity_time(tpot, first->tpot_launch_free_ns);
    bm_quantity_time(limit, request->tpot_limit_ns);
    snprintf(line, sizeof line, "without launches and synchronisation, batch %u: TTFT %s, TPOT %s",
             first->batch, ttft, tpot);
    if (isfinite(first->ttft_launch_free_ns) || isfinite(first->tpot_launch_free_ns))
        append_line(text, options, line);
    if (serving->best != SIZE_MAX) {
        const struct bm_serving_point *best = &serving->points[serving->best];
        bm_quantity_number(rate, best->decode_tokens_per_s.value);
        snprintf(line, sizeof line, "most tokens/s with a TPOT of at most %s: %s, at batch %u", limit, rate,
                 best->batch);
        append_line(text, options, line);
    } else if (isfinite(first->tpot_ns.value)) {
        snprintf(line, sizeof line, "no batch that fits has a TPOT of at most %s", limit);
        append_line(text, options, line);
    }
    if (serving->point_count > 1 && serving->turn != SIZE_MAX) {
        snprintf(line, sizeof line, "decode is bound by arithmetic from batch %u on",
                 serving->points[serving->turn].batch);
        append_line(text, options, line);
    } else if (serving->point_count > 1 && isfinite(first->compute_share)) {
        append_line(text, options, "decode is bound by memory at every batch here");
    }
}

/* ---- ops ---- */

static void write_share(double ns, double total, bool bars, char share[BM_QUANTITY_SIZE],
                        char bar[4 * BAR_COLUMNS]) {
    size_t length = 0;
    bm_quantity_percent(share, ns / total);
    for (int i = 0; bars && i < (int)lround(BAR_COLUMNS * ns / total); i++)
        bar[length++] = '#';
    bar[length] = '\0';
}

static enum bm_status append_ops(const struct bm_serving *serving, const struct bm_export_options *options,
                                 struct bm_text *text, struct bm_error *error) {
    static const struct bm_column columns[] = {{"OP", BM_ALIGN_LEFT},      {"PREFILL", BM_ALIGN_RIGHT},
                                               {"SHARE", BM_ALIGN_RIGHT},  {"", BM_ALIGN_LEFT},
                                               {"A STEP", BM_ALIGN_RIGHT}, {"SHARE", BM_ALIGN_RIGHT},
                                               {"", BM_ALIGN_LEFT}};
    const struct bm_serving_point *point = &serving->points[0];
    struct bm_table *table;
    double prefill = 0, decode = 0;
    if (point->op_count == 0)
        return BM_OK;
    for (size_t i = 0; i < point->op_count; i++) {
        prefill += point->ops[i].prefill_ns;
        decode += point->ops[i].decode_ns;
    }
    bm_text_append(text, "\nbatch %u, by op\n", point->batch);
    enum bm_status status = bm_table_create(columns, BM_COUNT_OF(columns), options, &table, error);
    for (size_t i = 0; status == BM_OK && i < point->op_count; i++) {
        const struct bm_serving_op *op = &point->ops[i];
        char times[2][BM_QUANTITY_SIZE] = {"-", "-"}, shares[2][BM_QUANTITY_SIZE] = {"-", "-"};
        char bars[2][4 * BAR_COLUMNS] = {"", ""};
        if (op->prefill_ns > 0) {
            bm_quantity_time(times[0], op->prefill_ns);
            write_share(op->prefill_ns, prefill, options->width > 0, shares[0], bars[0]);
        }
        if (op->decode_ns > 0) {
            bm_quantity_time(times[1], op->decode_ns);
            write_share(op->decode_ns, decode, options->width > 0, shares[1], bars[1]);
        }
        const char *cells[] = {op->name, times[0], shares[0], bars[0], times[1], shares[1], bars[1]};
        bm_table_add(table, cells);
    }
    if (status == BM_OK)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    return status;
}

/* ---- what is missing ---- */

/* "decode, batch 4: attn norm: not measured", one line for each phase and reason. */
static void append_reasons(const struct bm_serving_point *point, const struct bm_export_options *options,
                           struct bm_text *text) {
    for (size_t i = 0; i < point->missing_count; i++) {
        const struct bm_serving_missing *first = &point->missing[i];
        struct bm_text line = {0};
        bool told = false;
        for (size_t k = 0; k < i; k++)
            told |= point->missing[k].phase == first->phase && strcmp(point->missing[k].why, first->why) == 0;
        if (told)
            continue;
        if (first->phase != BM_PHASE_NONE)
            bm_text_append(&line, "%s, batch %u:", bm_phase_name(first->phase), point->batch);
        for (size_t k = i; k < point->missing_count; k++)
            if (point->missing[k].phase == first->phase && strcmp(point->missing[k].why, first->why) == 0)
                bm_text_append(&line, "%s%s", line.length > 0 ? " " : "", point->missing[k].op);
        bm_text_append(&line, ": %s", first->why);
        append_line(text, options, line.data != NULL ? line.data : "");
        text->failed |= line.failed;
        bm_text_fini(&line);
    }
}

static void append_missing(const struct bm_serving *serving, const struct bm_export_options *options,
                           struct bm_text *text) {
    bool any = false;
    for (size_t i = 0; i < serving->point_count; i++)
        any |= serving->points[i].missing_count > 0;
    if (any)
        bm_text_append(text, "\nmissing:\n");
    for (size_t i = 0; i < serving->point_count; i++)
        append_reasons(&serving->points[i], options, text);
    if (any && serving->commands[0] != '\0') /* as they are: to be copied */
        bm_text_append(text, "to measure it:\n%s", serving->commands);
}

static enum bm_status append_serving(const struct bm_serving *serving,
                                     const struct bm_serving_options *request,
                                     const struct bm_export_options *options, struct bm_text *text,
                                     struct bm_error *error) {
    char line[LINE_SIZE];
    snprintf(line, sizeof line, "%s: %s, %s, %s (%s)", serving->device, serving->name, serving->backend,
             serving->dtype, serving->files);
    bm_text_append(text, "\n");
    append_line(text, options, line);
    append_memory(serving, request, options, text);
    if (request->count > 1 && !(request->link_gbs > 0)) {
        append_line(
            text, options,
            "how fast the devices tell one another is unknown: --link GB/S,US; so only the fit is told");
        return BM_OK;
    }
    enum bm_status status = append_curve(serving, options, text, error);
    append_findings(serving, request, options, text);
    if (status == BM_OK)
        status = append_ops(serving, options, text, error);
    append_missing(serving, options, text);
    return status;
}

enum bm_status bm_export_estimate_text(const struct bm_serving_report *report,
                                       const struct bm_export_options *options, struct bm_text *text,
                                       struct bm_error *error) {
    const struct bm_serving_options *request = &report->options;
    char line[LINE_SIZE], chunks[48] = "";
    enum bm_status status = BM_OK;
    if (request->prompt > request->chunk)
        snprintf(chunks, sizeof chunks, " in chunks of %u", request->chunk);
    snprintf(line, sizeof line, "%s: a prompt of %u tokens%s, %u generated", request->model.id,
             request->prompt, chunks, request->generate);
    append_line(text, options, line);
    for (size_t i = 0; status == BM_OK && i < report->serving_count; i++)
        status = append_serving(&report->servings[i], request, options, text, error);
    return status == BM_OK && text->failed ? bm_fail(error, BM_NO_MEMORY, "out of memory for a report")
                                           : status;
}
