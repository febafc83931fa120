/* What was taken in, as one results file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json_writer.h"
#include "merge.h"

struct writing {
    const struct bm_merge *merge;
    struct bm_json_writer writer;
    json_t *root;  /* what becomes the file: the pattern's copy */
    double *line;  /* room for a figure of every round */
    size_t *place; /* rounds that the line's figures are of */
};

/* The figures of a slot that are known, in order; NaN rounds of a row (base) are left out whole. */
static size_t column(const struct writing *writing, size_t base, size_t slot, double *values) {
    const struct bm_merge *merge = writing->merge;
    size_t count = 0;
    for (size_t i = 0; i < merge->round_count; i++) {
        const double *line = merge->values + i * merge->slots;
        if (!isnan(line[base]) && !isnan(line[slot])) {
            writing->place[count] = i;
            values[count++] = line[slot];
        }
    }
    return count;
}

static struct bm_results_time estimate(const struct writing *writing, size_t base, size_t slot, size_t *count,
                                       unsigned *flags) {
    struct bm_results_time time = {.median = (double)NAN};
    *flags = 0;
    *count = column(writing, base, slot, writing->line);
    if (*count > 0)
        writing->merge->options.estimate(writing->line, *count, &time, flags);
    return time;
}

static json_t *time_json(struct writing *writing, const struct bm_results_time *time) {
    json_t *object = bm_json_object(&writing->writer);
    bm_json_put_real(&writing->writer, object, "median", time->median);
    bm_json_put_interval(&writing->writer, object, "ci", time->low, time->high);
    bm_json_put_real(&writing->writer, object, "confidence", time->confidence);
    bm_json_put_real(&writing->writer, object, "min", time->min);
    bm_json_put_real(&writing->writer, object, "p5", time->p5);
    bm_json_put_real(&writing->writer, object, "p95", time->p95);
    bm_json_put_real(&writing->writer, object, "mad", time->mad);
    return object;
}

/* Puts the figure only in place of another: null stays null. */
static void replace(struct writing *writing, json_t *object, const char *path, double figure) {
    const char *dot = strchr(path, '.');
    char outer[32];
    if (!json_is_number(bm_merge_member(object, path)))
        return;
    if (dot == NULL) {
        bm_json_put_real(&writing->writer, object, path, figure);
        return;
    }
    bm_string_set(outer, (size_t)(dot - path) + 1, path);
    bm_json_put_real(&writing->writer, json_object_get(object, outer), dot + 1, figure);
}

/* ---- rows ---- */

static double slot_of(const struct writing *writing, size_t round, size_t slot) {
    return writing->merge->values[round * writing->merge->slots + slot];
}

/* One round a process: as long as its launches take at the median of their times. Returns the flags that more
 * than a quarter of the rounds have. */
static unsigned put_rounds(struct writing *writing, json_t *row, size_t base, size_t count) {
    const struct bm_merge *merge = writing->merge;
    json_t *rounds = bm_json_array(&writing->writer);
    unsigned often = 0;
    column(writing, base, base + BM_MERGE_MEDIAN, writing->line);
    for (size_t i = 0; i < count; i++) {
        const size_t at = writing->place[i];
        const double launches = slot_of(writing, at, base + BM_MERGE_LAUNCHES);
        json_t *round = bm_json_object(&writing->writer);
        bm_json_put_number(&writing->writer, round, "start_ns", merge->start_ns[at]);
        bm_json_put_number(&writing->writer, round, "ns", (uint64_t)llround(writing->line[i] * launches));
        bm_json_put_number(&writing->writer, round, "launches", (uint64_t)launches);
        bm_json_put_flags(&writing->writer, round, "flags",
                          (unsigned)slot_of(writing, at, base + BM_MERGE_FLAGS), merge->options.flag_name);
        bm_json_append(&writing->writer, rounds, round);
    }
    for (unsigned bit = 1; merge->options.flag_name(bit) != NULL; bit <<= 1) {
        size_t with = 0;
        for (size_t i = 0; i < count; i++)
            with += ((unsigned)slot_of(writing, writing->place[i], base + BM_MERGE_FLAGS) & bit) != 0;
        often |= 4 * with > count ? bit : 0;
    }
    bm_json_put(&writing->writer, row, "rounds", rounds);
    return often;
}

