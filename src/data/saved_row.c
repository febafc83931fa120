/* The rows of a results file. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "saved_tables.h"

enum { MAX_ROUNDS = 10000 };

static const char *const status_names[] = {[BM_SAVED_OK] = "ok",
                                           [BM_SAVED_SKIPPED] = "skipped",
                                           [BM_SAVED_FAILED] = "failed",
                                           [BM_SAVED_INVALID] = "invalid"};

const char *bm_saved_status_name(enum bm_saved_status status) {
    return status_names[status];
}

static enum bm_status read_flag(struct bm_stream *stream, void *target, const char *key) {
    const struct bm_saved_options *options = stream->context;
    uint32_t *flags = target;
    char name[40];
    size_t length;
    (void)key;
    enum bm_status status = bm_stream_text(stream, name, sizeof name, &length);
    if (status != BM_OK || options->flag_name == NULL)
        return status;
    for (uint32_t bit = 1; bit != 0 && options->flag_name(bit) != NULL; bit <<= 1)
        if (strcmp(options->flag_name(bit), name) == 0)
            *flags |= bit;
    return BM_OK;
}

enum bm_status bm_saved_read_flags(struct bm_stream *stream, void *target) {
    return bm_stream_peek(stream) == 'n' ? bm_stream_skip(stream)
                                         : bm_stream_each(stream, '[', read_flag, target);
}

/* A status of a newer version is none that a rate could be taken from. */
static enum bm_status read_status(struct bm_stream *stream, void *target) {
    enum bm_saved_status *value = target;
    char name[16];
    size_t length;
    enum bm_status status = bm_stream_text(stream, name, sizeof name, &length);
    *value = BM_SAVED_SKIPPED;
    for (size_t i = 0; i < BM_COUNT_OF(status_names); i++)
        if (strcmp(status_names[i], name) == 0)
            *value = (enum bm_saved_status)i;
    return status;
}

static enum bm_status read_verification(struct bm_stream *stream, void *target) {
    char name[16];
    size_t length;
    enum bm_status status = bm_stream_text(stream, name, sizeof name, &length);
    *(bool *)target = status == BM_OK && strcmp(name, "passed") == 0;
    return status;
}

struct kernel_parameters {
    char *text;
    struct bm_parameters values;
};

/* Names and values in the file's order, as far as they fit. */
static enum bm_status add_parameter(struct bm_stream *stream, void *target, const char *key) {
    struct kernel_parameters *parameters = target;
    const size_t size = SIZE_OF(struct bm_saved_row, kernel.parameters), used = strlen(parameters->text);
    double value;
    enum bm_status status = bm_stream_number(stream, &value);
    if (status == BM_OK) {
        char word[96];
        int length = snprintf(word, sizeof word, "%s%s=%.17g", used > 0 ? " " : "", key, value);
        if (length > 0 && used + (size_t)length < size)
            memcpy(parameters->text + used, word, (size_t)length + 1);
        /* Of values that are not as this program writes them: some hash, which then fits no kernel. */
        bm_parameters_set(&parameters->values, key, fabs(value) < 0x1p53 ? (int64_t)value : 0);
    }
    return status;
}

static enum bm_status read_parameters(struct bm_stream *stream, void *target) {
    struct bm_saved_row *row =
        (struct bm_saved_row *)((char *)target - offsetof(struct bm_saved_row, kernel.parameters));
    struct kernel_parameters parameters = {.text = row->kernel.parameters};
    enum bm_status status = bm_stream_peek(stream) == 'n'
                                ? bm_stream_skip(stream)
                                : bm_stream_each(stream, '{', add_parameter, &parameters);
    row->kernel.parameters_hash = bm_parameters_hash(&parameters.values);
    return status;
}

static const struct bm_stream_field round_fields[] = {
    NEEDED(COUNT, struct bm_saved_round, "start_ns", start_ns),
    NEEDED(COUNT, struct bm_saved_round, "ns", ns),
    NEEDED(COUNT, struct bm_saved_round, "launches", launches),
    CUSTOM(struct bm_saved_round, "flags", flags, bm_saved_read_flags),
};

/* Times are divided by the launches, and 0 ns is no time. */
static enum bm_status read_round(struct bm_stream *stream, void *target) {
    struct bm_saved_round *round = target;
    static const struct bm_stream_field fields = OBJECT("", round_fields);
    enum bm_status status = bm_stream_read_value(stream, &fields, round);
    if (status == BM_OK && (round->ns == 0 || round->launches == 0))
        return bm_stream_fail(stream, "must have ns and launches from 1");
    return status;
}
static const struct bm_stream_field round_item = {.kind = BM_STREAM_CUSTOM, .read = read_round};
static const struct bm_stream_field rounds_field =
    LIST(struct bm_saved_row, "rounds", rounds, round, &round_item, MAX_ROUNDS);

