/* bm/workload.h - floor 3: kinds of work: their shapes, FLOPs, bytes, inputs, CPU reference and tolerance,
 * and the plan of kernel launches that does the work on an OpenCL device. No OpenCL call is made here. */
#ifndef BM_WORKLOAD_H
#define BM_WORKLOAD_H

#include "bm/base.h"
#include "bm/data.h"
#include "bm/tuned.h"

/* ---- number formats ---- */

/* I8 and I4 are signed. I4, -8 to 7, is stored as q + 8 in a nibble, two a byte: element e lies in byte e /
 * 2, in the low nibble where e is even. */
enum bm_element { BM_ELEMENT_F32, BM_ELEMENT_F16, BM_ELEMENT_BF16, BM_ELEMENT_I8, BM_ELEMENT_I4 };
enum { BM_ELEMENT_COUNT = BM_ELEMENT_I4 + 1 };
/* Of tables alone: never a value, so no array of BM_ELEMENT_COUNT has a place for it. */
#define BM_ELEMENT_I32 ((enum bm_element)BM_ELEMENT_COUNT)
const char *bm_element_name(enum bm_element element); /* "f32", "bf16", "i4" */
/* Bytes of `count` packed elements, a last half byte counted whole. */
uint64_t bm_element_size(enum bm_element element, uint64_t count);
/* Whole elements that lie in so many bytes. */
uint64_t bm_element_fit(enum bm_element element, uint64_t bytes);
double bm_element_bytes_each(enum bm_element element); /* 0.5 for I4: for formulas */
/* IEEE 754 binary16, round to nearest even; exact for every value both ways, infinities and NaN included. */
uint16_t bm_half_from_float(float value);
float bm_half_to_float(uint16_t bits);
/* bfloat16, the upper half of a binary32: round to nearest even; a NaN stays one, and is quiet. */
uint16_t bm_bfloat_from_float(float value);
float bm_bfloat_to_float(uint16_t bits);
/* Reads and writes element index of packed data in the given format. A store rounds to nearest even, and
 * clamps to the range of an integer format (NaN gives 0); of an I4 it leaves the other nibble alone. */
float bm_element_load(enum bm_element element, const void *data, uint64_t index);
void bm_element_store(enum bm_element element, void *data, uint64_t index, float value);

/* A contract: what weights and activations are stored as (DESIGN "Number formats"). Accumulation is f32, for
 * int8 i32. A weight is its element times its scale; weights [n, k] have scales [n, k / scale_group]. */
#define BM_SCALE_CHANNEL UINT32_MAX
struct bm_dtype {
    const char *name, *summary;
    enum bm_element weight, activation, output, kv;
    enum bm_element scale; /* of the weights, where scale_group is not 0 */
    uint32_t scale_group;  /* consecutive weights along k that share a scale; BM_SCALE_CHANNEL: all of an
                              output  channel; 0: no scales */
    /* Activations enter in `activation` and are quantised to I8 row by row within the timed region: scale =
     * max |x| / 127, q = x / scale rounded to nearest even. */
    bool quantised_activations;
    const char *pipes[5]; /* units that may serve it, best first, NULL-terminated (DESIGN: "Which pipes ...");
                             f32 vectors serve int8 too, as sums of up to 1024 products are exact in them */
};
const struct bm_dtype *bm_dtype_find(const char *name); /* NULL: unknown */
const struct bm_dtype *bm_dtype_get(size_t index);      /* NULL past the end: for listings */
/* "f32, f16, ... or int4af16": all of them, for messages. Static. */
const char *bm_dtype_names(void);
/* The contract of ops without weights, such as attention and norms: f32, f16 or bf16 by the activations. */
const struct bm_dtype *bm_dtype_of_activations(const struct bm_dtype *dtype);
/* The standard deviation of seeded weights times their scales: of the elements of bm_values (below). */
double bm_dtype_weight_deviation(const struct bm_dtype *dtype);
/* Scales of a matrix [n, k]: 0, n, or n ceil(k / scale_group). */
uint64_t bm_dtype_scale_count(const struct bm_dtype *dtype, uint64_t n, uint64_t k);
/* Bytes of a matrix [n, k] with its scales, unpadded: n k e_w + scales e_s. */
double bm_dtype_weight_bytes(const struct bm_dtype *dtype, uint64_t n, uint64_t k);