/* As time_ns.ci: of the processes. Few of them give none. */
static void put_efficiency_interval(struct writing *writing, json_t *row,
                                    const struct bm_results_time *efficiency, unsigned shape) {
    json_t *utilization = json_object_get(row, "utilization");
    const bool is_known = efficiency->confidence >= 0.95;
    if (!json_is_object(utilization))
        return;
    bm_json_put_interval(&writing->writer, utilization, "roofline_efficiency_ci",
                         is_known ? efficiency->low : (double)NAN, is_known ? efficiency->high : (double)NAN);
    bm_json_put_flags(&writing->writer, utilization, "roofline_efficiency_flags", is_known ? shape : 0,
                      writing->merge->options.flag_name);
}

static void put_measured(struct writing *writing, json_t *row, size_t base) {
    static const char *const rates[] = {"gflops", "gbytes_per_s", "tokens_per_s"};
    size_t count, known;
    unsigned shape, other;
    const double own = bm_merge_number(row, "time_ns.median");
    const struct bm_results_time time = estimate(writing, base, base + BM_MERGE_MEDIAN, &count, &shape);
    bm_json_put(&writing->writer, row, "time_ns", time_json(writing, &time));
    bm_json_put(&writing->writer, row, "time_ns_uncontaminated", json_null());
    for (size_t i = 0; i < BM_COUNT_OF(rates); i++)
        replace(writing, row, rates[i], bm_merge_number(row, rates[i]) * own / time.median);
    for (size_t i = 0; bm_merge_row_fields[i] != NULL; i++) {
        const struct bm_results_time middle =
            estimate(writing, base, base + BM_MERGE_FIELDS + i, &known, &other);
        replace(writing, row, bm_merge_row_fields[i], middle.median);
        if (strcmp(bm_merge_row_fields[i], "utilization.roofline_efficiency") == 0)
            put_efficiency_interval(writing, row, &middle, other);
    }
    shape |= put_rounds(writing, row, base, count);
    bm_json_put_flags(&writing->writer, row, "flags", shape, writing->merge->options.flag_name);
}

static void put_rows(struct writing *writing) {
    const struct bm_merge *merge = writing->merge;
    json_t *rows = bm_json_array(&writing->writer);
    for (size_t r = 0; r < merge->row_count; r++) {
        const size_t base = r * bm_merge_row_slots();
        const size_t count = column(writing, base, base, writing->line);
        const bool is_good = merge->rows[r].failed == 0 && merge->rows[r].good != NULL && count > 0 &&
                             (2 * count >= merge->round_count || merge->rows[r].bad == NULL);
        json_t *row =
            json_deep_copy(is_good || merge->rows[r].bad == NULL ? merge->rows[r].good : merge->rows[r].bad);
        if (is_good)
            put_measured(writing, row, base);
        else
            bm_json_put(&writing->writer, row, "rounds", bm_json_array(&writing->writer));
        bm_json_append(&writing->writer, rows, row);
    }
    bm_json_put(&writing->writer, writing->root, "results", rows);
}

/* ---- devices ---- */

static size_t put_ceilings(struct writing *writing, json_t *device, size_t base) {
    size_t i;
    json_t *ceiling;
    json_array_foreach(json_object_get(device, "ceilings"), i, ceiling) {
        size_t count;
        unsigned unused;
        const struct bm_results_time value = estimate(writing, base, base, &count, &unused);
        if (json_is_number(json_object_get(ceiling, "value")) && count > 0)
            bm_json_put_interval(&writing->writer, ceiling, "ci", value.low, value.high);
        for (size_t k = 0; bm_merge_ceiling_fields[k] != NULL; k++) {
            const struct bm_results_time middle = estimate(writing, base, base + k, &count, &unused);
            replace(writing, ceiling, bm_merge_ceiling_fields[k], middle.median);
        }
        base += bm_merge_ceiling_slots();
    }
    return base;
}

struct sums {
    double ns, roofline_ns, flops, bytes;
};

static const json_t *find_row(const json_t *root, const json_t *device, const json_t *summary,
                              const json_t *key) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(root, "results"), i, row) {
        if (json_equal(json_object_get(row, "key"), key) &&
            json_equal(json_object_get(row, "device"), json_object_get(device, "id")) &&
            json_equal(json_object_get(row, "backend"), json_object_get(summary, "backend")))
            return row;
    }
    return NULL;
}

