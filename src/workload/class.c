/* Classes of shapes: cases of a class have the same best parameters, near enough.
 *
 * Of a matrix product m decides most: how many rows share a read of the weights. Its classes are narrow where
 * that share changes the kernel, m 2-8, 9-32, 33-128, 129-512, 513+ (a gemv has none). Where m tokens go to
 * experts, the rows of one expert count. n and k decide how many panels there are to share out and
 * whether one stays in a cache; powers of four are near enough for both. Attention is told apart by phase,
 * head size, in decode by how many query heads share a KV head, and by a cache that is not the dtype's; work
 * on rows alone by how many there are, one among them, and how long. */
#include "internal.h"

static void append_m(uint64_t m, struct bm_text *text) {
    static const uint64_t last[] = {8, 32, 128, 512};
    uint64_t first = 2;

    for (size_t i = 0; i < BM_COUNT_OF(last); i++) {
        if (m <= last[i]) {
            bm_text_append(text, "m%llu-%llu/", (unsigned long long)first, (unsigned long long)last[i]);
            return;
        }
        first = last[i] + 1;
    }
    bm_text_append(text, "m%llu+/", (unsigned long long)first);
}

/* "n4096": from there to below four times that; what is below the first power of four makes one class, "n1".
 */
static void append_range(char name, uint64_t value, struct bm_text *text) {
    uint64_t first = 256;

    while (value / 4 >= first)
        first *= 4;
    bm_text_append(text, "%c%llu", name, (unsigned long long)(value < first ? 1 : first));
}

void bm_case_class(const struct bm_case *c, char shape_class[BM_CLASS_SIZE]) {
    struct bm_text text = {0};

    if (!c->workload->is_ceiling && c->head_dim) {
        bm_text_append(&text, "%s/d%u", bm_phase_name(c->phase), (unsigned)c->head_dim);
        if (c->phase == BM_PHASE_DECODE && c->kv_heads)
            bm_text_append(&text, "/g%u", (unsigned)(c->heads / c->kv_heads));
        if (c->kv != BM_KV_DTYPE)
            bm_text_append(&text, "/kv%s", bm_kv_name(bm_case_kv(c)));
    } else if (!c->workload->is_ceiling && c->n) {
        const bool by_expert = c->workload == &bm_workload_grouped;
        const uint64_t rows = by_expert ? bm_routed_rows(c) : c->m;
        if (by_expert || c->m > 1)
            append_m(rows, &text);
        else if (!c->k)
            bm_text_append(&text, "m1/");
        append_range('n', c->n, &text);
        if (c->k)
            append_range('k', c->k, &text);
    }
    bm_string_set(shape_class, BM_CLASS_SIZE, text.failed || !text.data ? "" : text.data);
    bm_text_fini(&text);
}
