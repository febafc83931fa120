/* What the workloads share. Private to src/workload. */
#ifndef BM_WORKLOAD_INTERNAL_H
#define BM_WORKLOAD_INTERNAL_H

#include <assert.h>

#include "bm/workload.h"

extern const struct bm_workload bm_workload_gemm, bm_workload_gemv, bm_workload_grouped,
    bm_workload_attention, bm_workload_mla, bm_workload_mamba_conv, bm_workload_mamba_scan,
    bm_workload_rmsnorm, bm_workload_layernorm, bm_workload_swiglu, bm_workload_gelu, bm_workload_residual,
    bm_workload_rope, bm_workload_softmax, bm_workload_topk, bm_workload_combine, bm_workload_embedding,
    bm_workload_kv_write, bm_workload_kv_expand, bm_workload_stream, bm_workload_cache, bm_workload_fma,
    bm_workload_launch, bm_workload_transfer, bm_workload_layer;

/* Every count of elements is a product of a few dimensions; with these bounds none overflows 64 bits, in
 * bytes neither. */
#define BM_DIMENSION_MAX (UINT64_C(1) << 28) /* m, n, k */
#define BM_TOKENS_MAX    (UINT32_C(1) << 24) /* tokens, context */
#define BM_BATCH_MAX     (UINT32_C(1) << 12)
#define BM_HEADS_MAX     (UINT32_C(1) << 12)
#define BM_HEAD_DIM_MAX  1024u
#define BM_EXPERTS_MAX   4096u

/* Unit roundoff of f32, f16 and bf16. */
#define BM_F32_ROUNDOFF  0x1p-24
#define BM_F16_ROUNDOFF  0x1p-11
#define BM_BF16_ROUNDOFF 0x1p-8
/* Half a unit in the last place of an output that is stored in fewer bits than it is computed in; 0 for f32.
 */
static inline double bm_output_roundoff(enum bm_element output) {
    return output == BM_ELEMENT_F16 ? BM_F16_ROUNDOFF : output == BM_ELEMENT_BF16 ? BM_BF16_ROUNDOFF : 0;
}
/* BM_UNSUPPORTED unless weights and activations are of one float format, among those up to `last`. */
enum bm_status bm_dtype_check_plain(const char *workload, const struct bm_dtype *dtype, enum bm_element last,
                                    struct bm_error *error) BM_CHECK_RESULT;

/* ---- tunables ---- */

/* Fills *resolved with `given`, and with `safe` where given says nothing. BM_INVALID for a name that is not
 * in the table and for a value out of range. */
enum bm_status bm_tunables_resolve(const char *workload, const struct bm_tunable *tunables, size_t count,
                                   const struct bm_parameters *safe, const struct bm_parameters *given,
                                   struct bm_parameters *resolved, struct bm_error *error) BM_CHECK_RESULT;
/* BM_INVALID when a group of this many items does not fit the target. */
enum bm_status bm_tunables_check_group(const char *workload, int64_t items, const struct bm_target *target,
                                       struct bm_error *error) BM_CHECK_RESULT;
/* BM_INVALID when a group needs more local memory than the target has. */
enum bm_status bm_tunables_check_local(const char *workload, uint64_t bytes, const struct bm_target *target,
                                       struct bm_error *error) BM_CHECK_RESULT;
/* Writes up to capacity sets of parameters: set r gives tunable t the value rows[r * count + t]. Returns how
 * many there are. */
size_t bm_tunables_candidates(const struct bm_tunable *tunables, size_t count, const int64_t *rows,
                              size_t row_count, struct bm_parameters *candidates, size_t capacity);
/* The largest power of two that divides value, at most limit (a power of two). */
uint64_t bm_power_of_two_divisor(uint64_t value, uint64_t limit);
static inline uint64_t bm_ceil_div(uint64_t a, uint64_t b) {
    assert(b > 0);
    return (a + b - 1) / b;
}

/* ---- plans ---- */

/* Empties *plan and names it. */
void bm_plan_begin(struct bm_plan *plan, const char *source, const char *variant, const char *pipe,
                   const struct bm_parameters *parameters);
/* Returns the tensor's index. */
unsigned bm_plan_tensor(struct bm_plan *plan, const char *name, enum bm_element element, enum bm_role role,
                        uint64_t count);
/* An output that rotates: of work that writes about as much as it reads, which a cache would hide. */
unsigned bm_plan_rotating_output(struct bm_plan *plan, const char *name, enum bm_element element,
                                 uint64_t count);