/* false: a row of them is not measured. */
static bool sum_up(const json_t *root, const json_t *device, const json_t *summary, struct sums *sums) {
    size_t i;
    json_t *use;
    *sums = (struct sums){0};
    json_array_foreach(json_object_get(summary, "rows"), i, use) {
        const json_t *row = find_row(root, device, summary, json_object_get(use, "key"));
        const double count = bm_merge_number(use, "count"), ns = bm_merge_number(row, "time_ns.median");
        if (!(ns > 0))
            return false;
        sums->ns += count * ns;
        sums->roofline_ns += count * ns * bm_merge_number(row, "utilization.roofline_efficiency");
        sums->flops += count * bm_merge_number(row, "flops");
        sums->bytes += count * bm_merge_number(row, "bytes");
    }
    return sums->ns > 0;
}

/* A forward pass of which a part is not measured any more has no figures: they would be of another pass. */
static void put_summaries(struct writing *writing, const json_t *pattern_device, json_t *device) {
    json_t *kept = bm_json_array(&writing->writer), *summary;
    size_t i;
    json_array_foreach(json_object_get(device, "summary"), i, summary) {
        struct sums before, now;
        if (json_array_size(json_object_get(summary, "rows")) > 0) {
            if (!sum_up(writing->merge->pattern, pattern_device, summary, &before) ||
                !sum_up(writing->root, device, summary, &now))
                continue;
            replace(writing, summary, "tokens_per_s",
                    bm_merge_number(summary, "tokens_per_s") * before.ns / now.ns);
            replace(writing, summary, "mfu", bm_merge_number(summary, "mfu") * before.ns / now.ns);
            replace(writing, summary, "mbu", bm_merge_number(summary, "mbu") * before.ns / now.ns);
            replace(writing, summary, "roofline_efficiency", now.roofline_ns / now.ns);
        }
        bm_json_append(&writing->writer, kept, json_incref(summary));
    }
    bm_json_put(&writing->writer, device, "summary", kept);
}

static void put_devices(struct writing *writing) {
    const json_t *patterns = json_object_get(writing->merge->pattern, "devices");
    size_t base = writing->merge->row_count * bm_merge_row_slots(), i;
    json_t *device;
    json_array_foreach(json_object_get(writing->root, "devices"), i, device) {
        base = put_ceilings(writing, device, base);
        put_summaries(writing, json_array_get(patterns, i), device);
    }
}

/* ---- the whole ---- */

static void put_head(struct writing *writing, bool complete) {
    const struct bm_merge *merge = writing->merge;
    json_t *ab = bm_json_object(&writing->writer);
    json_t *command = bm_merge_member(writing->root, "settings.command");
    bm_json_put_text(&writing->writer, ab, "id", merge->options.ab_id);
    bm_json_put_text(&writing->writer, ab, "side", merge->options.side);
    bm_json_put(&writing->writer, writing->root, "ab", ab);
    bm_json_put_text(&writing->writer, writing->root, "id", merge->id);
    bm_json_put_bool(&writing->writer, writing->root, "complete", complete);
    for (unsigned i = 0; i < merge->options.words_added && json_array_size(command) > 0; i++)
        json_array_remove(command, json_array_size(command) - 1);
}

enum bm_status bm_merge_write(const struct bm_merge *merge, const char *path, bool complete,
                              struct bm_error *error) {
    struct writing writing = {.merge = merge};
    char *dumped = NULL;
    struct bm_text text = {0};
    enum bm_status status;
    if (merge->round_count == 0)
        return bm_fail(error, BM_INTERNAL, "%s: there is no round to write", path);
    writing.root = json_deep_copy(merge->pattern);
    writing.line = bm_alloc(merge->round_count, sizeof *writing.line);
    writing.place = bm_alloc(merge->round_count, sizeof *writing.place);
    if (writing.root != NULL && writing.line != NULL && writing.place != NULL) {
        put_rows(&writing);
        put_devices(&writing);
        put_head(&writing, complete);
        dumped =
            writing.writer.failed ? NULL : json_dumps(writing.root, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    }
    if (dumped != NULL)
        bm_text_append(&text, "%s\n", dumped);
    status = dumped != NULL && !text.failed
                 ? bm_file_write_atomic(path, text.data, text.length, error)
                 : bm_fail(error, BM_NO_MEMORY, "%s: out of memory while writing", path);
    free(dumped);
    bm_text_fini(&text);
    free(writing.line);
    free(writing.place);
    json_decref(writing.root);
    return status;
}
