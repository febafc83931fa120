#include "gate_store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bm/measure.h"
#include "internal.h"

void bm_gate_store_destroy(struct bm_gate_store *store) {
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->entry_count; i++) {
        free(store->entries[i].old);
        free(store->entries[i].again);
    }
    free(store->entries);
    free(store->slots);
    free(store->devices);
    free(store);
}

/* ---- entries ---- */

static uint64_t hash_of(size_t of, const char *backend, uint32_t threads, const char *key) {
    uint64_t hash = bm_hash(&of, sizeof of, threads);
    hash = bm_hash(backend, strlen(backend), hash);
    return bm_hash(key, strlen(key), hash);
}

static size_t *slot_of(struct bm_gate_store *store, size_t of, const char *backend, uint32_t threads,
                       const char *key) {
    size_t at = (size_t)hash_of(of, backend, threads, key) & (store->slot_count - 1);
    for (; store->slots[at] != 0; at = (at + 1) & (store->slot_count - 1)) {
        const struct bm_gate_entry *entry = &store->entries[store->slots[at] - 1];
        if (entry->threads == threads && entry->of == of && strcmp(entry->key, key) == 0 &&
            strcmp(entry->backend, backend) == 0)
            break;
    }
    return &store->slots[at];
}

static bool make_room(struct bm_gate_store *store) {
    if (2 * store->entry_count < store->slot_count)
        return true;
    size_t count = store->slot_count > 0 ? 2 * store->slot_count : 256;
    size_t *slots = bm_alloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(store->slots);
    store->slots = slots;
    store->slot_count = count;
    for (size_t i = 0; i < store->entry_count; i++) {
        const struct bm_gate_entry *entry = &store->entries[i];
        *slot_of(store, entry->of, entry->backend, entry->threads, entry->key) = i + 1;
    }
    return true;
}

struct bm_gate_entry *bm_gate_entry_get(struct bm_gate_store *store, size_t of,
                                        const struct bm_saved_row *row) {
    if (!make_room(store))
        return NULL;
    size_t *slot = slot_of(store, of, row->backend, row->threads, row->key);
    if (*slot > 0)
        return &store->entries[*slot - 1];
    if (bm_grow(&store->entries, &store->entry_capacity, store->entry_count + 1, sizeof *store->entries,
                NULL) != BM_OK)
        return NULL;
    struct bm_gate_entry *entry = &store->entries[store->entry_count++];
    const double unknown = (double)NAN;
    *entry = (struct bm_gate_entry){.of = of,
                                    .threads = row->threads,
                                    .old_measured = SIZE_MAX,
                                    .new_measured = SIZE_MAX,
                                    .is_ceiling = row->the_case.dtype[0] == '\0',
                                    .last_old_file = SIZE_MAX,
                                    .old_flops = unknown,
                                    .old_bytes = unknown,
                                    .new_flops = unknown,
                                    .new_bytes = unknown};
    bm_string_set(entry->fingerprint, sizeof entry->fingerprint, store->devices[of].fingerprint);
    bm_string_set(entry->backend, sizeof entry->backend, row->backend);
    bm_string_set(entry->key, sizeof entry->key, row->key);
    bm_string_set(entry->device, sizeof entry->device, row->device);
    *slot = store->entry_count;
    return entry;
}

/* ---- samples ---- */

/* A ceiling's work may differ from run to run: its rate is what counts. */
static double work_of(const struct bm_saved_row *row) {
    if (row->the_case.dtype[0] != '\0')
        return 1;
    return row->bytes > 0 ? row->bytes : row->flops > 0 ? row->flops : 1;
}

/* Rounds beside which a control saw foreign work are left out where enough others remain. */
static void sample_of(const struct bm_saved_row *row, size_t file, struct bm_gate_sample *sample) {
    const struct bm_saved_time *clean = &row->time_uncontaminated;
    const bool use_clean = clean->median > 0 && clean->confidence >= 0.9;
    const struct bm_saved_time *time = use_clean ? clean : &row->time;
    const struct bm_spread spread = bm_spread_of(time->median, time->interval, time->confidence);
    const struct bm_spread share = bm_spread_of(row->utilization.roofline_efficiency,
                                                row->utilization.efficiency_interval, BM_COMPARE_CONFIDENCE);
    *sample = (struct bm_gate_sample){
        .file = file,
        .time = {spread.value - log(work_of(row)), 0.5 * (spread.below + spread.above)},
        .share = {-share.value, 0.5 * (share.below + share.above)},
        .flags = row->flags};
}

static enum bm_status add_sample(struct bm_gate_entry *entry, bool is_baseline,
                                 const struct bm_gate_sample *sample, struct bm_error *error) {
    struct bm_gate_sample **list = is_baseline ? &entry->old : &entry->again;
    size_t *count = is_baseline ? &entry->old_count : &entry->again_count;
    size_t *capacity = is_baseline ? &entry->old_capacity : &entry->again_capacity;
    enum bm_status status = bm_grow(list, capacity, *count + 1, sizeof **list, error);
    if (status == BM_OK)
        (*list)[(*count)++] = *sample;
    return status;
}

