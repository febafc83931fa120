#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "quantity.h"
#include "wrap.h"

static void add_flags(const struct bm_results *results, unsigned flags, const char *about,
                      struct bm_notes *notes) {
    for (unsigned bit = 1; bit != 0 && bit <= flags; bit <<= 1) {
        const char *name = (flags & bit) != 0 ? results->flag_name(bit) : NULL;
        if (name != NULL)
            bm_notes_add(notes, about, name);
    }
}

/* A table, if it has a row, and what it says beneath itself; consumes both. */
static enum bm_status render(struct bm_table *table, bool any_row, struct bm_notes *notes,
                             const struct bm_export_options *options, enum bm_status status,
                             struct bm_text *text, struct bm_error *error) {
    if (status == BM_OK && any_row)
        status = bm_table_render(table, text, error);
    bm_table_destroy(table);
    enum bm_status noted = bm_notes_append(notes, options->width, text, error);
    return status == BM_OK ? noted : status;
}

/* Half the interval, relative to the value; few rounds give none worth the name. */
static void write_half_width(char out[BM_QUANTITY_SIZE], double value, double low, double high,
                             double confidence) {
    double half = 100 * (high - low) / 2 / value;
    if (isfinite(half) && confidence >= 0.9)
        snprintf(out, BM_QUANTITY_SIZE, "%.1f", half);
    else
        snprintf(out, BM_QUANTITY_SIZE, "-");
}

/* Only long runs hold a ceiling for seconds. */
static bool any_steady(const struct bm_results_device *device) {
    bool any = false;
    for (size_t i = 0; i < device->ceiling_count; i++)
        any |= device->ceilings[i].steady > 0;
    return any;
}

static enum bm_status append_ceilings(const struct bm_results *results,
                                      const struct bm_results_device *device,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    static const struct bm_column columns[] = {{"CEILING", BM_ALIGN_WRAP}, {"BACKEND", BM_ALIGN_LEFT},
                                               {"RATE", BM_ALIGN_RIGHT},   {"UNIT", BM_ALIGN_LEFT},
                                               {"+/- %", BM_ALIGN_RIGHT},  {"BURST", BM_ALIGN_RIGHT},
                                               {"STEADY", BM_ALIGN_RIGHT}};
    const size_t column_count = BM_COUNT_OF(columns) - (any_steady(device) ? 0 : 1);
    struct bm_table *table;
    struct bm_notes notes = {0};
    if (device->ceiling_count == 0)
        return BM_OK;
    bm_text_append(text, "\n");
    enum bm_status status = bm_table_create(columns, column_count, options, &table, error);
    for (size_t i = 0; status == BM_OK && i < device->ceiling_count; i++) {
        const struct bm_results_ceiling *ceiling = &device->ceilings[i];
        char name[64], about[128], rate[BM_QUANTITY_SIZE], width[BM_QUANTITY_SIZE], burst[BM_QUANTITY_SIZE],
            steady[BM_QUANTITY_SIZE];
        snprintf(name, sizeof name, "%s%s%s%s%s", ceiling->resource, ceiling->pipe[0] != '\0' ? " " : "",
                 ceiling->pipe, ceiling->part[0] != '\0' ? ", " : "", ceiling->part);
        bm_quantity_number(rate, ceiling->value);
        bm_quantity_number(burst, ceiling->burst);
        bm_quantity_number(steady, ceiling->steady > 0 ? ceiling->steady : (double)NAN);
        write_half_width(width, ceiling->value, ceiling->low, ceiling->high, ceiling->confidence);
        snprintf(about, sizeof about, "%s %s", name, ceiling->backend);
        notes.rows++;
        add_flags(results, ceiling->flags, about, &notes);
        const char *cells[] = {name, ceiling->backend, rate, ceiling->unit, width, burst, steady};
        bm_table_add(table, cells);
    }
    if (device->flags != 0) {
        notes.rows++;
        add_flags(results, device->flags, device->id, &notes);
    }
    return render(table, true, &notes, options, status, text, error);
}

