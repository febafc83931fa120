/* Routing: which k of n experts each of m tokens goes to. Outputs [m, 2, k] in f32: the weights, best first,
 * then the experts' numbers, as wide as the integers of engines. Of equals the first expert is taken.
 *
 * Without groups: softmax over all experts, of which the k largest are kept (Shazeer et al. 2017, arXiv
 * 1701.06538; not renormalised, which would make the sum over all experts needless). F = m n (3 + k):
 * difference, exponential and sum, and k searches. With groups, as DeepSeek-V3 does (arXiv 2412.19437,
 * section 2.1.2, and the Gate of its inference/model.py): s = sigmoid(x), c = s + bias; of the groups those
 * whose two largest c have the greatest sums; of their experts the k largest c; weights s / (sum of s) x 2.5.
 * F = m n (5 + k). B = m (n e + 8 k)
 * + 4 n of biases. Logits and biases are cold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { OUTPUTS, LOGITS, BIASES };
enum { EXPERTS_MAX = 4096, CHOSEN_MAX = 64, GROUPS_MAX = 64 };
static const double routed_scale = 2.5;

static const struct bm_tunable tunables[] = {{"VEC", 1, 16, true}, {"LANES", 1, 1024, true}};

static enum bm_status validate(const struct bm_case *c, struct bm_error *error) {
    enum bm_status status = bm_rows_validate(c, error);
    if (status)
        return status;
    if (c->n > EXPERTS_MAX || !c->k || c->k > c->n || c->k > CHOSEN_MAX)
        return bm_fail(error, BM_INVALID, "topk: %llu of %llu experts, must be 1 to %d of at most %d",
                       (unsigned long long)c->k, (unsigned long long)c->n, CHOSEN_MAX, EXPERTS_MAX);
    if (c->groups && (c->groups > GROUPS_MAX || c->n % c->groups || c->n / c->groups < 2 || !c->groups_used ||
                      c->groups_used > c->groups || c->k > c->n / c->groups * c->groups_used))
        return bm_fail(error, BM_INVALID, "topk: %llu experts do not make %u groups of which %u hold %llu",
                       (unsigned long long)c->n, c->groups, c->groups_used, (unsigned long long)c->k);
    return BM_OK;
}

static void shape(const struct bm_case *c, struct bm_text *text) {
    bm_text_append(text, "m%llun%lluk%llu", (unsigned long long)c->m, (unsigned long long)c->n,
                   (unsigned long long)c->k);
    if (c->groups)
        bm_text_append(text, "g%uu%u", c->groups, c->groups_used);
}

static double flops(const struct bm_case *c) {
    return (double)c->m * (double)c->n * ((c->groups ? 5 : 3) + (double)c->k);
}

static double bytes(const struct bm_case *c) {
    return (double)c->m * ((double)c->n * bm_rows_element(c) + 8.0 * (double)c->k) +
           (c->groups ? 4.0 * (double)c->n : 0);
}

static void safe_parameters(const struct bm_case *c, const struct bm_target *target,
                            struct bm_parameters *parameters) {
    const bool grouped = target->is_gpu && target->max_group_items >= 32 && target->local_bytes >= 65536 / 2;
    (void)c;
    *parameters = (struct bm_parameters){0};
    bm_parameters_set(parameters, "VEC", grouped ? 1 : 16);
    bm_parameters_set(parameters, "LANES", grouped ? 32 : 1);
}

static enum bm_status plan_topk(const struct bm_case *c, const struct bm_target *target,
                                const struct bm_parameters *given, struct bm_plan *plan,
                                struct bm_error *error) {
    struct bm_parameters parameters;

    *plan = (struct bm_plan){0};
    uint64_t lanes;
    enum bm_status status = bm_rows_resolve(c, target, given, &parameters, &lanes, error);
    if (!status && lanes > 1) /* two rows of scores, and of a lane its best and its sum */
        status =
            bm_tunables_check_local("topk", 8 * c->n + 12 * lanes + 4 * c->k + 4 * c->groups, target, error);
    if (status)
        return status;

    bm_plan_begin(plan, "topk.cl", lanes > 1 ? "group_rows" : "item_rows", "f32_vector", &parameters);
    bm_rows_define(plan, c->dtype->activation, c->n);
    bm_parameters_set(&plan->defines, "EXPERTS", (int64_t)c->n);
    bm_parameters_set(&plan->defines, "CHOSEN", (int64_t)c->k);
    bm_parameters_set(&plan->defines, "GROUPS", c->groups);
    bm_parameters_set(&plan->defines, "GROUPS_USED", c->groups_used);
    bm_plan_tensor(plan, "outputs", BM_ELEMENT_F32, BM_ROLE_OUTPUT, c->m * 2 * c->k);
    bm_plan_tensor(plan, "logits", c->dtype->activation, BM_ROLE_COLD, c->m * c->n);
    if (c->groups)
        bm_plan_tensor(plan, "biases", BM_ELEMENT_F32, BM_ROLE_COLD, c->n);
    struct bm_launch *launch = bm_plan_launch(plan, "topk", 1);
    launch->local[0] = lanes;
    launch->global[0] = c->m * lanes;
    for (unsigned t = OUTPUTS; t < plan->tensor_count; t++)
        bm_launch_tensor(launch, plan, t);
    status = bm_plan_fits(plan, target, error);
    if (status)
        *plan = (struct bm_plan){0};
    return status;
}

