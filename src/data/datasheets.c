/* datasheets.c - bench/devices: what the makers say of their hardware, and how far each figure is known. */
#include "datasheet_sheet.h"
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

static const char *const status_words[] = {"unknown", "verified", "derived", "recalled", NULL};

const char *bm_fact_status_name(enum bm_fact_status status) {
    return (size_t)status < BM_COUNT_OF(status_words) - 1 ? status_words[status] : status_words[0];
}

/* Units that do arithmetic. _dot: several products a lane and instruction, on the vector unit. */
static const char *const pipe_words[] = {
    "f64_vector",  "f32_vector", "f16_vector", "i32_vector",  "i8_vector",  "bf16_dot",
    "i8_dot",      "f64_matrix", "f32_matrix", "tf32_matrix", "f16_matrix", "f16_matrix_f16acc",
    "bf16_matrix", "fp8_matrix", "fp4_matrix", "i8_matrix",   "i4_matrix",  NULL,
};

/* The file's content: the sheet, and what is kept for the reader of the file. */
struct sheet_file {
    struct bm_sheet sheet;
    int kind;
    char device_class[32], compute_capability[8], source[320];
    char names_seen[16][96];
    unsigned names_seen_count, conflict_count, memory_count;
    uint32_t devices_per_board;
};

/* ---- facts: a value, its status and its sources ---- */

static const struct bm_json *root_of(const struct bm_json *at) {
    while (at->parent != NULL)
        at = at->parent;
    return at;
}

/* A short name that $.sources explains. */
static enum bm_status read_source_name(const struct bm_json *at, void *unused, struct bm_error *error) {
    enum bm_status status = bm_json_check_text(at, unused, error);
    if (status != BM_OK)
        return status;
    struct bm_json sources = bm_json_member(root_of(at), "sources");
    if (json_object_get(sources.value, json_string_value(at->value)) == NULL)
        return bm_json_fail(at, error, "names no source of $.sources (is \"%.40s\")",
                            json_string_value(at->value));
    return BM_OK;
}

struct fact {
    double value;
    char text[16]; /* of a date */
    int status;
    unsigned seen_count;
};

static const struct bm_json_field source_item = {.kind = BM_JSON_CUSTOM, .read = read_source_name};
#define FACT(member) offsetof(struct fact, member)
#define FACT_COMMON                                                                                          \
    {.key = "status",                                                                                        \
     .kind = BM_JSON_WORD,                                                                                   \
     .required = true,                                                                                       \
     .offset = FACT(status),                                                                                 \
     .words = status_words},                                                                                 \
    {                                                                                                        \
        .key = "seen_in", .kind = BM_JSON_LIST, .item = &source_item, .capacity = 16,                        \
        .count_offset = FACT(seen_count)                                                                     \
    }

static const struct bm_json_field number_fact[] = {
    {.key = "value",
     .kind = BM_JSON_NUMBER,
     .required = true,
     .offset = FACT(value),
     .minimum = 1e-6,
     .maximum = 1e9},
    FACT_COMMON,
};
static const struct bm_json_field date_fact[] = {
    {.key = "value", .kind = BM_JSON_TEXT, .required = true, .offset = FACT(text), .size = 16},
    FACT_COMMON,
};

static enum bm_status read_fact(const struct bm_json *at, const struct bm_json_field *fields, size_t count,
                                struct fact *fact, struct bm_error *error) {
    *fact = (struct fact){0};
    enum bm_status status = bm_json_read(at, fields, count, fact, error);
    if (status == BM_OK && fact->status == BM_FACT_VERIFIED && fact->seen_count == 0)
        return bm_json_fail(at, error, "is \"verified\" without \"seen_in\"; name the source");
    return status;
}

static enum bm_status read_date(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, date_fact, BM_COUNT_OF(date_fact), &fact, error);
    if (status == BM_OK)
        bm_string_set(field, sizeof fact.text, fact.text);
    return status;
}

static enum bm_status read_units(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    *(uint32_t *)field = status == BM_OK ? (uint32_t)fact.value : 0;
    return status;
}

static enum bm_status read_figure(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    *(double *)field = fact.value;
    return status;
}

static enum bm_status read_bandwidth(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    facts->bandwidth_gbs = fact.value;
    facts->bandwidth_status = (enum bm_fact_status)fact.status;
    return status;
}