/* ---- cases ---- */

struct bm_workload;

enum bm_phase { BM_PHASE_NONE, BM_PHASE_PREFILL, BM_PHASE_DECODE };
const char *bm_phase_name(enum bm_phase phase); /* "-", "prefill", "decode" */

/* How tokens choose their experts (DESIGN "Formulas"): all alike, or the r-th most popular with a weight of
 * 1 / r. */
enum bm_routing { BM_ROUTING_UNIFORM, BM_ROUTING_ZIPF };
const char *bm_routing_name(enum bm_routing routing); /* "uniform", "zipf" */

/* What a KV cache holds: as the dtype says; or in any case f16, or int8 with an f32 scale for each token and
 * head of keys and of values (DESIGN "Number formats"). */
enum bm_kv { BM_KV_DTYPE, BM_KV_F16, BM_KV_INT8 };

/* A workload with every parameter fixed. Axes that a workload lacks are 0. */
struct bm_case {
    const struct bm_workload *workload;
    char model[BM_ID_SIZE]; /* "-" for ceilings */
    char op[32];            /* "ffn_down"; for ceilings the resource: "read", "f32_vector" */
    enum bm_phase phase;
    const struct bm_dtype *dtype; /* NULL for ceilings */
    /* Of the request. tokens: new tokens a sequence; context: the tokens before them (prefill), or all keys
     * that the new token sees, its own included (decode). */
    uint32_t batch, tokens, context;
    uint64_t m, n, k; /* matmul: [m,k] x [k,n]; fma: n lanes, k steps; cache: see src/workload/cache.c;
                         0: the defaults */
    uint32_t heads, kv_heads, head_dim, v_dim; /* attention; head_dim of queries and keys, v_dim of values.
                                                  rmsnorm: m rows are heads where there are kv_heads */
    enum bm_kv kv;                             /* of attention and kv_write */
    uint32_t window; /* attention in prefill: keys that a token sees, its own included; 0: all before it. In
                        decode the context says it */
    bool sinks; /* attention: each query head has a sink, a learned logit that is in the softmax's denominator
                   beside those of the keys, and has no value (gpt-oss: see src/workload/attention.c) */
    /* grouped_gemm and combine: each of m tokens goes to top_k of the experts; of those in groups_used of the
     * groups where that is not 0. */
    uint32_t experts, top_k;
    enum bm_routing routing;
    bool row_per_pair;  /* activations have a row for each (token, expert), not one for each token */
    bool rows_by_token; /* all experts are a token's, and their rows lie side by side, as heads do; else rows
                           lie by expert. No part of the key: the work is the same */
    uint32_t groups, groups_used; /* of experts, and how many may be chosen from; 0: none */
    uint64_t working_set;         /* ceilings: bytes touched by one launch, 0: the default */
    /* Memory ceilings of CPUs, where not all of the device is asked for; 0 and false: all, best pages. */
    uint32_t threads; /* so many of its threads, those of one NUMA node first */
    uint32_t node;    /* 1 + the OS index of a NUMA node: its threads and memory */
    bool small_pages; /* none that the system makes larger */
    bool hot;         /* the same weights or cache at every launch */
};
#define BM_KEY_SIZE 160
/* workload/model/phase/op/dtype/shape[/extras][/hot]; the same on every machine and version. Extras of
 * ceilings: "threadsN", "nodeN", "small_pages". */
void bm_case_key(const struct bm_case *the_case, char key[BM_KEY_SIZE]);
/* The format of the case's KV cache. */
enum bm_element bm_case_kv(const struct bm_case *the_case);
/* As keys and results name it: "f32", "f16", "int8". */
const char *bm_kv_name(enum bm_element element);
/* The same work whatever model, phase and op it belongs to: such cases share one measurement. */
bool bm_case_same_work(const struct bm_case *a, const struct bm_case *b);

/* ---- operands and kernel plans ---- */