struct bm_launch *bm_plan_launch(struct bm_plan *plan, const char *kernel, unsigned dimensions);
/* Appends the tensor's buffer and, for one that rotates, its offset. */
void bm_launch_tensor(struct bm_launch *launch, const struct bm_plan *plan, unsigned tensor);
/* A tensor's pitch, of rows or of heads, as it is where the tensor stands alone. */
void bm_launch_pitch(struct bm_launch *launch, unsigned tensor, uint64_t elements);
void bm_launch_head_pitch(struct bm_launch *launch, unsigned tensor, uint64_t elements);
void bm_launch_uint(struct bm_launch *launch, uint64_t value);
void bm_launch_float(struct bm_launch *launch, float value);
/* BM_UNSUPPORTED when a buffer is larger than the target allocates at once. The cold tensors of one format
 * share a buffer, so their sum counts. */
enum bm_status bm_plan_fits(const struct bm_plan *plan, const struct bm_target *target,
                            struct bm_error *error) BM_CHECK_RESULT;

/* ---- values ---- */

/* Position of element index of tensor t in its values: for loops that step by hand. */
static inline size_t bm_values_position(const struct bm_operands *operands, unsigned tensor, uint64_t index) {
    return (size_t)((operands->start[tensor] + index) % operands->values[tensor]->period);
}
/* float64 dot product of x with elements index, index + 1, ... of tensor t. */
double bm_values_dot(const struct bm_operands *operands, unsigned tensor, uint64_t index, const double *x,
                     size_t count);
/* float64 sum of elements index, index + 1, ... of tensor t. */
double bm_values_sum(const struct bm_operands *operands, unsigned tensor, uint64_t index, size_t count);
/* A number below bound that depends on seed and index alone. */
uint64_t bm_sample(uint64_t seed, uint64_t index, uint64_t bound);
/* Clears *check and bounds count. */
enum bm_status bm_check_begin(struct bm_check *check, uint64_t index, uint64_t count,
                              struct bm_error *error) BM_CHECK_RESULT;

/* From the seeds in check->expected, first lane check->first, to what steps of `depth` products each make of
 * them (see fma_dot.c). */
void bm_fma_expect_dot(unsigned depth, uint64_t steps, struct bm_check *check);

/* ---- routing ---- */

/* Rows that an expert which occurs has on average, rounded up, as if all were alike. */
uint64_t bm_routed_rows(const struct bm_case *c);

/* ---- work on m rows of n outputs ---- */

/* BM_INVALID unless the case has a dtype, m >= 1 and n >= 1 within bounds. */
enum bm_status bm_rows_validate(const struct bm_case *c, struct bm_error *error) BM_CHECK_RESULT;
void bm_rows_shape(const struct bm_case *c, struct bm_text *text); /* "m512n4096" */
/* What a plan begins with: checks the case, whose weights and activations are of one float format, and
 * completes `given` by what is safe. lanes: of a group, which fits the target. */
enum bm_status bm_rows_resolve(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_parameters *parameters,
                               uint64_t *lanes, struct bm_error *error) BM_CHECK_RESULT;
/* Of the elements that a case of rows reads and writes: activations and outputs have one format. */
static inline double bm_rows_element(const struct bm_case *c) {
    return bm_element_bytes_each(c->dtype->activation);
}
/* Sets the defines FORMAT (enum bm_element) and VEC, the latter lowered to what divides `n`. */
void bm_rows_define(struct bm_plan *plan, enum bm_element stored, uint64_t n);

/* Lowers VEC of the defines to a power of two that divides `length` too. */
void bm_rows_limit_vec(struct bm_plan *plan, uint64_t length);

/* Lowers STREAMS likewise, so that STREAMS x VEC divides n. */
void bm_rows_limit_streams(struct bm_plan *plan, uint64_t n);

/* Checks of outputs [m, n]: all of them where that is cheap or the plan asks for it, else a run of every row.
 */
struct bm_row_run {
    uint64_t row, column;
    unsigned count;
};
uint64_t bm_row_run_count(const struct bm_plan *plan, uint64_t m, uint64_t n);
struct bm_row_run bm_row_run_get(const struct bm_plan *plan, uint64_t m, uint64_t n, uint64_t seed,
                                 uint64_t index);
/* The check of the plain layout: number row * n + column and those after it. */
enum bm_status bm_row_run_begin(struct bm_check *check, const struct bm_plan *plan, uint64_t m, uint64_t n,
                                uint64_t seed, uint64_t index, struct bm_row_run *run,
                                struct bm_error *error) BM_CHECK_RESULT;

/* ---- matmul: what gemm and gemv share ---- */