static enum bm_status check_figure(const struct bm_json *at, void *unused, struct bm_error *error) {
    struct fact fact;
    (void)unused;
    return read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
}

/* {"f32_vector": fact, ...} into peaks, each value times scale. */
static enum bm_status read_rates(const struct bm_json *at, double scale, struct bm_peak *peaks,
                                 size_t capacity, unsigned *count, struct bm_error *error) {
    const char *key;
    json_t *value;
    struct fact fact;
    *count = 0;
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    if (status != BM_OK)
        return status;
    json_object_foreach(at->value, key, value) {
        struct bm_json member = bm_json_member(at, key);
        size_t known = 0;
        while (pipe_words[known] != NULL && strcmp(pipe_words[known], key) != 0)
            known++;
        if (pipe_words[known] == NULL) {
            const char *nearest = bm_string_nearest(key, pipe_words, BM_COUNT_OF(pipe_words) - 1);
            return bm_json_fail(&member, error, "unknown pipe; did you mean '%s'?",
                                nearest != NULL ? nearest : "f32_vector");
        }
        if (*count == capacity)
            return bm_json_fail(at, error, "must have at most %zu pipes", capacity);
        status = read_fact(&member, number_fact, BM_COUNT_OF(number_fact), &fact, error);
        if (status != BM_OK)
            return status;
        struct bm_peak *peak = &peaks[(*count)++];
        bm_string_set(peak->pipe, sizeof peak->pipe, key);
        peak->gflops = fact.value * scale;
        peak->status = (enum bm_fact_status)fact.status;
    }
    return BM_OK;
}

static enum bm_status read_peaks(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    return read_rates(at, 1000.0, facts->peaks, BM_COUNT_OF(facts->peaks), &facts->peak_count, error);
}

static enum bm_status read_per_cycle(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    return read_rates(at, 1.0, facts->per_cycle, BM_COUNT_OF(facts->per_cycle), &facts->per_cycle_count,
                      error);
}

static enum bm_status read_sources(const struct bm_json *at, void *unused, struct bm_error *error) {
    const char *key;
    json_t *value;
    enum bm_status status = bm_json_want(at, JSON_OBJECT, error);
    json_object_foreach(at->value, key, value) {
        struct bm_json member = bm_json_member(at, key);
        if (status == BM_OK)
            status = bm_json_check_text(&member, unused, error);
    }
    return status;
}

/* ---- the tables ---- */

#define AT(member)   offsetof(struct sheet_file, member)
#define SIZE(member) sizeof(((struct sheet_file *)0)->member)
#define TEXT_FIELD(name, needed, member)                                                                     \
    { .key = name, .kind = BM_JSON_TEXT, .required = needed, .offset = AT(member), .size = SIZE(member) }
#define TEXTS_FIELD(name, needed, member, count_member, one)                                                 \
    {                                                                                                        \
        .key = name, .kind = BM_JSON_LIST, .required = needed, .offset = AT(member),                         \
        .size = SIZE(member[0]), .item = &one, .capacity = SIZE(member) / SIZE(member[0]),                   \
        .count_offset = AT(count_member)                                                                     \
    }
#define FACT_FIELD(name, reader, member)                                                                     \
    { .key = name, .kind = BM_JSON_CUSTOM, .offset = AT(member), .read = reader }

static const struct bm_json_field name_item = {.kind = BM_JSON_TEXT, .size = 96};
static const struct bm_json_field exclude_item = {.kind = BM_JSON_TEXT, .size = 24};
static const struct bm_json_field gib_item = {.kind = BM_JSON_NUMBER, .minimum = 0.01, .maximum = 1e6};

static const struct bm_json_field match_fields[] = {
    TEXTS_FIELD("names", true, sheet.names, sheet.name_count, name_item),
    TEXTS_FIELD("exclude", false, sheet.exclude, sheet.exclude_count, exclude_item),
    {.key = "gfx_target", .kind = BM_JSON_ID, .offset = AT(sheet.gfx_target), .size = SIZE(sheet.gfx_target)},
    {.key = "compute_units",
     .kind = BM_JSON_U32,
     .offset = AT(sheet.reported_units),
     .minimum = 1,
     .maximum = 65536},
    TEXTS_FIELD("memory_gib", false, sheet.memory_gib, memory_count, gib_item),
    TEXTS_FIELD("names_seen", false, names_seen, names_seen_count, name_item),
};
static const struct bm_json_field figure_fields[] = {
    FACT_FIELD("compute_units", read_units, sheet.facts.compute_units),
    FACT_FIELD("boost_mhz", read_units, sheet.facts.boost_mhz),
    FACT_FIELD("memory_gb", read_figure, sheet.facts.memory_gb),
    FACT_FIELD("bandwidth_gbs", read_bandwidth, sheet.facts),
    FACT_FIELD("tdp_watts", read_figure, sheet.facts.tdp_watts),
    FACT_FIELD("l2_mb", check_figure, sheet.facts),
    FACT_FIELD("l3_mb", check_figure, sheet.facts),
    FACT_FIELD("launch_price_usd", check_figure, sheet.facts),
};