enum bm_role {
    BM_ROLE_HOT,    /* input, the same at every launch: activations */
    BM_ROLE_COLD,   /* input in the rotating arena: weights, KV cache */
    BM_ROLE_TABLE,  /* input of I32, BM_DRAWS of them, which take turns: filled by the workload */
    BM_ROLE_OUTPUT, /* verified */
    BM_ROLE_SCRATCH /* between launches of one plan */
};
/* How often a table is drawn anew before the first comes again. */
enum { BM_DRAWS = 16 };
struct bm_tensor {
    const char *name;
    enum bm_element element;
    enum bm_role role;
    uint64_t count; /* elements, including padding of a packed layout; of one draw of a table */
    bool on_host;   /* one end of a transfer: host memory from which a device can copy directly */
    bool rotates; /* an output that every launch writes at another place, as it reads cold inputs from one */
};

enum bm_argument_kind {
    BM_ARGUMENT_BUFFER, /* the buffer of tensor `index`; cold tensors: the arena */
    BM_ARGUMENT_OFFSET, /* ulong: element offset of cold or rotating tensor `index` in its buffer, or of a
                           table among its draws; changes at every launch */
    BM_ARGUMENT_PITCH,  /* ulong: elements from one row of tensor `index` to the next, `value` where nothing
                           else is asked for: a tensor may be part of wider rows. What a row is, a cache's
                           line of one head as well, the workload says */
    BM_ARGUMENT_HEAD_PITCH, /* ulong: likewise from one head to the next within a row */
    BM_ARGUMENT_UINT,       /* uint: value */
    BM_ARGUMENT_FLOAT,      /* float: real */
    BM_ARGUMENT_LOCAL       /* local memory of value bytes */
};
struct bm_argument {
    enum bm_argument_kind kind;
    unsigned index;
    uint64_t value;
    float real;
};
struct bm_launch {
    const char *kernel;  /* function in the source file; NULL: a transfer, of the tensor that is argument 0 to
                            the one that is argument 1, as long, one of which is on the host */
    unsigned dimensions; /* 1 to 3 */
    size_t global[3], local[3];       /* items; local 0: the driver chooses */
    struct bm_argument arguments[24]; /* in the kernel's order */
    unsigned argument_count;
};
/* What does one case on one device: buffers, build options and a sequence of launches. */
struct bm_plan {
    const char *source;  /* file in kernels/, e.g. "gemm.cl"; NULL: only transfers */
    char variant[32];    /* "register_tile", ...: for the report */
    const char *pipe;    /* unit that does the arithmetic: "f32_vector" */
    const char *feature; /* what compilers may lack; then the build fails and the case is skipped. NULL: a
                            failing build is a failure */
    struct bm_parameters parameters; /* tunables in force, for the report */
    struct bm_parameters defines;    /* every -D NAME=VALUE of the build, tunables included */
    struct bm_tensor tensors[8];
    unsigned tensor_count;
    struct bm_launch launches[4];
    unsigned launch_count;
    bool check_all; /* checks cover every output, not a sample: for references that are themselves inputs */
    bool waits;     /* the host waits for the end of each execution before it queues the next */
    bool plain; /* no launches: tensors as the mathematics has them, for a backend with kernels of its own */
};

/* What a plan may depend on. Parameters, not vendors, choose the shape of a kernel. */
struct bm_target {
    bool is_gpu;
    unsigned compute_units;
    size_t max_group_items;
    uint64_t local_bytes, max_allocation_bytes;
    bool has_fp16, has_fp64, has_integer_dot; /* by its extensions */
    /* Matrix units, each known by kernels that use it having been built: mma.sync with f16, bf16 and int8
     * (NVIDIA's from compute capability 8.0). */
    bool has_nvidia_mma;
    bool emulates_matrix_unit; /* tests only: kernels for matrix units may be built in plain C */
};

/* ---- input values and checking ---- */

/* Seeded values x of a normal distribution, |x| >= 2^-10 so that no format stores a denormal, rounded to the
 * format; I8: 32 x, rounded and kept within +-127; I4: 2.5 x, within -8 to 7. Element i of a tensor that
 * starts at `start` is values[(start + i) % period]: period is prime, so shifted copies differ. */
