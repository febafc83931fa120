/* bm/backend.h - floor 4: ways to reach a device. A backend lists its endpoints, makes a case runnable, runs
 * it n times and tells its time. */
#ifndef BM_BACKEND_H
#define BM_BACKEND_H

#include "bm/base.h"
#include "bm/flow.h"
#include "bm/topology.h"
#include "bm/workload.h"

/* Which endpoints a backend is to list. */
struct bm_backend_options {
    bool cpus, gpus;
    const struct bm_places *places; /* of CPUs: one a thread, borrowed while endpoints live; NULL: backends
                                       with threads of their own list none */
    enum bm_isa isa;                /* of CPUs: the cap; backends that cannot keep it list none */
};

/* A device as one backend sees it. Plain data, safe to copy; `handle` belongs to the backend. */
struct bm_endpoint {
    const struct bm_backend *backend;
    void *handle;
    char id[48];    /* "opencl/pocl" */
    char name[128]; /* as the driver reports it */
    char board_name[128];
    char vendor[96], driver[96], version[128], platform[96];
    bool is_gpu;
    unsigned compute_units, clock_mhz;
    uint64_t memory_bytes, max_allocation_bytes, cache_bytes, local_bytes;
    size_t max_group_items;
    size_t timer_resolution_ns;
    bool unified_memory, usable;
    char unusable_reason[96]; /* "no compiler", ... */
    bool has_fp16, has_fp64, has_integer_dot;
    bool has_pci;
    struct bm_pci_address pci;
    bool fixed_kernels;             /* they have no parameters: nothing to tune */
    bool instructions;              /* `version` is the CPU's that it uses: "avx2 avx512" */
    bool only_ceilings, only_rows;  /* what it is asked for; neither: both */
    bool only_products;             /* of matrices: no other workload has a kernel */
    uint32_t lacks_dtypes;          /* bit i: no kernel for bm_dtype_get(i), on this hardware */
    enum bm_isa isa;                /* the cap that it keeps */
    const struct bm_places *places; /* borrowed; NULL: the driver chooses */
};

/* What ceilings a run wants. */
struct bm_ceiling_wish {
    struct bm_ceiling_sizes sizes;
    bool inner, all;          /* as of bm_ceiling_cases_sized; inner: rows are judged by caches */
    bool writing;             /* rows are judged by the rate of copies */
    bool alone;               /* no other backend of the device has ceilings */
    const char *const *pipes; /* that may serve the run's contracts, NULL-terminated */
};

/* How one execution compared with the reference. */
struct bm_verification {
    enum bm_verification_status {
        BM_VERIFICATION_NOT_RUN,
        BM_VERIFICATION_PASSED,
        BM_VERIFICATION_FAILED
    } status;
    char reference[32];        /* "float64" */
    double max_relative_error; /* max |got - expected| / max(|expected|, scale); NaN outputs give infinity */
    double tolerance;
    uint64_t checked;  /* outputs compared */
    char problem[160]; /* of a failure: first wrong output, unwritten element, overwritten guard */
};

struct bm_session;  /* an opened endpoint: context, queue, arenas; defined by the backend */
struct bm_prepared; /* a case with its buffers and program; defined by the backend */

struct bm_session_options {
    uint64_t
        cold_bytes; /* rotate over at least this many bytes of each element format (8 x last-level cache) */
    uint64_t seed;
    const char *kernels_folder; /* NULL: the program's own */
};

/* What one block of launches took. */
struct bm_block {
    uint64_t start_ns;  /* bm_clock_monotonic at the first enqueue */
    uint64_t host_ns;   /* first enqueue to completion */
    uint64_t device_ns; /* by device events, 0 where the driver has none */
};

struct bm_prepared_info {
    const char *variant, *pipe;
    const struct bm_parameters *parameters;
    const char *parameters_from; /* "tuned", "shipped" or "safe" */
    uint64_t cold_bytes;         /* rotated over before an address repeats; 0: nothing rotates */
    unsigned launches;           /* kernels of one execution */
    unsigned threads;            /* 0: all of the endpoint */
};