/* Tokens and context are in the shapes; a row that several contexts share belongs to none of them. */
static bool same_group(const struct bm_results_row *a, const struct bm_results_row *b) {
    return strcmp(a->device, b->device) == 0 && strcmp(a->backend, b->backend) == 0 &&
           strcmp(a->the_case.model, b->the_case.model) == 0 && a->the_case.phase == b->the_case.phase &&
           strcmp(a->the_case.dtype, b->the_case.dtype) == 0 && a->the_case.batch == b->the_case.batch;
}

static void append_group_title(const struct bm_results_row *row, const struct bm_export_options *options,
                               struct bm_text *text) {
    char title[256];
    snprintf(title, sizeof title, "%s %s %s, batch %u  (%s, %s)", row->the_case.model, row->the_case.phase,
             row->the_case.dtype, row->the_case.batch, row->device, row->backend);
    bm_text_append(text, "\n");
    bm_wrap_append(text, title, options->width, 2);
}

/* The part of the key between dtype and extras: "m128n4096k4096". */
static void write_shape(const struct bm_results_row *row, char shape[64]) {
    const char *at = row->key;
    for (int slash = 0; slash < 5 && at != NULL; slash++)
        at = strchr(at, '/') != NULL ? strchr(at, '/') + 1 : NULL;
    const char *kv = row->the_case.kv;
    snprintf(shape, 64, "%.*s%s%s", at != NULL ? (int)strcspn(at, "/") : 0, at != NULL ? at : "",
             kv != NULL ? "/kv" : "", kv != NULL ? kv : "");
}

/* Why a row has no rate, where its figures come from, and what to know of them. */
static void add_notes(const struct bm_results *results, const struct bm_results_row *row, const char *shape,
                      struct bm_notes *notes) {
    char about[128];
    struct bm_text note = {0};
    snprintf(about, sizeof about, "%s %s", row->the_case.op, shape);
    if (row->status != BM_ROW_OK)
        bm_text_append(&note, "%s: %s", bm_row_status_name(row->status), row->reason);
    else if (row->measured_as[0] != '\0')
        bm_text_append(&note, "measured as %s", row->measured_as);
    if (note.length > 0)
        bm_notes_add(notes, about, note.data);
    notes->failed |= note.failed;
    bm_text_fini(&note);
    if (row->status == BM_ROW_OK && row->measured_as[0] == '\0')
        add_flags(results, row->flags, about, notes);
}

/* A row's columns. The interval of ROOFLINE is told where a line has room for it. */
enum { ROW_COLUMNS = 9, EFFICIENCY_WIDTH = 7, ROOMY = 92 };

static size_t drop_efficiency_width(const void *from, void *to, size_t size) {
    memcpy(to, from, EFFICIENCY_WIDTH * size);
    memcpy((char *)to + EFFICIENCY_WIDTH * size, (const char *)from + (EFFICIENCY_WIDTH + 1) * size,
           (ROW_COLUMNS - EFFICIENCY_WIDTH - 1) * size);
    return ROW_COLUMNS - 1;
}

/* Returns whether it is in the table: why a row was skipped is said beneath. */
static bool add_row(const struct bm_results *results, const struct bm_results_row *row, bool is_roomy,
                    struct bm_table *table, struct bm_notes *notes) {
    char shape[64], time[BM_QUANTITY_SIZE], width[BM_QUANTITY_SIZE], gflops[BM_QUANTITY_SIZE];
    char gbytes[BM_QUANTITY_SIZE], efficiency[BM_QUANTITY_SIZE], efficiency_width[BM_QUANTITY_SIZE];
    const double share = row->utilization.bound != NULL ? row->utilization.roofline_efficiency : (double)NAN;
    write_shape(row, shape);
    notes->rows++;
    add_notes(results, row, shape, notes);
    if (row->status == BM_ROW_SKIPPED)
        return false;
    bm_quantity_time(time, row->time.median);
    write_half_width(width, row->time.median, row->time.low, row->time.high, row->time.confidence);
    bm_quantity_number(gflops, row->gflops);
    bm_quantity_number(gbytes, row->gbytes_per_s);
    bm_quantity_percent(efficiency, share);
    write_half_width(efficiency_width, share, row->utilization.efficiency_low,
                     row->utilization.efficiency_high, 0.95);
    const char *bound = row->utilization.bound != NULL ? row->utilization.bound : "-";
    const char *all[ROW_COLUMNS] = {row->the_case.op, shape, time, width, gflops, gbytes, efficiency,
                                    efficiency_width, bound},
               *cells[ROW_COLUMNS];
    memcpy(cells, all, sizeof all);
    if (!is_roomy)
        drop_efficiency_width(all, cells, sizeof *all);
    if (row->status == BM_ROW_FAILED || row->status == BM_ROW_INVALID)
        bm_table_add_alarm(table, cells);
    else
        bm_table_add(table, cells);
    return true;
}