struct bm_values {
    enum bm_element element;
    size_t period;
    float *values;
};
enum bm_status bm_values_init(struct bm_values *values, enum bm_element element, uint64_t seed,
                              struct bm_error *error) BM_CHECK_RESULT;
void bm_values_fini(struct bm_values *values);
/* out[j] = element (start + j * stride), j < count. */
void bm_values_gather(const struct bm_values *values, uint64_t start, uint64_t stride, size_t count,
                      double *out);

/* Where tensor t of a plan begins in its bm_values; hot and cold alike. Of a table: the draw in force. */
struct bm_operands {
    const struct bm_values *values[8];
    uint64_t start[8];
    const int32_t *table[8];
};

#define BM_CHECK_OUTPUTS 1024
/* A run of consecutive outputs with their float64 reference. An output passes when
 * |got - expected| - rounding <= tolerance * max(|expected|, scale). */
struct bm_check {
    unsigned output; /* of the plan's outputs, in their order; most have one */
    uint64_t first;
    unsigned count;
    double expected[BM_CHECK_OUTPUTS];
    double scale; /* typical size of an output: what absolute errors are relative to near zero */
    double
        rounding; /* of outputs that are whole numbers, where what is expected is not rounded: 1/2; else 0 */
};

/* A kernel parameter and its range: what a tuner may choose from. */
struct bm_tunable {
    const char *name;
    int64_t minimum, maximum;
    bool power_of_two;
};

struct bm_workload {
    const char *name, *summary;
    const char *like; /* the workload whose known parameters serve where it has none of its own, or NULL */
    bool is_ceiling;
    bool is_essential; /* a matrix product, attention or a scan: without it there is no figure of a whole pass
                        */
    bool
        is_sequence; /* made of other cases, prepared by themselves: it has no plan, and its work is theirs */
    const char *reference; /* how it is checked, for the report: "float64" */
    /* BM_INVALID with the reason when the case's parameters make no sense. */
    enum bm_status (*validate)(const struct bm_case *the_case, struct bm_error *error);
    void (*shape)(const struct bm_case *the_case, struct bm_text *text); /* "m512n11008k4096" */
    /* Work of one execution, by the formulas of the workload's header comment. */
    double (*flops)(const struct bm_case *the_case);
    double (*bytes)(const struct bm_case *the_case);
    /* Those of `bytes` that are written. NULL: next to none, as far as judging by a ceiling goes. */
    double (*written)(const struct bm_case *the_case);
    /* Tunables that are correct on any device of this kind. */
    void (*safe_parameters)(const struct bm_case *the_case, const struct bm_target *target,
                            struct bm_parameters *parameters);
    /* What `benchmark tune` varies; not every combination suits the kernel: plan() decides. NULL: nothing. */
    const struct bm_tunable *tunables;
    size_t tunable_count;
    /* Parameters worth trying: of a ceiling, the fastest is kept in every run; elsewhere `benchmark tune`
     * starts from them. Writes up to capacity, returns how many there are. NULL: only the shipped ones. */
    size_t (*candidates)(const struct bm_case *the_case, const struct bm_target *target,
                         struct bm_parameters *candidates, size_t capacity);
    /* BM_INVALID when parameters do not suit the kernel, BM_UNSUPPORTED when the case does not suit the
     * target. What parameters (NULL: all) leave out is taken from the safe ones; plan->parameters tells what
     * came of them. */
    enum bm_status (*plan)(const struct bm_case *the_case, const struct bm_target *target,
                           const struct bm_parameters *parameters, struct bm_plan *plan,
                           struct bm_error *error);
    /* The case for a backend that brings its own kernels: dense row-major tensors, and the same values and
     * checks as for plan(). What they are stands beside the workload's definition. NULL: there is no such
     * way. */
    enum bm_status (*plain)(const struct bm_case *the_case, struct bm_plan *plan, struct bm_error *error);
    /* Writes draw number `draw` of tensor t, a table, which depends on the seed as well. NULL: no tables. */
    enum bm_status (*fill)(const struct bm_case *the_case, const struct bm_plan *plan, unsigned t,
                           uint64_t seed, uint64_t draw, int32_t *table, struct bm_error *error);
    /* Checks touch every tile of every output. check() computes number index < check_count(). */
    uint64_t (*check_count)(const struct bm_case *the_case, const struct bm_plan *plan);
    enum bm_status (*check)(const struct bm_case *the_case, const struct bm_plan *plan,
                            const struct bm_operands *operands, uint64_t seed, uint64_t index,
                            struct bm_check *check, struct bm_error *error);
    /* Relative tolerance from contract and reduction length; the reasoning stands beside the definition. */
    double (*tolerance)(const struct bm_case *the_case);
};

