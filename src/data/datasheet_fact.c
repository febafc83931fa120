/* Facts of a datasheet: a value, its status and its sources. */
#include "datasheet_fact.h"

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

enum bm_status bm_fact_read_source(const struct bm_json *at, void *unused, struct bm_error *error) {
    enum bm_status status = bm_json_check_text(at, unused, error);
    if (status != BM_OK)
        return status;
    struct bm_json sources = bm_json_member(bm_json_root(at), "sources");
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

static const struct bm_json_field source_item = {.kind = BM_JSON_CUSTOM, .read = bm_fact_read_source};
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

enum bm_status bm_fact_read_date(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, date_fact, BM_COUNT_OF(date_fact), &fact, error);
    if (status == BM_OK)
        bm_string_set(field, sizeof fact.text, fact.text);
    return status;
}

enum bm_status bm_fact_read_units(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    *(uint32_t *)field = status == BM_OK ? (uint32_t)fact.value : 0;
    return status;
}

enum bm_status bm_fact_read_figure(const struct bm_json *at, void *field, struct bm_error *error) {
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    *(double *)field = fact.value;
    return status;
}

enum bm_status bm_fact_read_bandwidth(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    struct fact fact;
    enum bm_status status = read_fact(at, number_fact, BM_COUNT_OF(number_fact), &fact, error);
    facts->bandwidth_gbs = fact.value;
    facts->bandwidth_status = (enum bm_fact_status)fact.status;
    return status;
}

enum bm_status bm_fact_check_figure(const struct bm_json *at, void *unused, struct bm_error *error) {
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

enum bm_status bm_fact_read_peaks(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    return read_rates(at, 1000.0, facts->peaks, BM_COUNT_OF(facts->peaks), &facts->peak_count, error);
}

enum bm_status bm_fact_read_per_cycle(const struct bm_json *at, void *field, struct bm_error *error) {
    struct bm_datasheet *facts = field;
    return read_rates(at, 1.0, facts->per_cycle, BM_COUNT_OF(facts->per_cycle), &facts->per_cycle_count,
                      error);
}

enum bm_status bm_fact_read_sources(const struct bm_json *at, void *unused, struct bm_error *error) {
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
