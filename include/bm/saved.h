/* bm/saved.h - floor 1, module data: a results file read back, for whoever compares, continues or reports
 * runs.
 *
 * What is unknown (null or missing) is "", NaN, 0 or an empty list. Unknown keys, flags and statuses of a
 * newer minor version are passed over; control characters in texts are '?'. All memory is owned by the
 * struct. */
#ifndef BM_SAVED_H
#define BM_SAVED_H

#include "bm/data.h"

#define BM_SAVED_MAX_BYTES ((size_t)64 << 20) /* of a file */

struct bm_saved_round {
    uint64_t start_ns, ns, launches;
    uint32_t flags;
};

/* ns per launch */
struct bm_saved_time {
    double median, interval[2], confidence; /* median NaN: the whole is unknown */
};

struct bm_saved_ceiling {
    char resource[32], pipe[32], backend[48], unit[16];
    uint32_t threads;
    double value, interval[2]; /* NaN: could not be measured */
    uint32_t flags;
};

/* A row that a summary sums up, and how often one forward pass executes it. */
struct bm_saved_use {
    char key[160];
    double count;
};
struct bm_saved_name {
    char text[40];
};
struct bm_saved_summary {
    char backend[48], model[64], phase[16], dtype[16];
    char kv[8]; /* "": the dtype's */
    uint32_t batch, tokens, context;
    double tokens_per_s, mfu, mbu, roofline_efficiency;
    struct bm_saved_name *ops, *missing;
    struct bm_saved_name *lacking; /* those of missing without which there is no figure of the pass */
    size_t op_count, op_capacity, missing_count, missing_capacity, lacking_count, lacking_capacity;
    struct bm_saved_use *uses; /* none in files of versions before they were written */
    size_t use_count, use_capacity;
};

struct bm_saved_backend {
    char id[48], driver[96], version[128];
};

struct bm_saved_peak {
    char pipe[32], status[16];
    double gflops;
};

struct bm_saved_device {
    char id[32], hardware[32], kind[8], name[128], architecture[64], fingerprint[65];
    uint32_t compute_units;
    uint64_t memory_bytes;
    uint32_t flags;
    struct {
        char id[64], name[96], released[16], bandwidth_status[16];
        double bandwidth_gbs, tdp_watts;
        struct bm_saved_peak *peaks;
        size_t peak_count, peak_capacity;
    } datasheet; /* id "": unknown hardware */
    struct bm_saved_backend *backends;
    size_t backend_count, backend_capacity;
    struct bm_saved_ceiling *ceilings;
    size_t ceiling_count, ceiling_capacity;
    struct bm_saved_summary *summaries;
    size_t summary_count, summary_capacity;
};

enum bm_saved_status { BM_SAVED_OK, BM_SAVED_SKIPPED, BM_SAVED_FAILED, BM_SAVED_INVALID };

struct bm_saved_row {
    char key[160], device[32], backend[48], measured_as[160];
    uint32_t threads;
    struct {
        char workload[32], model[64], phase[16], op[40], dtype[16];
        uint32_t batch, tokens, context;
        bool hot;
    } the_case;
    enum bm_saved_status status;
    bool verified; /* verification passed */
    char reason[256];
    struct {
        char variant[32], pipe[32], parameters[256]; /* "TILE_M=12 TILE_N=32" */
        uint64_t parameters_hash;                    /* bm_parameters_hash of them */
        uint32_t launches;                           /* of one execution */
    } kernel;
    struct bm_saved_round *rounds;
    size_t round_count, round_capacity;
    struct bm_saved_time time, time_uncontaminated;
    double flops, bytes, gflops, gbytes_per_s, tokens_per_s;
    struct {
        char bound[16], compute_ceiling[96], memory_ceiling[96];
        double roofline_efficiency, compute_of_datasheet, memory_of_datasheet;
        double efficiency_interval[2]; /* of roofline_efficiency, 95 %; NaN: not known */
    } utilization;                     /* bound "": unknown */
    uint32_t flags;
};

struct bm_saved {
    char schema_version[16], id[40], created[32];
    bool complete;
    struct {
        char id[40], side[16];
    } ab; /* id "": not a side of an A/B comparison */
    struct {
        char version[32], commit[64], kernels_sha256[65];
    } tool;
    struct {
        char hostname[128], os[128], kernel[160], cpu_model[96];
        uint64_t packages;
    } host;
    struct {
        char suite[256], cache[8], command[512]; /* words of the command line, cut */
        uint64_t seed;
        double budget_s;
    } settings;
    struct bm_saved_device *devices;
    size_t device_count, device_capacity;
    struct bm_saved_row *rows;
    size_t row_count, row_capacity;
};

struct bm_saved_options {
    const char *(*flag_name)(unsigned bit); /* the names of flag bits, NULL past the last; may be NULL */
    bool rounds;                            /* keep them too */
};

/* Reads a results file, or standard input for "-". BM_INVALID: larger than BM_SAVED_MAX_BYTES, not JSON, not
 * a results file, or of a newer major version; one line names the file, the place and the mend. Free with
 * bm_saved_fini. */
enum bm_status bm_saved_load(const char *path, const struct bm_saved_options *options, struct bm_saved *saved,
                             struct bm_error *error) BM_CHECK_RESULT;
/* The same from a text; name is the file's in messages. */
enum bm_status bm_saved_parse(const char *name, const char *text, size_t size,
                              const struct bm_saved_options *options, struct bm_saved *saved,
                              struct bm_error *error) BM_CHECK_RESULT;
void bm_saved_fini(struct bm_saved *saved);

/* The packages whose figures a device's sum up, while a datasheet tells of one: those of the host where this
 * is its only CPU, under whatever caps, else 1. */
double bm_saved_packages(const struct bm_saved *saved, const struct bm_saved_device *device);

const char *bm_saved_status_name(enum bm_saved_status status);

#endif
