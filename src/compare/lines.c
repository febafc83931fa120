/* Which columns are compared with which, and in what order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void bm_comparison_note(struct bm_comparison *comparison, const char *format, ...) {
    if (bm_grow(&comparison->notes, &comparison->note_capacity, comparison->note_count + 1,
                sizeof *comparison->notes, NULL) != BM_OK)
        return; /* a note less */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(comparison->notes[comparison->note_count++], sizeof *comparison->notes, format, arguments);
    va_end(arguments);
}

static const char *path_of(const struct bm_comparison *comparison, const struct bm_compare_column *column) {
    return comparison->files[column->file].path;
}

void bm_column_name(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                    char name[256]) {
    const char *path = path_of(comparison, column);
    size_t length = strlen(path);
    snprintf(name, 256, "%s%s:%s", length > 200 ? "..." : "", length > 200 ? path + length - 197 : path,
             column->device);
}

/* FILE is a path as given, or its last part. */
static bool is_file(const char *path, const char *name, size_t length) {
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    return (strlen(path) == length && strncmp(path, name, length) == 0) ||
           (strlen(base) == length && strncmp(base, name, length) == 0);
}

bool bm_column_matches(const struct bm_comparison *comparison, const struct bm_compare_column *column,
                       const char *selector) {
    const char *colon = strrchr(selector, ':');
    if (colon != NULL && is_file(path_of(comparison, column), selector, (size_t)(colon - selector)))
        return colon[1] == '\0' || bm_selector_matches(colon + 1, column->device, column->kind, column->name);
    return bm_selector_matches(selector, column->device, column->kind, column->name);
}

/* "a.json:gpu0 (NVIDIA A40), b.json:gpu1 (...)" of the columns for which `is` holds, NULL: of all; cut where
 * it gets long.
 */
static void list_columns(const struct bm_comparison *comparison, const bool *is, char *text, size_t size) {
    size_t used = 0, left = 0;
    text[0] = '\0';
    for (size_t i = 0; i < comparison->column_count; i++) {
        char name[256], one[420];
        if (is != NULL && !is[i])
            continue;
        bm_column_name(comparison, &comparison->columns[i], name);
        snprintf(one, sizeof one, "%s%s (%s)", used > 0 ? ", " : "", name, comparison->columns[i].name);
        if (left > 0 || used + strlen(one) + 24 > size)
            left++;
        else
            used += (size_t)snprintf(text + used, size - used, "%s", one);
    }
    if (left > 0)
        snprintf(text + used, size - used, " and %zu more", left);
}

/* ---- maps and prices ---- */

/* Of several files the first is the older for OLD and the last the newer for NEW, unless FILE: says which. */
static enum bm_status resolve(const struct bm_comparison *comparison, const char *map, const char *selector,
                              bool is_new, size_t *found, struct bm_error *error) {
    enum bm_status status = BM_OK;
    size_t count = 0, files = comparison->file_count;
    bool *is = bm_alloc(comparison->column_count, sizeof *is);
    char candidates[320];
    if (is == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < comparison->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[i];
        is[i] = bm_column_matches(comparison, column, selector) &&
                (files != 2 || column->file == (is_new ? 1u : 0u));
        count += is[i];
        *found = is[i] ? i : *found;
    }
    list_columns(comparison, is, candidates, sizeof candidates);
    if (count > 1)
        status = bm_fail(error, BM_INVALID, "--map %.60s: '%.60s' may be %s: say FILE:DEVICE", map, selector,
                         candidates);
    if (count == 0) {
        list_columns(comparison, NULL, candidates, sizeof candidates);
        status = bm_fail(error, BM_INVALID, "--map %.60s: no device is '%.60s': there are %s", map, selector,
                         candidates);
    }
    free(is);
    return status;
}

static enum bm_status apply_maps(struct bm_comparison *comparison, size_t *group, struct bm_error *error) {
    for (size_t m = 0; m < comparison->options.maps.count; m++) {
        const char *map = comparison->options.maps.items[m], *equal = strchr(map, '=');
        char old[128];
        size_t columns[2] = {0, 0};
        if (equal == NULL || equal == map || equal[1] == '\0' || (size_t)(equal - map) >= sizeof old)
            return bm_fail(error, BM_INVALID, "--map: '%.60s' is not OLD=NEW", map);
        snprintf(old, sizeof old, "%.*s", (int)(equal - map), map);
        enum bm_status status = resolve(comparison, map, old, false, &columns[0], error);
        if (status == BM_OK)
            status = resolve(comparison, map, equal + 1, true, &columns[1], error);
        if (status != BM_OK)
            return status;
        size_t from = group[columns[1]], to = group[columns[0]];
        for (size_t i = 0; i < comparison->column_count; i++)
            group[i] = group[i] == from ? to : group[i];
    }
    return BM_OK;
}

