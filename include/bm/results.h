/* bm/results.h - floor 1, module data: a results file as plain structs, and its writer. bm/saved.h
 * reads one back.
 *
 * results/schema.json is the contract. "" , NaN, 0 and NULL mean unknown where the schema allows null, and
 * are written as null; a number that may be 0 says so. Strings marked "borrowed" must outlive the struct. */
#ifndef BM_RESULTS_H
#define BM_RESULTS_H

#include "bm/base.h"
#include "bm/data.h"

#define BM_SCHEMA_VERSION "1.0"

struct bm_results_tool {
    const char *version, *commit, *compiler, *build_type; /* borrowed */
    char kernels_sha256[65];
};

struct bm_results_cache {
    unsigned level, count, line_bytes;
    uint64_t bytes;
};

/* Of a switch that the system may not tell of. */
enum bm_known { BM_UNKNOWN, BM_NO, BM_YES };

/* A variable of the environment that changes results. */
struct bm_results_variable {
    char name[64], value[192];
    bool withheld; /* it holds a path, and the results are anonymous */
};
/* What one sensor of bm/control.h saw. */
struct bm_results_sensor {
    const char *name;         /* borrowed */
    bool available;           /* on this machine; detail says why not */
    uint64_t checked, tagged; /* blocks judged by it, and tagged; may be 0 */
    char detail[96];
};
#define BM_RESULTS_MAX_VARIABLES 24
#define BM_RESULTS_MAX_WARNINGS  12
#define BM_RESULTS_MAX_SENSORS   12
/* The state of the machine at the start of the run, and what sensors saw during it. */
struct bm_results_environment {
    enum bm_known turbo, smt, numa_balancing, on_battery;
    char huge_pages[16];  /* transparent ones: "always", "madvise", "never" */
    char numa_policy[32]; /* of the process: "default", "bind:0", "interleave:0-1" */
    double load_average;  /* of the last minute; may be 0 */
    double cpu_quota;     /* in CPUs, of the control group; 0: no limit is known */
    uint64_t memory_limit_bytes;
    char cpuset[128]; /* CPUs that the control group may use, "0-3,8" */
    bool swap_known;
    uint64_t swap_used_bytes; /* may be 0 */
    char opencl_loader[64], hwloc[16], jansson[16];
    struct bm_results_variable variables[BM_RESULTS_MAX_VARIABLES];
    unsigned variable_count;
    char warnings[BM_RESULTS_MAX_WARNINGS][160]; /* what spoils a run, and how to mend it */
    unsigned warning_count;
    struct bm_results_sensor sensors[BM_RESULTS_MAX_SENSORS]; /* none: nothing was timed */
    unsigned sensor_count;
};

struct bm_results_host {
    char hostname[256], os[128], kernel[160], cpu_model[96], governor[32], virtualized[32];
    uint64_t memory_bytes;
    unsigned packages, cores, threads, numa_nodes;
    struct bm_results_cache caches[4];
    unsigned cache_count;
    struct bm_results_environment environment;
};

struct bm_results_settings {
    char suite[256];
    uint64_t seed; /* 0 is a seed */
    double budget_s, target_half_width;
    double between_runs; /* standard deviation that intervals are widened by, relative */
    bool hot;
    char **command; /* borrowed argv, NULL-terminated */
};

struct bm_results_backend {
    char id[48], name[128], driver[96], version[128], platform[96];
    unsigned compute_units;
    uint64_t memory_bytes, max_allocation_bytes;
};

/* The highest sustained rate of a resource; interval and burst in the same unit. */
struct bm_results_ceiling {
    const char *resource; /* borrowed: "memory_read", "llc_read", "fma", "launch_latency", ... */
    char pipe[24];        /* of fma, "" of the others */
    char part[24];        /* "1 thread", "node 0", "small pages"; "": the whole device at its best */
    char backend[48];
    unsigned threads;
    double value, low, high;
    double burst;      /* of the best round */
    double steady;     /* of the second half of a block of 10 s, NaN where none was run */
    double confidence; /* that low and high reach */
    const char *unit;  /* borrowed: "GB/s", "GFLOP/s", "GOP/s" (of integers) or "us" (of a launch) */
    char how[160];     /* variant and parameters */
    unsigned flags;
    size_t row; /* index into results.rows of the case that it was measured as; not written */
};

#define BM_RESULTS_MAX_OPS 48
struct bm_results_summary {
    char backend[48], model[BM_ID_SIZE], phase[16], dtype[16];
    char kv[8]; /* of the cache where another than the dtype's was asked for: "int8"; else "" */
    uint32_t batch, tokens, context;
    double tokens_per_s, mfu, mbu, roofline_efficiency;
    char ops[BM_RESULTS_MAX_OPS][32], missing[BM_RESULTS_MAX_OPS][32];
    /* Those of missing without which there is no figure of a pass: tokens_per_s, mfu and mbu are unknown
     * then, the efficiency is of what is covered. */
    char lacking[BM_RESULTS_MAX_OPS][32];
    unsigned op_count, missing_count, lacking_count;
    struct {
        size_t row;             /* index into results.rows */
        double count;           /* executions in one forward pass */
    } uses[BM_RESULTS_MAX_OPS]; /* the covered rows, which tokens_per_s sums up */
    unsigned use_count;
};

