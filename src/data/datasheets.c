/* datasheets.c - bench/devices: what the makers say of their hardware, and how far each figure is known. */
#include "datasheet_fact.h"
#include "datasheet_sheet.h"

#include <stdlib.h>

/* The file's content: the sheet, and what is kept for the reader of the file. */
struct sheet_file {
    struct bm_sheet sheet;
    int kind;
    char device_class[32], compute_capability[8], source[320];
    char names_seen[16][96];
    unsigned names_seen_count, conflict_count, memory_count;
    uint32_t devices_per_board;
};

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
    FACT_FIELD("compute_units", bm_fact_read_units, sheet.facts.compute_units),
    FACT_FIELD("boost_mhz", bm_fact_read_units, sheet.facts.boost_mhz),
    FACT_FIELD("memory_gb", bm_fact_read_figure, sheet.facts.memory_gb),
    FACT_FIELD("bandwidth_gbs", bm_fact_read_bandwidth, sheet.facts),
    FACT_FIELD("tdp_watts", bm_fact_read_figure, sheet.facts.tdp_watts),
    FACT_FIELD("l2_mb", bm_fact_check_figure, sheet.facts),
    FACT_FIELD("l3_mb", bm_fact_check_figure, sheet.facts),
    FACT_FIELD("launch_price_usd", bm_fact_check_figure, sheet.facts),
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
    {.key = "source", .kind = BM_JSON_CUSTOM, .required = true, .read = bm_fact_read_source},
};

static enum bm_status read_conflict(const struct bm_json *at, void *unused, struct bm_error *error) {
    struct conflict conflict;
    (void)unused;
    enum bm_status status = bm_json_read(at, conflict_fields, BM_COUNT_OF(conflict_fields), &conflict, error);
    if (status != BM_OK)
        return status;
    struct bm_json figures = bm_json_member(bm_json_root(at), "figures");
    struct bm_json peaks = bm_json_member(bm_json_root(at), "peaks_tflops");
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
     .read = bm_fact_read_date},
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
    FACT_FIELD("peaks_tflops", bm_fact_read_peaks, sheet.facts),
    FACT_FIELD("flops_per_cycle_per_core", bm_fact_read_per_cycle, sheet.facts),
    {.key = "conflicts",
     .kind = BM_JSON_LIST,
     .item = &conflict_item,
     .capacity = 32,
     .count_offset = AT(conflict_count)},
    TEXT_FIELD("source", true, source),
    {.key = "sources", .kind = BM_JSON_CUSTOM, .read = bm_fact_read_sources},
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