static enum bm_status apply_prices(struct bm_comparison *comparison, struct bm_error *error) {
    for (size_t p = 0; p < comparison->options.prices.count; p++) {
        const char *price = comparison->options.prices.items[p], *equal = strrchr(price, '=');
        struct bm_error wrong = {0};
        char selector[128];
        double usd;
        bool any = false;
        if (equal == NULL || equal == price || (size_t)(equal - price) >= sizeof selector)
            return bm_fail(error, BM_INVALID, "--price: '%.60s' is not DEVICE=USD", price);
        if (bm_parse_double(equal + 1, 0.01, 1e9, &usd, &wrong) != BM_OK)
            return bm_fail(error, BM_INVALID, "--price %.60s: %s", price, wrong.message);
        snprintf(selector, sizeof selector, "%.*s", (int)(equal - price), price);
        for (size_t i = 0; i < comparison->column_count; i++)
            if (bm_column_matches(comparison, &comparison->columns[i], selector)) {
                comparison->columns[i].price_usd = usd;
                any = true;
            }
        if (!any) {
            char candidates[320];
            list_columns(comparison, NULL, candidates, sizeof candidates);
            return bm_fail(error, BM_INVALID, "--price %.60s: no device is '%.60s': there are %s", price,
                           selector, candidates);
        }
    }
    return BM_OK;
}

/* ---- matching by itself ---- */

static bool same_kind(const struct bm_compare_column *a, const struct bm_compare_column *b) {
    return strcmp(a->kind, b->kind) == 0;
}

/* Devices of a file of the kind of `like` that no map has matched. */
static size_t count_in_file(const struct bm_comparison *comparison, const bool *mapped, size_t file,
                            const struct bm_compare_column *like) {
    size_t count = 0;
    for (size_t i = 0; i < comparison->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[i];
        count += column->file == file && !mapped[i] && (like == NULL || same_kind(column, like));
    }
    return count;
}

/* The column that continues `like` in another file: the only one of its kind, or that of equal id and name.
 * SIZE_MAX: there is none; *ambiguous: there are several. */
static size_t counterpart(const struct bm_comparison *comparison, const bool *mapped,
                          const struct bm_compare_column *like, size_t file, bool *ambiguous) {
    size_t found = SIZE_MAX, named = SIZE_MAX, kinds = 0;
    for (size_t i = 0; i < comparison->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[i];
        if (column->file != file || mapped[i] || !same_kind(column, like))
            continue;
        kinds++;
        found = i;
        if (strcmp(column->device, like->device) == 0 && strcmp(column->name, like->name) == 0)
            named = i;
    }
    const bool only_ones = kinds == 1 && count_in_file(comparison, mapped, like->file, like) == 1;
    *ambiguous = kinds > 0 && !only_ones && named == SIZE_MAX;
    return only_ones ? found : named;
}

static enum bm_status fail_ambiguous(const struct bm_comparison *comparison, const bool *mapped,
                                     const struct bm_compare_column *like, size_t file,
                                     struct bm_error *error) {
    char candidates[360];
    bool *is = bm_alloc(comparison->column_count, sizeof *is);
    if (is == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < comparison->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[i];
        is[i] = !mapped[i] && same_kind(column, like) && (column->file == file || column->file == like->file);
    }
    list_columns(comparison, is, candidates, sizeof candidates);
    free(is);
    return bm_fail(error, BM_INVALID,
                   "which device is compared with which? %s: choose with --map OLD=NEW, or --device",
                   candidates);
}

/* Every column joins the group of its counterpart in the first file that has one. A single file's devices are
 * compared with one another, as are the only devices of files whose kinds differ. */
static enum bm_status match(const struct bm_comparison *comparison, const bool *mapped, size_t *group,
                            struct bm_error *error) {
    bool one_each = comparison->file_count > 1;
    for (size_t file = 0; file < comparison->file_count; file++)
        one_each &= count_in_file(comparison, mapped, file, NULL) <= 1;
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < comparison->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[i];
        if (mapped[i])
            continue;
        if (one_each || comparison->file_count == 1) {
            first = first == SIZE_MAX ? i : first;
            group[i] = group[first];
            continue;
        }
        for (size_t file = 0; file < column->file; file++) {
            bool ambiguous;
            size_t other = counterpart(comparison, mapped, column, file, &ambiguous);
            if (ambiguous)
                return fail_ambiguous(comparison, mapped, column, file, error);
            if (other == SIZE_MAX)
                continue;
            group[i] = group[other];
            break;
        }
    }
    return BM_OK;
}

/* ---- lines ---- */

static bool is_new_side(const struct bm_comparison *comparison, size_t column) {
    return strcmp(comparison->files[comparison->columns[column].file].ab_side, "new") == 0;
}

/* Stable: what is equal stays as it was given. */
static void order(const struct bm_comparison *comparison, struct bm_compare_line *line) {
    line->by_release = true;
    for (size_t i = 0; i < line->column_count; i++)
        line->by_release &= comparison->columns[line->columns[i]].released[0] != '\0';
    for (size_t i = 1; i < line->column_count; i++) {
        size_t moved = line->columns[i], at = i;
        for (; at > 0; at--) {
            const struct bm_compare_column *before = &comparison->columns[line->columns[at - 1]],
                                           *own = &comparison->columns[moved];
            bool later = line->by_release && strcmp(before->released, own->released) > 0;
            bool sides =
                strcmp(comparison->files[before->file].ab_id, comparison->files[own->file].ab_id) == 0 &&
                is_new_side(comparison, line->columns[at - 1]) && !is_new_side(comparison, moved);
            if (!later && !sides)
                break;
            line->columns[at] = line->columns[at - 1];
        }
        line->columns[at] = moved;
    }
}