struct bm_results_device {
    char id[32], hardware[16], name[128], vendor[96], architecture[64], pci[16], fingerprint[65];
    char isa[16]; /* cap, "": none */
    bool is_gpu;
    unsigned compute_units, clock_mhz;
    uint64_t memory_bytes, llc_bytes;
    unsigned numa[16], numa_count; /* OS indices, 0 is one */
    unsigned flags;
    const struct bm_datasheet *datasheet; /* borrowed; of one package */
    unsigned packages;                    /* of a CPU; 1 for a GPU */
    struct bm_results_backend backends[8];
    unsigned backend_count;
    struct bm_results_ceiling *ceilings; /* owned */
    size_t ceiling_count, ceiling_capacity;
    struct bm_results_summary *summaries; /* owned */
    size_t summary_count, summary_capacity;
};

enum bm_row_status { BM_ROW_OK, BM_ROW_SKIPPED, BM_ROW_FAILED, BM_ROW_INVALID };
const char *bm_row_status_name(enum bm_row_status status);

struct bm_results_round {
    uint64_t start_ns, ns, launches;
    unsigned flags;
};

/* ns per launch; median NaN: the whole is unknown. mad may be 0. */
struct bm_results_time {
    double median, low, high, confidence, min, p5, p95, mad;
};

struct bm_results_row {
    char key[160], device[32], backend[48], measured_as[160];
    unsigned threads;
    struct {
        const char *workload, *phase; /* borrowed */
        char model[BM_ID_SIZE], op[32], dtype[16];
        uint32_t batch, tokens, context;
        uint64_t m, n, k;
        uint32_t heads, kv_heads, head_dim, v_dim, groups, groups_used;
        const char *kv;  /* borrowed; "int8"; NULL: as the dtype says, or no part of the case */
        uint32_t window; /* 0: none */
        bool sinks, hot;
    } the_case;
    struct {
        const char *kind; /* "uniform", "zipf"; borrowed; NULL: nothing is routed, the object is left out */
        uint32_t experts, experts_per_token, groups, groups_used;
        double expected, occurred; /* experts a launch; occurred NaN: nothing was prepared */
    } routing;
    enum bm_row_status status;
    char reason[512];
    struct {
        enum { BM_ROW_NOT_VERIFIED, BM_ROW_PASSED_VERIFICATION, BM_ROW_FAILED_VERIFICATION } status;
        char reference[32];
        double max_relative_error, tolerance; /* 0 is an error; infinity is written as null */
        uint64_t checked;                     /* may be 0 */
    } verification;
    struct {
        char variant[32], pipe[24];
        const char *parameters_from; /* borrowed; NULL: no kernel was chosen */
        struct bm_parameters parameters;
        unsigned launches; /* of one execution; 0: unknown */
    } kernel;
    const struct bm_results_round *rounds; /* borrowed, NULL when round_count is 0 */
    size_t round_count;
    struct bm_results_time time, time_uncontaminated; /* the latter without the rounds flagged contaminated */
    double flops, bytes;                              /* of one execution */
    double gflops, gbytes_per_s, tokens_per_s;
    struct {
        const char *bound;                            /* borrowed: "compute", "memory" or NULL */
        char compute_ceiling[96], memory_ceiling[96]; /* "fma/f32_vector/opencl/pocl" */
        double roofline_efficiency;                   /* R / time */
        double efficiency_low, efficiency_high; /* its 95 % interval; NaN: the rounds made too few pairs */
        unsigned efficiency_flags;              /* of that interval; the row's are of its time */
        double compute_of_ceiling, compute_of_device, memory_of_ceiling;
        double compute_of_datasheet, memory_of_datasheet;
    } utilization;
    unsigned flags;
};

struct bm_results {
    char id[37], created[32];
    bool complete;
    struct bm_results_tool tool;
    struct bm_results_host host;
    struct bm_results_settings settings;
    struct bm_results_device *devices; /* owned */
    size_t device_count;
    struct bm_results_row *rows; /* owned */
    size_t row_count;
    /* Name of one flag bit, NULL past the last: flags are written by name. */
    const char *(*flag_name)(unsigned bit);
};
/* Frees what the struct owns. */
void bm_results_fini(struct bm_results *results);

/* The file's text: indented JSON with a final newline. */
enum bm_status bm_results_format(const struct bm_results *results, struct bm_text *text,
                                 struct bm_error *error) BM_CHECK_RESULT;

#endif
