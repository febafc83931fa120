/* commands.c - what a user runs to measure what is missing. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Up to three of first..last: its ends and its middle. */
static void append_range(struct bm_text *text, uint32_t first, uint32_t last) {
    const uint32_t middle = first + (last - first) / 2;
    bm_text_append(text, "%u", first);
    if (middle > first)
        bm_text_append(text, ",%u", middle);
    if (last > middle)
        bm_text_append(text, ",%u", last);
}

static bool lacks(const struct bm_serving_point *point, enum bm_phase phase) {
    for (size_t i = 0; i < point->missing_count; i++)
        if (point->missing[i].phase == phase && (point->missing[i].key[0] != '\0' || phase == BM_PHASE_NONE))
            return true;
    return false;
}

static bool append_batches(const struct bm_serving *serving, enum bm_phase phase, struct bm_text *text) {
    bool any = false;
    for (size_t i = 0; i < serving->point_count; i++)
        if (lacks(&serving->points[i], phase)) {
            bm_text_append(text, "%s%u", any ? "," : " --batch ", serving->points[i].batch);
            any = true;
        }
    return any;
}

static void append_chunks(const struct bm_serving_options *options, struct bm_text *text) {
    const uint32_t whole = options->prompt < options->chunk ? options->prompt : options->chunk;
    const uint32_t chunks = options->prompt / options->chunk;
    bm_text_append(text, " --tokens %u", whole);
    if (chunks > 1) {
        bm_text_append(text, " --past ");
        append_range(text, whole, (chunks - 1) * whole);
    }
}

/* As a shell takes it: for one word. */
static void append_word(struct bm_text *text, const char *word) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./,:=@%+-";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        bm_text_append(text, "%s", word);
        return;
    }
    bm_text_append(text, "'");
    for (; *word != '\0'; word++)
        bm_text_append(text, "%s%.1s", *word == '\'' ? "'\\'" : "", word);
    bm_text_append(text, "'");
}

static void append_command(const struct bm_serving_options *options, const struct bm_serving *serving,
                           enum bm_phase phase, struct bm_text *text) {
    bm_text_append(text, "benchmark run --model ");
    append_word(text, options->model_name);
    if (options->count > 1)
        bm_text_append(text, " --count %u", options->count);
    bm_text_append(text, " --device %s", serving->device);
    if (strchr(serving->backend, ' ') == NULL) /* of two, each measures what it can */
        bm_text_append(text, " --backend %s", serving->backend);
    bm_text_append(text, " --dtype %s --phase %s", serving->dtype, bm_phase_name(phase));
    if (phase == BM_PHASE_DECODE && options->kv != BM_KV_DTYPE)
        bm_text_append(text, " --kv %s", options->kv == BM_KV_INT8 ? "int8" : "f16");
    if (options->routing == BM_ROUTING_ZIPF)
        bm_text_append(text, " --routing zipf");
}

char *bm_serving_commands(const struct bm_serving_options *options, const struct bm_serving *serving) {
    struct bm_text text = {0}, batches = {0};
    bm_text_append(&text, "%s", "");
    if (append_batches(serving, BM_PHASE_PREFILL, &batches)) {
        append_command(options, serving, BM_PHASE_PREFILL, &text);
        bm_text_append(&text, "%s", batches.data);
        append_chunks(options, &text);
        bm_text_append(&text, "\n");
        const uint32_t rest = options->prompt % options->chunk;
        if (options->prompt > options->chunk && rest > 0) { /* the last chunk is shorter */
            append_command(options, serving, BM_PHASE_PREFILL, &text);
            bm_text_append(&text, "%s --tokens %u --past %u\n", batches.data, rest, options->prompt - rest);
        }
    }
    bm_text_fini(&batches);
    /* Latencies come with every run of the default suite. */
    if ((append_batches(serving, BM_PHASE_DECODE, &batches) ||
         (text.length == 0 && append_batches(serving, BM_PHASE_NONE, &batches))) &&
        options->generate > 1) {
        append_command(options, serving, BM_PHASE_DECODE, &text);
        bm_text_append(&text, "%s --context ", batches.data);
        append_range(&text, options->prompt + 1, options->prompt + options->generate - 1);
        bm_text_append(&text, "\n");
    }
    const bool failed = text.failed || batches.failed;
    bm_text_fini(&batches);
    if (!failed && text.data != NULL)
        return text.data;
    bm_text_fini(&text);
    return NULL;
}