struct bm_backend {
    const char *name; /* "opencl" */
    const char *summary;
    /* Appends this backend's endpoints to *endpoints (bm_grow'n, *count of *capacity). None is not an error.
     */
    enum bm_status (*list)(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                           size_t *count, size_t *capacity, struct bm_error *error);
    void (*release)(struct bm_endpoint *endpoint); /* frees handle */
    enum bm_status (*open)(const struct bm_endpoint *endpoint, const struct bm_session_options *options,
                           struct bm_session **session, struct bm_error *error);
    void (*close)(struct bm_session *session);
    /* Makes room for a case before the first is prepared, so that arenas have their size; then prepare()
     * creates buffers and program. parameters NULL: the best known ones; others need a reservation of their
     * own. BM_UNSUPPORTED / BM_NO_MEMORY: the case cannot run here (a skipped row); BM_DEVICE: it should
     * have. */
    enum bm_status (*reserve)(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_error *error);
    enum bm_status (*prepare)(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared,
                              struct bm_error *error);
    /* The parameters that prepare() takes when given none, as the kernel would run with them. *from: "tuned",
     * "shipped" or "safe". */
    enum bm_status (*known)(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *parameters, const char **from, struct bm_error *error);
    /* What a session runs on, for plans and bm_workload.candidates. */
    const struct bm_target *(*target)(const struct bm_session *session);
    void (*info)(const struct bm_prepared *prepared, struct bm_prepared_info *info);
    /* Runs once on poisoned outputs with guard zones and compares with the float64 reference. BM_OK also when
     * the result is wrong: that is in *verification. */
    enum bm_status (*verify)(struct bm_prepared *prepared, uint64_t seed,
                             struct bm_verification *verification, struct bm_error *error);
    /* Queues `launches` executions, each on the next slot of the cold set, and waits for them. */
    enum bm_status (*run)(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                          struct bm_error *error);
    void (*discard)(struct bm_prepared *prepared);
    /* The ceilings that it measures: writes up to capacity cases, returns how many there are, at most
     * BM_MAX_CEILINGS. NULL: bm_ceiling_cases_sized. */
    size_t (*ceilings)(const struct bm_endpoint *endpoint, const struct bm_ceiling_wish *wish,
                       struct bm_case *cases, size_t capacity);
    /* As bm_workload.candidates, for kernels of its own. NULL: the workload's. */
    size_t (*candidates)(const struct bm_session *session, const struct bm_case *the_case,
                         struct bm_parameters *candidates, size_t capacity);
    /* A flow as one prepared case, made of its cases, which must have been reserved: info() counts the
     * launches of all, run() queues them one after the other, verify() compares every node with its reference
     * on what flowed to it, and, where that takes seconds at most, the flow's result with a float64 reference
     * of all. The flow is copied. NULL: the backend cannot. */
    enum bm_status (*sequence)(struct bm_session *session, const struct bm_flow *flow,
                               struct bm_prepared **prepared, struct bm_error *error);
};

/* The backends compiled into this program, listed once. NULL past the end. */
const struct bm_backend *bm_backend_get(size_t index);
/* Whether BENCHMARK_BACKENDS, "native,onednn", lets a backend list; unset: all. A driver that crashes when it
 * is asked can be left out so. */
bool bm_backend_admitted(const char *name);
/* Every endpoint of every backend: of CPUs once for each cap, or uncapped where there are none. A backend
 * that fails to list is logged and passed over. */
enum bm_status bm_endpoints_list(const struct bm_places *places, const enum bm_isa *caps, size_t cap_count,
                                 struct bm_endpoint **endpoints, size_t *count,
                                 struct bm_error *error) BM_CHECK_RESULT;
void bm_endpoints_free(struct bm_endpoint *endpoints, size_t count);
/* Whether it has no kernel of this format. */
bool bm_endpoint_lacks(const struct bm_endpoint *endpoint, const struct bm_dtype *dtype);
/* Whether there is a kernel for such cases at all. A case of which there is one may still not fit: reserve()
 * tells. */
bool bm_endpoint_offers(const struct bm_endpoint *endpoint, const struct bm_case *the_case);

#endif