/* target is the row. */
static enum bm_status read_rounds(struct bm_stream *stream, void *target) {
    const struct bm_saved_options *options = stream->context;
    return options->rounds ? bm_stream_read_value(stream, &rounds_field, target) : bm_stream_skip(stream);
}

static const struct bm_stream_field case_fields[] = {
    FIELD(TEXT, struct bm_saved_row, "workload", the_case.workload),
    FIELD(TEXT, struct bm_saved_row, "model", the_case.model),
    FIELD(TEXT, struct bm_saved_row, "phase", the_case.phase),
    FIELD(TEXT, struct bm_saved_row, "op", the_case.op),
    FIELD(TEXT, struct bm_saved_row, "dtype", the_case.dtype),
    FIELD(COUNT32, struct bm_saved_row, "batch", the_case.batch),
    FIELD(COUNT32, struct bm_saved_row, "tokens", the_case.tokens),
    FIELD(COUNT32, struct bm_saved_row, "context", the_case.context),
    FIELD(BOOL, struct bm_saved_row, "hot", the_case.hot),
};
static const struct bm_stream_field verification_fields[] = {
    CUSTOM(struct bm_saved_row, "status", verified, read_verification),
};
static const struct bm_stream_field kernel_fields[] = {
    FIELD(PROSE, struct bm_saved_row, "variant", kernel.variant),
    FIELD(PROSE, struct bm_saved_row, "pipe", kernel.pipe),
    CUSTOM(struct bm_saved_row, "parameters", kernel.parameters, read_parameters),
    FIELD(COUNT32, struct bm_saved_row, "launches", kernel.launches),
};
static const struct bm_stream_field time_fields[] = {
    FIELD(NUMBER, struct bm_saved_row, "median", time.median),
    FIELD(INTERVAL, struct bm_saved_row, "ci", time.interval),
    FIELD(NUMBER, struct bm_saved_row, "confidence", time.confidence),
};
static const struct bm_stream_field clean_time_fields[] = {
    FIELD(NUMBER, struct bm_saved_row, "median", time_uncontaminated.median),
    FIELD(INTERVAL, struct bm_saved_row, "ci", time_uncontaminated.interval),
    FIELD(NUMBER, struct bm_saved_row, "confidence", time_uncontaminated.confidence),
};
static const struct bm_stream_field utilization_fields[] = {
    FIELD(TEXT, struct bm_saved_row, "bound", utilization.bound),
    FIELD(TEXT, struct bm_saved_row, "compute_ceiling", utilization.compute_ceiling),
    FIELD(TEXT, struct bm_saved_row, "memory_ceiling", utilization.memory_ceiling),
    FIELD(NUMBER, struct bm_saved_row, "roofline_efficiency", utilization.roofline_efficiency),
    FIELD(INTERVAL, struct bm_saved_row, "roofline_efficiency_ci", utilization.efficiency_interval),
    FIELD(NUMBER, struct bm_saved_row, "compute_of_datasheet", utilization.compute_of_datasheet),
    FIELD(NUMBER, struct bm_saved_row, "memory_of_datasheet", utilization.memory_of_datasheet),
};
static const struct bm_stream_field row_fields[] = {
    NEEDED(TEXT, struct bm_saved_row, "key", key),
    NEEDED(TEXT, struct bm_saved_row, "device", device),
    NEEDED(TEXT, struct bm_saved_row, "backend", backend),
    FIELD(TEXT, struct bm_saved_row, "measured_as", measured_as),
    FIELD(COUNT32, struct bm_saved_row, "threads", threads),
    OBJECT("case", case_fields),
    {.key = "status",
     .kind = BM_STREAM_CUSTOM,
     .required = true,
     .offset = offsetof(struct bm_saved_row, status),
     .read = read_status},
    FIELD(PROSE, struct bm_saved_row, "reason", reason),
    OBJECT("verification", verification_fields),
    OBJECT("kernel", kernel_fields),
    {.key = "rounds", .kind = BM_STREAM_CUSTOM, .offset = 0, .read = read_rounds},
    OBJECT("time_ns", time_fields),
    OBJECT("time_ns_uncontaminated", clean_time_fields),
    FIELD(NUMBER, struct bm_saved_row, "flops", flops),
    FIELD(NUMBER, struct bm_saved_row, "bytes", bytes),
    FIELD(NUMBER, struct bm_saved_row, "gflops", gflops),
    FIELD(NUMBER, struct bm_saved_row, "gbytes_per_s", gbytes_per_s),
    FIELD(NUMBER, struct bm_saved_row, "tokens_per_s", tokens_per_s),
    OBJECT("utilization", utilization_fields),
    CUSTOM(struct bm_saved_row, "flags", flags, bm_saved_read_flags),
};
const struct bm_stream_field bm_saved_row_item = OBJECT("", row_fields);