/* What another source says instead. */
struct conflict {
    char figure[32];
    double value;
};
static const struct bm_json_field conflict_fields[] = {
    {.key = "figure",
     .kind = BM_JSON_TEXT,
     .required = true,
     .offset = offsetof(struct conflict, figure),
     .size = 32},
    {.key = "value",
     .kind = BM_JSON_NUMBER,
     .required = true,
     .offset = offsetof(struct conflict, value),
     .minimum = 0,
     .maximum = 1e9},
    {.key = "source", .kind = BM_JSON_CUSTOM, .required = true, .read = read_source_name},
};

static enum bm_status read_conflict(const struct bm_json *at, void *unused, struct bm_error *error) {
    struct conflict conflict;
    (void)unused;
    enum bm_status status = bm_json_read(at, conflict_fields, BM_COUNT_OF(conflict_fields), &conflict, error);
    if (status != BM_OK)
        return status;
    struct bm_json figures = bm_json_member(root_of(at), "figures");
    struct bm_json peaks = bm_json_member(root_of(at), "peaks_tflops");
    if (json_object_get(figures.value, conflict.figure) == NULL &&
        json_object_get(peaks.value, conflict.figure) == NULL)
        return bm_json_fail(at, error, "names no figure of this file (is \"%s\")", conflict.figure);
    return BM_OK;
}

static const struct bm_json_field conflict_item = {.kind = BM_JSON_CUSTOM, .read = read_conflict};
static const char *const kind_words[] = {"gpu", "cpu", NULL};

static const struct bm_json_field sheet_fields[] = {
    {.key = "id", .kind = BM_JSON_ID, .required = true, .offset = AT(sheet.facts.id), .size = BM_ID_SIZE},
    TEXT_FIELD("name", true, sheet.facts.name),
    {.key = "kind", .kind = BM_JSON_WORD, .required = true, .offset = AT(kind), .words = kind_words},
    TEXT_FIELD("vendor", true, sheet.facts.vendor),
    TEXT_FIELD("class", false, device_class),
    TEXT_FIELD("architecture", true, sheet.facts.architecture),
    TEXT_FIELD("cuda_compute_capability", false, compute_capability),
    {.key = "released",
     .kind = BM_JSON_CUSTOM,
     .required = true,
     .offset = AT(sheet.facts.released),
     .read = read_date},
    {.key = "match",
     .kind = BM_JSON_OBJECT,
     .required = true,
     .fields = match_fields,
     .field_count = BM_COUNT_OF(match_fields)},
    {.key = "devices_per_board",
     .kind = BM_JSON_U32,
     .offset = AT(devices_per_board),
     .minimum = 1,
     .maximum = 64},
    {.key = "figures",
     .kind = BM_JSON_OBJECT,
     .required = true,
     .fields = figure_fields,
     .field_count = BM_COUNT_OF(figure_fields)},
    FACT_FIELD("peaks_tflops", read_peaks, sheet.facts),
    FACT_FIELD("flops_per_cycle_per_core", read_per_cycle, sheet.facts),
    {.key = "conflicts",
     .kind = BM_JSON_LIST,
     .item = &conflict_item,
     .capacity = 32,
     .count_offset = AT(conflict_count)},
    TEXT_FIELD("source", true, source),
    {.key = "sources", .kind = BM_JSON_CUSTOM, .read = read_sources},
    TEXT_FIELD("note", false, sheet.facts.note),
};

/* ---- one file ---- */