/* A check is a row. */
static uint64_t check_count(const struct bm_case *c, const struct bm_plan *plan) {
    (void)plan;
    return c->m;
}

static size_t largest(const double *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

/* Leaves -infinity in the choices of the groups that are not used. Returns by how little the last group that
 * is used beats the next. */
static double choose_groups(const struct bm_case *c, double *choice) {
    double score[GROUPS_MAX], margin = (double)INFINITY;
    bool used[GROUPS_MAX] = {false};
    const size_t size = (size_t)(c->n / c->groups);

    for (size_t g = 0; g < c->groups; g++) {
        double first = -(double)INFINITY, second = first;
        for (size_t e = g * size; e < (g + 1) * size; e++) {
            second = fmax(second, fmin(first, choice[e]));
            first = fmax(first, choice[e]);
        }
        score[g] = first + second;
    }
    for (unsigned u = 0; u <= c->groups_used && u < c->groups; u++) {
        const size_t best = largest(score, c->groups);
        if (u == c->groups_used) {
            margin -= score[best];
        } else {
            margin = score[best];
            score[best] = -(double)INFINITY;
            used[best] = true;
        }
    }
    for (size_t e = 0; e < c->n; e++)
        if (!used[e / size])
            choice[e] = -(double)INFINITY;
    return c->groups_used < c->groups ? margin : (double)INFINITY;
}

/* Scores closer than this f32 may order either way: they err by an exponential's 3 ulp and a few roundings of
 * numbers of up to 4. Logits themselves are exact. */
static const double indistinct = 16 * BM_F32_ROUNDOFF;

/* expected: weights and experts of a row, from its logits x. Returns how many of the experts, best first, are
 * beyond doubt: in all but one row of thousands all k. choice, score: room for n. */
static size_t route(const struct bm_case *c, const double *x, const double *bias, double *choice,
                    double *score, double *expected) {
    double sum = 0, total = 0;
    size_t certain = (size_t)c->k;
    for (size_t e = 0; e < c->n; e++) {
        score[e] = c->groups ? 1 / (1 + exp(-x[e])) : x[e];
        choice[e] = c->groups ? score[e] + bias[e] : x[e];
    }
    if (c->groups && choose_groups(c, choice) <= indistinct)
        certain = 0;
    for (size_t i = 0; i < c->k; i++) {
        const size_t best = largest(choice, (size_t)c->n);
        const double value = choice[best];
        choice[best] = -(double)INFINITY;
        if (c->groups && value - choice[largest(choice, (size_t)c->n)] <= indistinct && certain > i)
            certain = i;
        expected[i] = score[best];
        expected[c->k + i] = (double)best;
        total += score[best];
    }
    for (size_t e = 0; !c->groups && e < c->n; e++)
        sum += exp(score[e] - expected[0]);
    const double first = expected[0];
    for (size_t i = 0; i < c->k; i++)
        expected[i] = c->groups ? expected[i] / total * routed_scale : exp(expected[i] - first) / sum;
    return certain;
}

static enum bm_status check_topk(const struct bm_case *c, const struct bm_plan *plan,
                                 const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                 struct bm_check *check, struct bm_error *error) {
    const size_t n = (size_t)c->n;
    (void)seed;
    enum bm_status status = bm_check_begin(check, index, check_count(c, plan), error);
    if (status)
        return status;
    double *x = bm_alloc(4 * n, sizeof(*x)), *bias = x + n;
    if (!x)
        return bm_fail(error, BM_NO_MEMORY, "no memory to check %zu experts", n);
    bm_values_gather(operands->values[LOGITS], operands->start[LOGITS] + index * n, 1, n, x);
    if (c->groups)
        bm_values_gather(operands->values[BIASES], operands->start[BIASES], 1, n, bias);
    const size_t certain = route(c, x, bias, x + 2 * n, x + 3 * n, check->expected);
    check->first = index * 2 * c->k;
    check->count = (unsigned)(2 * c->k);
    if (certain < c->k) { /* the weights depend on who is in doubt, the experts before do not */
        check->first += c->k;
        check->count = (unsigned)certain;
        memmove(check->expected, check->expected + c->k, certain * sizeof(*check->expected));
    }
    check->scale = 1 / (double)c->k;
    free(x);
    return BM_OK;
}

/* An exponential errs by 3 ulp, a sum of up to 4096 positive terms by 0.3 u times the root of its chain.
 * Numbers of experts are far enough apart. */
static double tolerance(const struct bm_case *c) {
    (void)c;
    return 64 * BM_F32_ROUNDOFF;
}

const struct bm_workload bm_workload_topk = {
    .name = "topk",
    .summary = "routing: the k best of n experts for each token",
    .reference = "float64",
    .validate = validate,
    .shape = shape,
    .flops = flops,
    .bytes = bytes,
    .safe_parameters = safe_parameters,
    .tunables = tunables,
    .tunable_count = BM_COUNT_OF(tunables),
    .plan = plan_topk,
    .check_count = check_count,
    .check = check_topk,
    .tolerance = tolerance,
};
