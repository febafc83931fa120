/* bm/tuned.h - floor 1, part of the data module: kernel parameters that are known before a run. Shipped ones
 * are files of bench/tuned; those that `benchmark tune` found are in the user's cache folder. */
#ifndef BM_TUNED_H
#define BM_TUNED_H

#include "bm/data.h"

/* A class of shapes, from coarse to fine, the levels parted by '/': "m33-128/n4096k4096". */
#define BM_CLASS_SIZE 64

/* What parameters are for: a device as one driver shows it. */
struct bm_tuned_device {
    const char *backend, *name, *driver; /* "opencl/pocl", CL_DEVICE_NAME, CL_DRIVER_VERSION */
    unsigned compute_units;
    bool is_gpu;
};

struct bm_tuned_entry {
    char workload[24], dtype[16];    /* "-" where a workload has none */
    char shape_class[BM_CLASS_SIZE]; /* "": every class without an entry of its own */
    unsigned rank;                   /* entries of a lower one go first, however coarse */
    struct bm_parameters parameters;
    /* Of tuned entries; "" and 0 in shipped ones. */
    char source[48], sha256[65]; /* the kernel's file and its digest: other source, other parameters */
    char created[32];            /* RFC 3339 UTC */
    double ns, before_ns; /* of one launch of each case tried, with these parameters and with those before
                             (0: those did not run) */
};
struct bm_tuned_list {
    struct bm_tuned_entry *items;
    size_t count, capacity;
};
void bm_tuned_list_fini(struct bm_tuned_list *list);
/* The entry for a case: of the lowest rank and there the finest that holds shape_class. NULL: none. */
const struct bm_tuned_entry *bm_tuned_find(const struct bm_tuned_list *list, const char *workload,
                                           const char *dtype, const char *shape_class);
/* The one for the same case of the next rank, where `entry` does not suit it. NULL: none. */
const struct bm_tuned_entry *bm_tuned_next(const struct bm_tuned_list *list, const char *shape_class,
                                           const struct bm_tuned_entry *entry);

/* bench/tuned for a device: files whose "match" fits its name (rank 0), then that of its kind (rank 1).
 * BM_INVALID: a broken file among them, named; *list then holds nothing. */
enum bm_status bm_tuned_shipped(const struct bm_tuned_device *device, struct bm_tuned_list *list,
                                struct bm_error *error) BM_CHECK_RESULT;

/* The user's file for a device: $XDG_CACHE_HOME/benchmark/tuned/..., else below $HOME/.cache. BM_NOT_FOUND:
 * neither variable names a folder. */
enum bm_status bm_tuned_cache_path(const struct bm_tuned_device *device, char *path, size_t size,
                                   struct bm_error *error) BM_CHECK_RESULT;
/* Entries found on this device for the kernels in the folder as they are now; none is no error. BM_INVALID:
 * the file is broken or of something else. */
enum bm_status bm_tuned_cache_load(const struct bm_tuned_device *device, const char *kernels_folder,
                                   struct bm_tuned_list *list, struct bm_error *error) BM_CHECK_RESULT;
/* Adds entries to the user's file, atomically and beside other programs that do the same. An entry replaces
 * an older one of the same workload, dtype, class and kernel source; the others stay. A file that cannot be
 * read as one of this device is kept beside the new one under a name that a warning tells. */
enum bm_status bm_tuned_cache_save(const struct bm_tuned_device *device, const struct bm_tuned_list *added,
                                   struct bm_error *error) BM_CHECK_RESULT;

#endif