bool bm_gate_is_same_row(const struct bm_gate_entry *a, const struct bm_gate_entry *b) {
    return strcmp(a->key, b->key) == 0 && strcmp(a->backend, b->backend) == 0 &&
           strcmp(a->device, b->device) == 0;
}

bool bm_gate_is_before(const struct bm_gate *gate, size_t a, size_t b) {
    int order = strcmp(gate->files[a].created, gate->files[b].created);
    return order < 0 || (order == 0 && a < b);
}

/* Files come in any order: what they tell of a row is that of the latest. */
static bool becomes_latest(const struct bm_gate *gate, size_t file, size_t *latest) {
    const bool is_latest = *latest == SIZE_MAX || bm_gate_is_before(gate, *latest, file);
    *latest = is_latest ? file : *latest;
    return is_latest;
}

static void take_state(const struct bm_saved_row *row, bool measured, struct bm_gate_entry *entry) {
    const bool failed = row->status == BM_SAVED_FAILED;
    entry->new_files++;
    entry->new_failed += failed;
    if (measured || (entry->new_failed > 0 && !failed)) /* what is wrong is told before what did not run */
        return;
    entry->new_status = row->status;
    bm_string_set(entry->new_reason, sizeof entry->new_reason,
                  row->reason[0] != '\0' ? row->reason : "it was not measured");
}

static void take_work(const struct bm_gate *gate, const struct bm_saved_row *row, size_t file,
                      bool is_baseline, struct bm_gate_entry *entry) {
    if (!becomes_latest(gate, file, is_baseline ? &entry->old_measured : &entry->new_measured))
        return;
    *(is_baseline ? &entry->old_flops : &entry->new_flops) = row->flops;
    *(is_baseline ? &entry->old_bytes : &entry->new_bytes) = row->bytes;
    snprintf(is_baseline ? entry->old_kernel : entry->new_kernel, sizeof entry->old_kernel, "%s %s",
             row->kernel.variant, row->kernel.parameters);
    if (!is_baseline)
        bm_string_set(entry->device, sizeof entry->device, row->device);
}