static enum bm_status make_lines(struct bm_comparison *comparison, const size_t *group,
                                 struct bm_error *error) {
    comparison->lines = bm_alloc(comparison->column_count, sizeof *comparison->lines);
    if (comparison->lines == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < comparison->column_count; i++) {
        size_t members = 0;
        for (size_t k = 0; k < comparison->column_count; k++)
            if (group[k] == group[i] && k < i)
                members = SIZE_MAX; /* its line is made */
            else if (group[k] == group[i] && members != SIZE_MAX)
                members++;
        if (members == SIZE_MAX)
            continue;
        if (members == 1) {
            char name[256];
            bm_column_name(comparison, &comparison->columns[i], name);
            bm_comparison_note(comparison, "%s has no counterpart: --map OLD=NEW would give it one", name);
            continue;
        }
        struct bm_compare_line *line = &comparison->lines[comparison->line_count++];
        line->columns = bm_alloc(members, sizeof *line->columns);
        if (line->columns == NULL)
            return bm_fail(error, BM_NO_MEMORY, "out of memory");
        for (size_t k = i; k < comparison->column_count; k++)
            if (group[k] == group[i])
                line->columns[line->column_count++] = k;
        order(comparison, line);
    }
    return BM_OK;
}

static bool share_a_row(const struct bm_compare_column *a, const struct bm_compare_column *b) {
    for (size_t i = 0; i < a->cell_count; i++)
        if (bm_compare_cell_find(b, a->cells[i].row) != NULL)
            return true;
    return false;
}

/* Without a row in common a comparison would be empty: what differs is told instead. */
static enum bm_status check_common(struct bm_comparison *comparison, const struct bm_compare_line *line,
                                   struct bm_error *error) {
    const struct bm_compare_column *oldest = &comparison->columns[line->columns[0]];
    for (size_t i = 1; i < line->column_count; i++) {
        const struct bm_compare_column *column = &comparison->columns[line->columns[i]];
        char names[2][256], difference[200];
        if (share_a_row(oldest, column))
            continue;
        bm_column_name(comparison, oldest, names[0]);
        bm_column_name(comparison, column, names[1]);
        bm_compare_difference(comparison, oldest, column, difference);
        if (line->column_count == 2)
            return bm_fail(error, BM_INVALID,
                           "%.150s and %.150s have no work in common: %s: measure the same with both",
                           names[0], names[1], difference);
        bm_comparison_note(comparison, "%.80s has no work in common with %.80s: %.140s", names[1], names[0],
                           difference);
    }
    return BM_OK;
}

static void note_files(struct bm_comparison *comparison) {
    for (size_t i = 0; i < comparison->file_count; i++)
        if (!comparison->files[i].complete)
            bm_comparison_note(comparison, "%.250s was interrupted: rows are missing",
                               comparison->files[i].path);
}

enum bm_status bm_comparison_finish(struct bm_comparison *comparison, struct bm_error *error) {
    if (comparison->column_count == 0)
        return bm_fail(error, BM_INVALID, "nothing to compare: no row of these files matches the selectors");
    if (comparison->column_count == 1) {
        char name[256];
        bm_column_name(comparison, &comparison->columns[0], name);
        return bm_fail(error, BM_INVALID, "nothing to compare %s with: %s", name,
                       comparison->file_count < 2 ? "name a second file"
                                                  : "the other files have no row that was selected");
    }
    size_t *group = bm_alloc(comparison->column_count, sizeof *group);
    bool *mapped = bm_alloc(comparison->column_count, sizeof *mapped);
    enum bm_status status = BM_OK;
    if (group == NULL || mapped == NULL)
        status = bm_fail(error, BM_NO_MEMORY, "out of memory");
    for (size_t i = 0; status == BM_OK && i < comparison->column_count; i++)
        group[i] = i;
    if (status == BM_OK)
        status = apply_prices(comparison, error);
    if (status == BM_OK)
        status = apply_maps(comparison, group, error);
    for (size_t i = 0; status == BM_OK && i < comparison->column_count; i++)
        for (size_t k = 0; k < comparison->column_count; k++)
            mapped[i] |= k != i && group[k] == group[i];
    if (status == BM_OK)
        status = match(comparison, mapped, group, error);
    if (status == BM_OK)
        status = make_lines(comparison, group, error);
    for (size_t i = 0; status == BM_OK && i < comparison->line_count; i++) {
        status = check_common(comparison, &comparison->lines[i], error);
        if (status == BM_OK)
            status = bm_compare_arrange(comparison, &comparison->lines[i], error);
    }
    if (status == BM_OK && comparison->line_count == 0)
        status = bm_fail(error, BM_INVALID,
                         "no device of these files has a counterpart: choose with --map OLD=NEW");
    note_files(comparison);
    free(group);
    free(mapped);
    return status;
}
