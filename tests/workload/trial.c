#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness trial_harness;
static unsigned runs, failures;

static void set_parameters(struct bm_parameters *parameters, const char *text) {
    char name[24], *end;
    size_t length;
    *parameters = (struct bm_parameters){0};
    while ((length = strcspn(text, "=")) < sizeof(name) && text[length]) {
        memcpy(name, text, length);
        name[length] = '\0';
        bm_parameters_set(parameters, name, strtoll(text + length + 1, &end, 10));
        text = end + strspn(end, " ");
    }
}

static const char *judge(const struct harness_result *result, bool faulty, bool special) {
    if (!result->checked)
        return "nothing was checked";
    if (!result->guards_intact)
        return "a guard zone was overwritten";
    if (result->unwritten && !result->special) /* a NaN may be the poison itself */
        return "an output was not written";
    if (!faulty && result->wrong)
        return "outputs differ from the reference";
    if (special && !result->special)
        return "no output is NaN or infinite";
    return faulty && !result->wrong ? "a planted fault was not seen" : NULL;
}

/* Tensors that have pitches. */
static unsigned count_pitched(const struct bm_plan *plan) {
    unsigned seen = 0;
    for (unsigned l = 0; l < plan->launch_count; l++)
        for (unsigned a = 0; a < plan->launches[l].argument_count; a++)
            if (plan->launches[l].arguments[a].kind == BM_ARGUMENT_PITCH)
                seen |= 1u << plan->launches[l].arguments[a].index;
    return (unsigned)__builtin_popcount(seen);
}

/* Whether transposing changes where something lies. */
static bool has_heads(const struct bm_plan *plan) {
    for (unsigned l = 0; l < plan->launch_count; l++)
        for (unsigned a = 0; a < plan->launches[l].argument_count; a++)
            if (plan->launches[l].arguments[a].kind == BM_ARGUMENT_HEAD_PITCH)
                return true;
    return false;
}

/* pitched: as of trial_run_wide; 0: any. Returns has_heads of the plan, false without one. */
static bool run(const struct bm_case *c, const struct tuning *tuning, const struct harness_fault *fault,
                bool special, unsigned pitched) {
    struct bm_error error = {0};
    struct bm_parameters parameters;
    struct bm_plan plan;
    struct harness_result result = {0};
    struct bm_target target = trial_harness.target;
    char key[BM_KEY_SIZE];

    target.is_gpu = tuning->is_gpu;
    target.has_fp64 = true;
    target.has_integer_dot = true;
    target.emulates_matrix_unit = true;
    set_parameters(&parameters, tuning->text);
    bm_case_key(c, key);
    enum bm_status status = c->workload->plan(c, &target, &parameters, &plan, &error);
    if (status == BM_UNSUPPORTED && c->dtype && strcmp(c->dtype->name, "f32") != 0 &&
        strcmp(c->dtype->name, "f16") != 0)
        return false;
    runs++;
    if (!status)
        status = harness_run(&trial_harness, c, &plan, fault, 1, &result, &error);
    const char *problem = status ? error.message : judge(&result, fault != NULL, special);
    if (!problem && pitched && count_pitched(&plan) != pitched)
        problem = "other tensors have pitches than should";
    const bool heads = has_heads(&plan);
    if (!problem)
        return heads;
    failures++;
    printf("FAILED %s [%s %s%s]: %s (wrong %llu of %llu, worst %.3g, tolerance %.3g, unwritten %llu)\n", key,
           tuning->is_gpu ? "gpu" : "cpu", tuning->text,
           !trial_harness.widen      ? ""
           : trial_harness.transpose ? " wide, transposed"
                                     : " wide",
           problem, (unsigned long long)result.wrong, (unsigned long long)result.checked, result.worst,
           c->workload->tolerance(c), (unsigned long long)result.unwritten);
    return heads;
}

void trial_run(const struct bm_case *c, const struct tuning *tuning, const struct harness_fault *fault) {
    run(c, tuning, fault, false, 0);
}

void trial_run_special(const struct bm_case *c, const struct tuning *tuning) {
    run(c, tuning, NULL, true, 0);
}

void trial_run_wide(const struct bm_case *c, const struct tuning *tuning, unsigned pitched) {
    trial_harness.widen = 48;
    if (run(c, tuning, NULL, false, pitched)) {
        trial_harness.transpose = true;
        run(c, tuning, NULL, false, pitched);
    }
    trial_harness.transpose = false;
    trial_harness.widen = 0;
}

static bool wanted(const char *family, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], family) == 0)
            return true;
    return argc <= 2;
}

int trial_main(int argc, char **argv, const struct trial_family *families, size_t count) {
    struct bm_error error = {0};
    if (argc < 2 || (strcmp(argv[1], "small") != 0 && strcmp(argv[1], "all") != 0)) {
        fprintf(stderr, "usage: %s all|small [FAMILY]...\n", argv[0]);
        return 2;
    }
    enum bm_status status = harness_open(&trial_harness, &error);
    if (status) {
        printf("%s\n", error.message);
        return status == BM_NOT_FOUND ? 77 : 1;
    }
    for (size_t i = 0; i < count; i++)
        if (wanted(families[i].name, argc, argv))
            families[i].run(strcmp(argv[1], "small") == 0);
    printf("%u runs, %u failed\n", runs, failures);
    harness_close(&trial_harness);
    return failures || !runs;
}