static enum bm_status append_rows(const struct bm_results *results, const struct bm_results_device *device,
                                  const struct bm_export_options *options, struct bm_text *text,
                                  struct bm_error *error) {
    static const struct bm_column all[ROW_COLUMNS] = {
        {"OP", BM_ALIGN_LEFT},        {"SHAPE", BM_ALIGN_WRAP},    {"TIME", BM_ALIGN_RIGHT},
        {"+/- %", BM_ALIGN_RIGHT},    {"GFLOP/s", BM_ALIGN_RIGHT}, {"GB/s", BM_ALIGN_RIGHT},
        {"ROOFLINE", BM_ALIGN_RIGHT}, {"+/- %", BM_ALIGN_RIGHT},   {"BOUND", BM_ALIGN_LEFT}};
    const bool is_roomy = options->width == 0 || options->width >= ROOMY;
    struct bm_column columns[ROW_COLUMNS];
    size_t column_count = ROW_COLUMNS;
    enum bm_status status = BM_OK;
    memcpy(columns, all, sizeof all);
    if (!is_roomy)
        column_count = drop_efficiency_width(all, columns, sizeof *all);
    for (size_t i = 0; status == BM_OK && i < results->row_count;) {
        const struct bm_results_row *first = &results->rows[i];
        struct bm_table *table;
        struct bm_notes notes = {0};
        bool any = false;
        if (strcmp(first->device, device->id) != 0 || first->the_case.dtype[0] == '\0') {
            i++; /* another device's, or a ceiling */
            continue;
        }
        append_group_title(first, options, text);
        status = bm_table_create(columns, column_count, options, &table, error);
        for (; status == BM_OK && i < results->row_count && same_group(first, &results->rows[i]); i++)
            any |= add_row(results, &results->rows[i], is_roomy, table, &notes);
        status = render(table, any, &notes, options, status, text, error);
    }
    return status;
}

static bool is_lacking(const struct bm_results_summary *summary, const char *name) {
    for (unsigned i = 0; i < summary->lacking_count; i++)
        if (strcmp(summary->lacking[i], name) == 0)
            return true;
    return false;
}

/* Missing operations: those without which there is no figure of the pass, or the others. */
static void add_missing(const struct bm_results_summary *summary, bool lacking, const char *title,
                        struct bm_notes *notes) {
    char about[128];
    struct bm_text names = {0};
    for (unsigned i = 0; i < summary->missing_count; i++)
        if (is_lacking(summary, summary->missing[i]) == lacking)
            bm_text_append(&names, "%s %s", names.length > 0 ? "" : title, summary->missing[i]);
    snprintf(about, sizeof about, "%s %s %s", summary->model, summary->phase, summary->dtype);
    if (names.length > 0)
        bm_notes_add(notes, about, names.data);
    notes->failed |= names.failed;
    bm_text_fini(&names);
}

/* Of a pass none of whose operations was measured there is nothing to tell. */
static bool is_known(const struct bm_results_summary *summary) {
    return summary->op_count > 0;
}