/* The class of shapes that shares parameters with this case, from coarse to fine, the levels parted by '/':
 * "m33-128/n4096k4096", "decode/d128"; "" for ceilings. bm/tuned.h looks such names up. */
void bm_case_class(const struct bm_case *the_case, char shape_class[BM_CLASS_SIZE]);

/* Experts that occur when the case's tokens are routed: expected, and in draw number `draw` of that seed. 0
 * for other workloads. */
double bm_case_experts_expected(const struct bm_case *the_case);
enum bm_status bm_case_experts_drawn(const struct bm_case *the_case, uint64_t seed, uint64_t draw,
                                     uint64_t *experts, struct bm_error *error) BM_CHECK_RESULT;

const struct bm_workload *bm_workload_find(const char *name); /* NULL: unknown */
const struct bm_workload *bm_workload_get(size_t index);      /* NULL past the end */

/* The ceilings every run measures: memory read and copy over working_set bytes, f32 FMA. Writes up to
 * capacity cases, returns how many there are. bench/tuned has their parameters under the dtype "-". */
size_t bm_ceiling_cases(uint64_t working_set, struct bm_case *cases, size_t capacity);

/* ---- what a backend's own kernels need to know of ceilings ---- */

/* Elements of `stream` whose sum is one output of "read"; element i of "write" becomes i modulo it. */
enum { BM_STREAM_BLOCK = 16384 };
/* "triad": a = b + this x c. */
#define BM_STREAM_SCALE 3.0
/* `cache`: sums[g], g < groups, is the sum over passes r of (r + 1) x the sum of part (g + r step) modulo
 * parts. */
struct bm_cache_reading {
    uint64_t part_elements, parts, step, groups, passes;
};
void bm_cache_reading(const struct bm_case *the_case, struct bm_cache_reading *reading); /* of a valid case */
/* `fma`: lanes and steps of a valid case. */
void bm_fma_size(const struct bm_case *the_case, uint64_t *lanes, uint64_t *steps);
/* Operands of the dot and matrix pipes of `fma`, as a backend's own kernels take them (see fma_dot.c): row
 * and column below 16. Left ones are 0 to 4, right ones -3 to 3. */
static inline int bm_dot_left(unsigned row, unsigned depth) {
    return (int)((row * 7 + depth * 3) % 5);
}
static inline int bm_dot_right(unsigned depth, unsigned column) {
    return (int)((depth * 5 + column * 11) % 7) - 3;
}

/* What ceilings are sized by. */
struct bm_ceiling_sizes {
    uint64_t cold_bytes;                    /* more than any cache holds */
    uint64_t l1_bytes, l2_bytes, llc_bytes; /* of one cache; 0: unknown, or it is the last level itself */
    unsigned compute_units;
    bool is_gpu; /* its rows may run on a matrix unit, which the vector pipe cannot judge */
};
#define BM_MAX_CEILINGS 48
/* Those of bm_ceiling_cases and reading from the last-level cache, which judge a run's rows; `inner`: from
 * the caches before it too; `all`: from everything that has a workload, on one device. Writes up to capacity
 * cases, returns how many there are, at most BM_MAX_CEILINGS. */
size_t bm_ceiling_cases_sized(const struct bm_ceiling_sizes *sizes, bool inner, bool all,
                              struct bm_case *cases, size_t capacity);

#endif
