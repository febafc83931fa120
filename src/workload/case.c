/* Keys of cases. */
#include <string.h>

#include "internal.h"

const char *bm_phase_name(enum bm_phase phase) {
    static const char *const names[] = {"-", "prefill", "decode"};
    return (unsigned)phase < BM_COUNT_OF(names) ? names[phase] : "-";
}

enum bm_element bm_case_kv(const struct bm_case *the_case) {
    return the_case->kv == BM_KV_INT8  ? BM_ELEMENT_I8
           : the_case->kv == BM_KV_F16 ? BM_ELEMENT_F16
                                       : the_case->dtype->kv;
}

const char *bm_kv_name(enum bm_element element) {
    return element == BM_ELEMENT_I8 ? "int8" : bm_element_name(element);
}

/* What is done, whoever asks for it. */
static void append_work(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "%s/", c->dtype ? c->dtype->name : "-");
    c->workload->shape(c, text);
    if (c->threads)
        bm_text_append(text, "/threads%u", c->threads);
    if (c->node)
        bm_text_append(text, "/node%u", c->node - 1);
    if (c->small_pages)
        bm_text_append(text, "/small_pages");
    if (c->hot)
        bm_text_append(text, "/hot");
}

void bm_case_key(const struct bm_case *the_case, char key[BM_KEY_SIZE]) {
    struct bm_text text = {0};
    bm_text_append(&text, "%s/%s/%s/%s/", the_case->workload->name, the_case->model,
                   bm_phase_name(the_case->phase), the_case->op);
    append_work(the_case, &text);
    bm_string_set(key, BM_KEY_SIZE, text.failed || !text.data ? "" : text.data);
    bm_text_fini(&text);
}

bool bm_case_same_work(const struct bm_case *a, const struct bm_case *b) {
    if (a->workload != b->workload)
        return false;
    if (a->workload->is_sequence && (strcmp(a->model, b->model) != 0 || a->phase != b->phase))
        return false; /* its shape does not tell what it is made of */
    /* The op of a ceiling is the work itself, and its key does not tell its size. */
    if (a->workload->is_ceiling && (strcmp(a->op, b->op) != 0 || a->working_set != b->working_set ||
                                    a->n != b->n || a->k != b->k || a->hot != b->hot))
        return false;
    struct bm_text left = {0}, right = {0};
    append_work(a, &left);
    append_work(b, &right);
    const bool same = !left.failed && !right.failed && !strcmp(left.data, right.data);
    bm_text_fini(&left);
    bm_text_fini(&right);
    return same;
}