static void add_summary(const struct bm_results_summary *summary, struct bm_table *table,
                        struct bm_notes *notes) {
    char dtype[32], batch[16], length[16], rate[BM_QUANTITY_SIZE], efficiency[BM_QUANTITY_SIZE],
        mfu[BM_QUANTITY_SIZE], mbu[BM_QUANTITY_SIZE];
    snprintf(dtype, sizeof dtype, "%s%s%s", summary->dtype, summary->kv[0] != '\0' ? "/kv" : "", summary->kv);
    snprintf(batch, sizeof batch, "%u", summary->batch);
    snprintf(length, sizeof length, "%u", summary->context > 0 ? summary->context : summary->tokens);
    bm_quantity_number(rate, summary->tokens_per_s);
    bm_quantity_percent(efficiency, summary->roofline_efficiency);
    bm_quantity_percent(mfu, summary->mfu);
    bm_quantity_percent(mbu, summary->mbu);
    const char *cells[] = {summary->model, summary->phase, dtype, batch, length, rate, efficiency, mfu, mbu};
    bm_table_add(table, cells);
    notes->rows++;
    add_missing(summary, true, "no figure of the pass without", notes);
    add_missing(summary, false, "not counted:", notes);
}

/* MFU and MBU need a datasheet. */
static bool any_utilization(const struct bm_results_device *device) {
    bool any = false;
    for (size_t i = 0; i < device->summary_count; i++)
        any |= isfinite(device->summaries[i].mfu) || isfinite(device->summaries[i].mbu);
    return any;
}

/* A table for each backend, which is told where a device has several. */
static enum bm_status append_summary(const struct bm_results_device *device,
                                     const struct bm_export_options *options, struct bm_text *text,
                                     struct bm_error *error) {
    static const struct bm_column columns[] = {
        {"MODEL", BM_ALIGN_WRAP},     {"PHASE", BM_ALIGN_LEFT},   {"DTYPE", BM_ALIGN_LEFT},
        {"BATCH", BM_ALIGN_RIGHT},    {"LENGTH", BM_ALIGN_RIGHT}, {"TOKENS/s", BM_ALIGN_RIGHT},
        {"ROOFLINE", BM_ALIGN_RIGHT}, {"MFU", BM_ALIGN_RIGHT},    {"MBU", BM_ALIGN_RIGHT}};
    const size_t column_count = BM_COUNT_OF(columns) - (any_utilization(device) ? 0 : 2);
    enum bm_status status = BM_OK;
    for (size_t i = 0; status == BM_OK && i < device->summary_count;) {
        const char *backend = device->summaries[i].backend;
        struct bm_table *table;
        struct bm_notes notes = {0};
        status = bm_table_create(columns, column_count, options, &table, error);
        for (; status == BM_OK && i < device->summary_count &&
               strcmp(device->summaries[i].backend, backend) == 0;
             i++)
            if (is_known(&device->summaries[i]))
                add_summary(&device->summaries[i], table, &notes);
        const bool any = notes.rows > 0;
        if (any)
            bm_text_append(text, "\n");
        if (any && device->backend_count > 1)
            bm_text_append(text, "whole passes  (%s, %s)\n", device->id, backend);
        status = render(table, any, &notes, options, status, text, error);
    }
    return status;
}

/* Name and what is known of the size. */
static void append_title(const struct bm_results_device *device, const struct bm_export_options *options,
                         struct bm_text *text) {
    char memory[BM_QUANTITY_SIZE];
    struct bm_text title = {0};
    bm_text_append(&title, "%s: %s", device->id, device->name);
    if (device->compute_units > 0)
        bm_text_append(&title, ", %u %s", device->compute_units, device->is_gpu ? "compute units" : "cores");
    bm_quantity_bytes(memory, (double)device->memory_bytes);
    if (device->memory_bytes > 0)
        bm_text_append(&title, ", %s", memory);
    text->failed |= title.failed;
    bm_wrap_append(text, title.data != NULL ? title.data : "", options->width, 2);
    bm_text_fini(&title);
    if (device->datasheet != NULL)
        bm_text_append(text, "datasheet: %s\n", device->datasheet->id);
}

enum bm_status bm_export_results_text(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (size_t d = 0; status == BM_OK && d < results->device_count; d++) {
        const struct bm_results_device *device = &results->devices[d];
        bm_text_append(text, "%s", d > 0 ? "\n" : "");
        append_title(device, options, text);
        status = append_ceilings(results, device, options, text, error);
        if (status == BM_OK)
            status = append_rows(results, device, options, text, error);
        if (status == BM_OK)
            status = append_summary(device, options, text, error);
    }
    return status;
}