static enum bm_status take_row(const struct bm_gate *gate, size_t of, const struct bm_saved_row *row,
                               size_t file, bool is_baseline, struct bm_error *error) {
    struct bm_gate_entry *entry = bm_gate_entry_get(gate->store, of, row);
    if (entry == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu rows", gate->store->entry_count);
    const bool measured = row->status == BM_SAVED_OK && row->verified && row->time.median > 0;
    if (is_baseline)
        becomes_latest(gate, file, &entry->last_old_file);
    else
        take_state(row, measured, entry);
    if (!measured)
        return BM_OK;
    take_work(gate, row, file, is_baseline, entry);
    struct bm_gate_sample sample;
    sample_of(row, file, &sample);
    return add_sample(entry, is_baseline, &sample, error);
}

/* ---- devices ---- */

const struct bm_gate_device *bm_gate_device_find(const struct bm_gate_store *store, const char *fingerprint) {
    for (size_t i = 0; i < store->device_count; i++)
        if (strcmp(store->devices[i].fingerprint, fingerprint) == 0)
            return &store->devices[i];
    return NULL;
}

static enum bm_status add_device(struct bm_gate_store *store, const struct bm_saved *saved,
                                 const struct bm_saved_device *device, struct bm_error *error) {
    enum bm_status status = bm_grow(&store->devices, &store->device_capacity, store->device_count + 1,
                                    sizeof *store->devices, error);
    if (status != BM_OK)
        return status;
    struct bm_gate_device *added = &store->devices[store->device_count++];
    *added =
        (struct bm_gate_device){.compute_units = device->compute_units, .memory_bytes = device->memory_bytes};
    bm_string_set(added->fingerprint, sizeof added->fingerprint, device->fingerprint);
    bm_string_set(added->id, sizeof added->id, device->id);
    bm_string_set(added->name, sizeof added->name, device->name);
    bm_string_set(added->kernel, sizeof added->kernel, saved->host.kernel);
    for (size_t i = 0; i < device->backend_count; i++) {
        size_t used = strlen(added->drivers);
        snprintf(added->drivers + used, sizeof added->drivers - used, "%s%s %s", used > 0 ? ", " : "",
                 device->backends[i].id, device->backends[i].driver);
    }
    return BM_OK;
}

static bool is_known(const struct bm_gate_device *known, const struct bm_saved_device *device) {
    return strcmp(known->fingerprint, device->fingerprint) == 0 && strcmp(known->id, device->id) == 0;
}

/* Whether a device of the file is this one by its id. */
static bool is_taken(const struct bm_gate_device *known, const struct bm_saved *saved) {
    for (size_t d = 0; d < saved->device_count; d++)
        if (is_known(known, &saved->devices[d]))
            return true;
    return false;
}

/* Equal devices of one machine have equal fingerprints: their ids tell them apart. A device that stands under
 * another id in other files is the same where no other of this file is. */
static enum bm_status find_device(struct bm_gate_store *store, const struct bm_saved *saved,
                                  const struct bm_saved_device *device, size_t *of, struct bm_error *error) {
    for (*of = 0; *of < store->device_count; ++*of)
        if (is_known(&store->devices[*of], device))
            return BM_OK;
    size_t twins = 0;
    for (size_t d = 0; d < saved->device_count; d++)
        twins += strcmp(saved->devices[d].fingerprint, device->fingerprint) == 0;
    for (*of = 0; twins == 1 && device->fingerprint[0] != '\0' && *of < store->device_count; ++*of)
        if (strcmp(store->devices[*of].fingerprint, device->fingerprint) == 0 &&
            !is_taken(&store->devices[*of], saved))
            return BM_OK;
    *of = store->device_count;
    return add_device(store, saved, device, error);
}

static void append_difference(char text[200], const char *what, const char *old, const char *new_one) {
    size_t used = strlen(text);
    if (strcmp(old, new_one) != 0 && used < 198)
        snprintf(text + used, 200 - used, "%s%s %.60s -> %.60s", used > 0 ? ", " : "", what,
                 old[0] != '\0' ? old : "unknown", new_one[0] != '\0' ? new_one : "unknown");
}

void bm_gate_device_difference(const struct bm_gate_device *old, const struct bm_gate_device *new_one,
                               char text[200]) {
    char a[32], b[32];
    text[0] = '\0';
    append_difference(text, "device", old->name, new_one->name);
    append_difference(text, "driver", old->drivers, new_one->drivers);
    append_difference(text, "system", old->kernel, new_one->kernel);
    snprintf(a, sizeof a, "%u", old->compute_units);
    snprintf(b, sizeof b, "%u", new_one->compute_units);
    append_difference(text, "compute units", a, b);
    snprintf(a, sizeof a, "%.0f GiB", (double)old->memory_bytes / (1 << 30));
    snprintf(b, sizeof b, "%.0f GiB", (double)new_one->memory_bytes / (1 << 30));
    append_difference(text, "memory", a, b);
    if (text[0] == '\0')
        snprintf(text, 200, "its fingerprint differs");
}

/* ---- files ---- */

static size_t device_of(const struct bm_saved *saved, const struct bm_saved_row *row) {
    size_t d = 0;
    while (strcmp(saved->devices[d].id, row->device) != 0) /* the reader refuses a row of none */
        d++;
    return d;
}

enum bm_status bm_gate_take(struct bm_gate *gate, const struct bm_saved *saved, size_t file, bool is_baseline,
                            struct bm_error *error) {
    size_t *devices = bm_alloc(saved->device_count, sizeof *devices);
    enum bm_status status =
        devices != NULL ? BM_OK
                        : bm_fail(error, BM_NO_MEMORY, "out of memory for %zu devices", saved->device_count);
    for (size_t d = 0; status == BM_OK && d < saved->device_count; d++)
        status = find_device(gate->store, saved, &saved->devices[d], &devices[d], error);
    for (size_t i = 0; status == BM_OK && i < saved->row_count; i++) {
        const struct bm_saved_row *row = &saved->rows[i];
        if (row->measured_as[0] != '\0') /* another row's measurement is judged there, once */
            gate->store->shared_rows += !is_baseline;
        else
            status = take_row(gate, devices[device_of(saved, row)], row, file, is_baseline, error);
    }
    free(devices);
    return status;
}

static void note_difference(struct bm_gate *gate, const char *what, const char *old, const char *new_one) {
    if (strcmp(old, new_one) != 0)
        bm_gate_note(gate, "changed since the baseline: %s %.64s -> %.64s", what,
                     old[0] != '\0' ? old : "unknown", new_one[0] != '\0' ? new_one : "unknown");
}

void bm_gate_note_causes(struct bm_gate *gate, const struct bm_gate_file *old,
                         const struct bm_gate_file *new_one) {
    size_t tuned = 0;
    note_difference(gate, "commit", old->commit, new_one->commit);
    note_difference(gate, "version", old->version, new_one->version);
    note_difference(gate, "suite", old->suite, new_one->suite);
    note_difference(gate, "cache", old->cache, new_one->cache);
    if (strcmp(old->kernels_sha256, new_one->kernels_sha256) != 0)
        bm_gate_note(gate, "changed since the baseline: the kernels' sources");
    for (size_t i = 0; i < gate->store->entry_count; i++) {
        const struct bm_gate_entry *entry = &gate->store->entries[i];
        tuned += entry->old_count > 0 && entry->again_count > 0 && !entry->is_ceiling &&
                 strcmp(entry->old_kernel, entry->new_kernel) != 0;
    }
    if (tuned > 0)
        bm_gate_note(gate, "changed since the baseline: kernel or parameters of %zu rows", tuned);
}