/* The number by which their kernels know a format. */
int64_t bm_matmul_format(enum bm_element element);
/* WEIGHT, ACTIVATION and QUANTISE of the build. */
void bm_matmul_define(const struct bm_dtype *dtype, struct bm_plan *plan);
/* What quantising a row to int8 makes of it, in the kernels' own f32 arithmetic. */
void bm_matmul_quantise(double *x, size_t count);
/* The standard deviation of an output: elements of weights are normal with 1, of I8 32, of I4 2.5; their
 * scales and activations are unit normals. */
double bm_matmul_scale(const struct bm_case *c);
/* Adding k products in f32 rounds each partial sum, of size sqrt(j) after j terms, by up to u = 2^-24 of it;
 * independent roundings make u / sqrt(3) * sqrt(1 + 2 + ... + k) = 0.41 u k, which is 0.41 u sqrt(k) of the
 * scale. 8 u sqrt(k) leaves twenty standard deviations and is still far below one lost term, about
 * 1 / sqrt(k). An output of fewer bits adds half a unit in its last place.
 * int8 x int8 is exact but for the quantising: where x / scale lies within its rounding of a half, a device
 * may round the other way, which changes the output by max |x| / 127 = 0.04 of one term; two such flips. */
double bm_matmul_tolerance(const struct bm_case *c);
/* The plain plan of a valid case and its checks (see matmul_plain.c). */
void bm_matmul_plain(const struct bm_case *c, struct bm_plan *plan);
uint64_t bm_matmul_plain_check_count(const struct bm_case *c);
enum bm_status bm_matmul_plain_check(const struct bm_case *c, const struct bm_operands *operands,
                                     uint64_t seed, uint64_t index, struct bm_check *check,
                                     struct bm_error *error) BM_CHECK_RESULT;

/* ---- attention: a plan's tensors and layout, shared by its three files ---- */

enum {
    BM_ATTENTION_Q,
    BM_ATTENTION_K,
    BM_ATTENTION_V,
    BM_ATTENTION_OUT,
    BM_ATTENTION_K_SCALES, /* of an int8 cache */
    BM_ATTENTION_V_SCALES
};
/* Number of the tensor of sinks, of a case that has them: after the other inputs. */
static inline unsigned bm_attention_sinks(const struct bm_case *c) {
    return bm_case_kv(c) == BM_ELEMENT_I8 ? BM_ATTENTION_V_SCALES + 1 : BM_ATTENTION_OUT + 1;
}
/* What is added to a seeded sink, a unit normal. Among S keys with scores as these it would weigh 1 / S, too
 * little to show in a format of few bits. With ln(S) / 2 more it weighs 1 / sqrt(S), and a prefill's first
 * token, whose sink then weighs most, has outputs that are still normal numbers of f16. */
double bm_attention_sink_shift(const struct bm_case *c);
static inline uint64_t bm_attention_context(const struct bm_case *c) {
    return c->phase == BM_PHASE_DECODE ? c->context : (uint64_t)c->context + c->tokens;
}
/* Keys that the last token sees. */
static inline uint64_t bm_attention_seen(const struct bm_case *c) {
    const uint64_t context = bm_attention_context(c);
    return c->window && c->window < context ? c->window : context;
}
static inline uint64_t bm_attention_tokens(const struct bm_case *c) {
    return c->phase == BM_PHASE_DECODE ? 1 : c->tokens;
}
/* Values of I8 are 32 x: the scores of such keys are divided by that, as a softmax over normal scores is
 * asked for. */
enum { BM_ATTENTION_I8_UNIT = 32 };
enum { BM_ATTENTION_TUNABLES = 13 };
extern const struct bm_tunable bm_attention_tunables[BM_ATTENTION_TUNABLES];
void bm_attention_safe_parameters(const struct bm_case *c, const struct bm_target *target,
                                  struct bm_parameters *parameters);
size_t bm_attention_candidates(const struct bm_case *c, const struct bm_target *target,
                               struct bm_parameters *out, size_t capacity);
enum bm_status bm_attention_plan(const struct bm_case *c, const struct bm_target *target,
                                 const struct bm_parameters *given, struct bm_plan *plan,
                                 struct bm_error *error) BM_CHECK_RESULT;
uint64_t bm_attention_check_count(const struct bm_case *c, const struct bm_plan *plan);
enum bm_status bm_attention_check(const struct bm_case *c, const struct bm_plan *plan,
                                  const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                  struct bm_check *check, struct bm_error *error) BM_CHECK_RESULT;

#endif
