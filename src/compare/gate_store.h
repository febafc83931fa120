/* Private to the compare module: what a gate collects from files before it judges. */
#ifndef BM_GATE_STORE_H
#define BM_GATE_STORE_H

#include "bm/gate.h"
#include "bm/saved.h"

/* A figure of one run, and what its rounds leave open. */
struct bm_gate_figure {
    double value, deviation;
};
/* What one run tells of a row. */
struct bm_gate_sample {
    size_t file;                 /* index into gate->files */
    struct bm_gate_figure time;  /* ln ns; of ceilings: per unit of work */
    struct bm_gate_figure share; /* ln(1 / roofline efficiency), NaN: unknown */
    uint32_t flags;
};
/* A row as the gate matches it: device (by its fingerprint; of twins by id), backend, threads, key. */
struct bm_gate_entry {
    size_t of; /* index into the store's devices */
    char fingerprint[65], backend[48], key[160], device[32];
    uint32_t threads;
    bool is_ceiling;
    struct bm_gate_sample *old, *again; /* owned; again: of the new files */
    size_t old_count, old_capacity, again_count, again_capacity;
    double old_flops, old_bytes, new_flops, new_bytes; /* of the latest file that measured it, NaN: none */
    char old_kernel[320], new_kernel[320];             /* variant and parameters, likewise */
    size_t old_measured, new_measured;                 /* the latest file that measured it, SIZE_MAX: none */
    size_t last_old_file;                              /* the latest that has it, SIZE_MAX: no baseline */
    size_t new_files, new_failed;                      /* new ones that have it; in which it was wrong */
    char new_reason[160]; /* why it has no figure: of one that was wrong, where there is any */
    enum bm_saved_status new_status;
};
/* A device by what its fingerprint stands for, as far as a file tells. */
struct bm_gate_device {
    char fingerprint[65], id[32], name[128], kernel[160], drivers[200];
    uint32_t compute_units;
    uint64_t memory_bytes;
};

struct bm_gate_store {
    struct bm_gate_entry *entries;
    size_t entry_count, entry_capacity;
    size_t *slots; /* open addressing: index plus 1 */
    size_t slot_count;
    struct bm_gate_device *devices;
    size_t device_count, device_capacity;
    size_t shared_rows; /* of new files, that share another's measurement */
};

void bm_gate_store_destroy(struct bm_gate_store *store);
/* Whether a file of the gate is older than another; of equal age the one that was named first. */
bool bm_gate_is_before(const struct bm_gate *gate, size_t a, size_t b);
/* Equal keys on equal backends of devices with equal ids, of whatever system, driver and threads. */
bool bm_gate_is_same_row(const struct bm_gate_entry *a, const struct bm_gate_entry *b);
/* The entry of a row of store->devices[of], added where it is new. NULL: no memory. */
struct bm_gate_entry *bm_gate_entry_get(struct bm_gate_store *store, size_t of,
                                        const struct bm_saved_row *row);
/* Everything of a file's rows. */
enum bm_status bm_gate_take(struct bm_gate *gate, const struct bm_saved *saved, size_t file, bool is_baseline,
                            struct bm_error *error) BM_CHECK_RESULT;
const struct bm_gate_device *bm_gate_device_find(const struct bm_gate_store *store, const char *fingerprint);
/* How two fingerprints differ: "driver 3.1 -> 4.0". */
void bm_gate_device_difference(const struct bm_gate_device *old, const struct bm_gate_device *new_one,
                               char text[200]);
/* Notes on what else changed between the latest baseline and the new files. */
void bm_gate_note_causes(struct bm_gate *gate, const struct bm_gate_file *old,
                         const struct bm_gate_file *new_one);

#endif