static enum bm_status compile_names(const struct bm_json *root, struct bm_sheet *sheet,
                                    struct bm_error *error) {
    struct bm_json match = bm_json_member(root, "match"), names = bm_json_member(&match, "names");
    for (unsigned i = 0; i < sheet->name_count; i++) {
        struct bm_json at = bm_json_element(&names, i);
        int code = regcomp(&sheet->compiled[i], sheet->names[i], REG_EXTENDED | REG_ICASE | REG_NOSUB);
        if (code != 0) {
            char reason[96];
            regerror(code, &sheet->compiled[i], reason, sizeof reason);
            return bm_json_fail(&at, error, "is no regular expression: %s", reason);
        }
        sheet->compiled_count++;
    }
    return BM_OK;
}

static enum bm_status check_sheet(const struct bm_json *root, const struct sheet_file *file,
                                  const struct bm_sheet *sheet, struct bm_error *error) {
    struct bm_json match = bm_json_member(root, "match"), seen = bm_json_member(&match, "names_seen");
    struct bm_json memory = bm_json_member(&match, "memory_gib");
    if (memory.value != NULL && (file->memory_count != 2 || sheet->memory_gib[0] > sheet->memory_gib[1]))
        return bm_json_fail(&memory, error, "must be the least and the most, as [20.4, 24.7]");
    for (unsigned i = 0; i < file->names_seen_count; i++) {
        struct bm_json at = bm_json_element(&seen, i);
        if (!bm_sheet_is_named(sheet, file->names_seen[i]))
            return bm_json_fail(&at, error, "is not matched by $.match.names (is \"%s\")",
                                file->names_seen[i]);
    }
    return BM_OK;
}

static void discard_sheet(struct bm_sheet *sheet) {
    for (unsigned i = 0; i < sheet->compiled_count; i++)
        regfree(&sheet->compiled[i]);
    free(sheet);
}

/* The sheet of a file that was read; the caller frees it with discard_sheet. */
static enum bm_status make_sheet(const struct bm_json *root, struct sheet_file *file, struct bm_sheet **sheet,
                                 struct bm_error *error) {
    *sheet = bm_alloc(1, sizeof **sheet);
    if (*sheet == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while reading datasheets");
    file->sheet.facts.is_cpu = file->kind == 1;
    **sheet = file->sheet;
    enum bm_status status = compile_names(root, *sheet, error);
    if (status == BM_OK)
        status = check_sheet(root, file, *sheet, error);
    if (status != BM_OK) {
        discard_sheet(*sheet);
        *sheet = NULL;
    }
    return status;
}

static enum bm_status add_sheet(const char *path, void *context, struct bm_error *error) {
    struct bm_datasheets *sheets = context;
    struct sheet_file file = {0};
    struct bm_sheet *sheet = NULL;
    json_t *value = NULL;
    enum bm_status status = bm_json_load(path, BM_JSON_INPUT_LIMIT, &value, error);
    if (status != BM_OK)
        return status;
    struct bm_json root = {.file = path, .value = value};
    status = bm_json_read(&root, sheet_fields, BM_COUNT_OF(sheet_fields), &file, error);
    if (status == BM_OK)
        status = bm_json_check_file_name(path, "id", file.sheet.facts.id, error);
    if (status == BM_OK)
        status = bm_grow(&sheets->items, &sheets->capacity, sheets->count + 1, sizeof *sheets->items, error);
    if (status == BM_OK)
        status = make_sheet(&root, &file, &sheet, error);
    if (status == BM_OK)
        sheets->items[sheets->count++] = sheet;
    json_decref(value);
    return status;
}

/* ---- all of them ---- */

enum bm_status bm_datasheets_open(struct bm_datasheets **sheets, struct bm_error *error) {
    *sheets = NULL;
    struct bm_datasheets *opened = bm_alloc(1, sizeof *opened);
    if (opened == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while reading datasheets");
    enum bm_status status = bm_json_each_file("devices", add_sheet, opened, error);
    if (status != BM_OK) {
        bm_datasheets_close(opened);
        return status;
    }
    *sheets = opened;
    return BM_OK;
}

void bm_datasheets_close(struct bm_datasheets *sheets) {
    if (sheets == NULL)
        return;
    for (size_t i = 0; i < sheets->count; i++)
        discard_sheet(sheets->items[i]);
    free(sheets->items);
    free(sheets);
}

size_t bm_datasheets_count(const struct bm_datasheets *sheets) {
    return sheets->count;
}

const struct bm_datasheet *bm_datasheets_get(const struct bm_datasheets *sheets, size_t index) {
    return index < sheets->count ? &sheets->items[index]->facts : NULL;
}
