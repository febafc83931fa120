#include "cli.h"

#include <string.h>

#include "commands.h"

struct settings settings = {.run.seed = 1};

static const struct option selectors[] = {
    {"device", "SEL", "an id (cpu0), a kind (cpu, gpu) or a part of a name", OPTION_WORDS,
     &settings.run.devices},
    {"backend", "NAME", "an id (opencl/pocl) or its first word", OPTION_WORDS, &settings.run.backends},
    {"model", "ID|FILE", "a model of `benchmark models`, or a file", OPTION_WORDS, &settings.run.models},
    {"workload", "NAME", "a workload of `benchmark workloads`", OPTION_WORDS, &settings.run.workloads},
    {"phase", "NAME", "prefill or decode", OPTION_WORDS, &settings.run.phases},
    {"dtype", "NAME", "a number format of `benchmark workloads`: f32, int4af16, ...", OPTION_WORDS,
     &settings.run.dtypes},
    {"batch", "N", "sequences at once", OPTION_NUMBERS, &settings.run.batches},
    {"tokens", "N", "prompt tokens of a prefill", OPTION_NUMBERS, &settings.run.tokens},
    {"context", "N", "tokens in the KV cache of a decode step", OPTION_NUMBERS, &settings.run.contexts},
    {0},
};
/* Of plans alone. */
static const struct option plan_options[] = {
    {"past", "N", "also a prefill after N earlier tokens, a later chunk of a prompt", OPTION_NUMBERS,
     &settings.run.pasts},
    {"generate", "N", "workload layer: also N decode steps, the last at the longest context", OPTION_NUMBERS,
     &settings.run.generates},
    {"count", "N", "the share of one of N devices: heads and columns divided", OPTION_NUMBERS,
     &settings.run.counts},
    {0},
};
static const struct option cpu_options[] = {
    {"threads", "N", "of a CPU; default one a core, at most a container's share", OPTION_COUNT,
     &settings.threads},
    {"cores", "KIND", "performance, efficiency or all; default all", OPTION_TEXT, &settings.cores},
    {"isa", "CAP", "up to avx2, avx512, vnni, avx512_bf16 or amx; repeatable", OPTION_WORDS, &settings.isa},
    {0},
};
static const struct option run_options[] = {
    {"suite", "NAME|FILE", "what to run: `benchmark suites`; default standard", OPTION_TEXT,
     &settings.run.suite},
    {"budget", "SECONDS", "time for the whole run; default: the suite's", OPTION_SECONDS,
     &settings.run.budget_s},
    {"seed", "N", "of inputs and of the order of rounds; default 1", OPTION_SEED, &settings.run.seed},
    {"cache", "cold|hot", "hot: the same weights at every launch; default cold", OPTION_CHOICE,
     &settings.run.hot},
    {"kv", "f16|int8", "KV cache of a decode step; default: as the number format says", OPTION_WORDS,
     &settings.run.kvs},
    {"routing", "uniform|zipf", "of tokens to experts; zipf: a few get most; default uniform", OPTION_CHOICE,
     &settings.run.zipf},
    {"kernels", "DIR", "OpenCL sources to use instead of the program's own", OPTION_TEXT,
     &settings.run.kernels_folder},
    {"output", "FILE|-", "results file; default results/HOST-TIME.json; -: standard output", OPTION_TEXT,
     &settings.run.output},
    {"resume", "FILE", "go on with an interrupted run: its options again, and its results file", OPTION_TEXT,
     &settings.run.resume},
    {"format", "text|json", "report on standard output; default text", OPTION_TEXT, &settings.format},
    {"dry-run", NULL, "print the plan and measure nothing", OPTION_FLAG, &settings.dry_run},
    {"anonymize", NULL, "no host name and no paths in the results", OPTION_FLAG, &settings.run.anonymize},
    {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &settings.quiet},
    {0},
};
static const struct option verify_options[] = {
    {"suite", "NAME|FILE", "what to verify: `benchmark suites`; default standard", OPTION_TEXT,
     &settings.run.suite},
    {"seed", "N", "of inputs and samples; default 1", OPTION_SEED, &settings.run.seed},
    {"kv", "f16|int8", "KV cache of a decode step; default: as the number format says", OPTION_WORDS,
     &settings.run.kvs},
    {"routing", "uniform|zipf", "of tokens to experts; zipf: a few get most; default uniform", OPTION_CHOICE,
     &settings.run.zipf},
    {"kernels", "DIR", "OpenCL sources to use instead of the program's own", OPTION_TEXT,
     &settings.run.kernels_folder},
    {"output", "FILE|-", "results file; default: none", OPTION_TEXT, &settings.run.output},
    {"format", "text|json", "report on standard output; default text", OPTION_TEXT, &settings.format},
    {"dry-run", NULL, "print the plan and run nothing", OPTION_FLAG, &settings.dry_run},
    {"anonymize", NULL, "no host name and no paths in the results", OPTION_FLAG, &settings.run.anonymize},
    {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &settings.quiet},
    {0},
};
static const struct option tune_options[] = {
    {"suite", "NAME|FILE", "whose shapes: `benchmark suites`; default quick", OPTION_TEXT,
     &settings.run.suite},
    {"budget", "SECONDS", "default: up to 5 for each class of shapes, at least 60", OPTION_SECONDS,
     &settings.run.budget_s},
    {"seed", "N", "of inputs and of the order of trials; default 1", OPTION_SEED, &settings.run.seed},
    {"kv", "f16|int8", "KV cache of a decode step; default: as the number format says", OPTION_WORDS,
     &settings.run.kvs},
    {"routing", "uniform|zipf", "of tokens to experts; zipf: a few get most; default uniform", OPTION_CHOICE,
     &settings.run.zipf},
    {"kernels", "DIR", "OpenCL sources to use instead of the program's own", OPTION_TEXT,
     &settings.run.kernels_folder},
    {"format", "text|json", "report on standard output; default text", OPTION_TEXT, &settings.format},
    {"dry-run", NULL, "print what would be searched and run nothing", OPTION_FLAG, &settings.dry_run},
    {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &settings.quiet},
    {0},
};
static const struct option listing_options[] = {
    {"format", "text|json", "default text", OPTION_TEXT, &settings.format},
    {0},
};

static const struct option compare_options[] = {
    {"map", "OLD=NEW", "which device is compared with which, each [FILE:]DEVICE", OPTION_WORDS,
     &settings.maps},
    {"price", "DEVICE=USD", "a price, for tokens a second per USD, of every device that [FILE:]DEVICE fits",
     OPTION_WORDS, &settings.prices},
    {"sort", "KEY", "suite (default), key, speedup, roofline, utilization or time", OPTION_TEXT,
     &settings.sort},
    {"only", "changed", "only rows whose interval excludes no change", OPTION_TEXT, &settings.only},
    {"format", "FORMAT", "text (default), json, markdown or csv", OPTION_TEXT, &settings.format},
    {"output", "FILE|-", "where the report goes; default standard output", OPTION_TEXT, &settings.run.output},
    {0},
};

static const struct option check_options[] = {
    {"baseline", "FILE|DIR", "earlier results, or a folder of them; repeatable", OPTION_WORDS,
     &settings.baselines},
    {"margin", "X", "least change that counts, 0.02 or 2%; default 1 to 3 % by the baselines", OPTION_TEXT,
     &settings.margin},
    {"alpha", "X", "chance of an alarm without a cause, over all rows; default 0.05", OPTION_TEXT,
     &settings.alpha},
    {"fail-on-inconclusive", NULL, "exit 3 where neither a change nor its absence is shown", OPTION_FLAG,
     &settings.fail_on_inconclusive},
    {"format", "FORMAT", "text (default), json, markdown, csv, junit, github, ...: see the README",
     OPTION_TEXT, &settings.format},
    {"output", "FILE|-", "where the report goes; default standard output", OPTION_TEXT, &settings.run.output},
    {0},
};

static const struct option ab_options[] = {
    {"budget", "SECONDS", "time for the whole; default 600", OPTION_SECONDS, &settings.run.budget_s},
    {"rounds", "N", "at most: each runs both commands; default 40", OPTION_COUNT, &settings.rounds},
    {"output", "DIR", "gets old.json and new.json; default results/ab-TIME", OPTION_TEXT, &settings.folder},
    {"margin", "X", "least change that counts, 0.02 or 2%; default 1 %", OPTION_TEXT, &settings.margin},
    {"alpha", "X", "chance of an alarm without a cause, over all rows; default 0.05", OPTION_TEXT,
     &settings.alpha},
    {"fail-on-inconclusive", NULL, "exit 3 where neither a change nor its absence is shown", OPTION_FLAG,
     &settings.fail_on_inconclusive},
    {"format", "FORMAT", "text (default), json, markdown, csv, junit, github, ...: see the README",
     OPTION_TEXT, &settings.format},
    {"quiet", NULL, "no progress on standard error", OPTION_FLAG, &settings.quiet},
    {0},
};

static const struct option estimate_options[] = {
    {"model", "ID|FILE", "whose serving is estimated: of `benchmark models`, or a file", OPTION_WORDS,
     &settings.run.models},
    {"batch", "N", "sequences at once; several make a curve; default 1", OPTION_NUMBERS,
     &settings.run.batches},
    {"prompt", "N", "tokens of each prompt; default 512", OPTION_NUMBERS, &settings.prompts},
    {"generate", "N", "tokens generated of each; default 128", OPTION_NUMBERS, &settings.generated},
    {"chunk", "N", "most tokens of a prompt that are processed at once; default 2048", OPTION_NUMBERS,
     &settings.chunks},
    {"tpot", "MS", "limit for the most tokens a second; default 200", OPTION_TEXT, &settings.tpot},
    {"count", "N", "devices that share the model; default 1", OPTION_NUMBERS, &settings.run.counts},
    {"link", "GB/S[,US]", "between them, each way: bandwidth and latency", OPTION_TEXT, &settings.link},
    {"device", "SEL", "an id (cpu0), a kind (cpu, gpu) or a part of a name", OPTION_WORDS,
     &settings.run.devices},
    {"backend", "NAME", "an id (opencl/pocl) or its first word", OPTION_WORDS, &settings.run.backends},
    {"dtype", "NAME", "a number format of `benchmark workloads`: f32, int4af16, ...", OPTION_WORDS,
     &settings.run.dtypes},
    {"kv", "f16|int8", "KV cache of a decode step; default: as the number format says", OPTION_WORDS,
     &settings.run.kvs},
    {"routing", "uniform|zipf", "of tokens to experts; zipf: a few get most; default uniform", OPTION_CHOICE,
     &settings.run.zipf},
    {"format", "FORMAT", "text (default), json, markdown or csv", OPTION_TEXT, &settings.format},
    {"output", "FILE|-", "where the report goes; default standard output", OPTION_TEXT, &settings.run.output},
    {0},
};

#define OPTIONS(options)                                                                                     \
    { "Options", options }
#define SELECTORS                                                                                            \
    { "Selectors, repeatable and comma-separated", selectors }
#define PLAN                                                                                                 \
    { "Of the plan, likewise", plan_options }
#define CPU                                                                                                  \
    { "The CPU", cpu_options }
#define END                                                                                                  \
    { NULL, NULL }
static const struct option_group run_groups[] = {OPTIONS(run_options), SELECTORS, PLAN, CPU, END};
static const struct option_group verify_groups[] = {OPTIONS(verify_options), SELECTORS, PLAN, CPU, END};
static const struct option_group tune_groups[] = {OPTIONS(tune_options), SELECTORS, PLAN, END};
static const struct option_group ab_groups[] = {OPTIONS(ab_options), END};
static const struct option_group check_groups[] = {OPTIONS(check_options), END};
static const struct option_group compare_groups[] = {OPTIONS(compare_options), SELECTORS, END};
static const struct option_group estimate_groups[] = {OPTIONS(estimate_options), END};
static const struct option_group listing_groups[] = {OPTIONS(listing_options), END};

static const struct command run_command = {"run",
                                           "measure devices and write the results file",
                                           "[options] [selectors]",
                                           run_groups,
                                           command_run,
                                           TAKES_NOTHING};
static const struct command verify_command = {"verify",
                                              "check every kernel against the float64 reference",
                                              "[options] [selectors]",
                                              verify_groups,
                                              command_verify,
                                              TAKES_NOTHING};
static const struct command tune_command = {"tune",
                                            "search kernel parameters, keep the best for later runs",
                                            "[options] [selectors]",
                                            tune_groups,
                                            command_tune,
                                            TAKES_NOTHING};
static const struct command check_command = {
    "check",
    "fail when something got slower than in the baselines, and only then",
    "--baseline FILE|DIR [options] FILE...",
    check_groups,
    command_check,
    TAKES_FILES};
static const struct command ab_command = {"ab",
                                          "two `benchmark run` lines in turn: the surest gate",
                                          "[options] -- COMMAND... --vs COMMAND...",
                                          ab_groups,
                                          command_ab,
                                          TAKES_COMMANDS};
static const struct command compare_command = {"compare",
                                               "results files side by side: how much faster, and why",
                                               "[options] [selectors] FILE FILE...",
                                               compare_groups,
                                               command_compare,
                                               TAKES_FILES};
static const struct command estimate_command = {"estimate",
                                                "what a device would serve of a whole model",
                                                "--model ID|FILE [options] FILE...",
                                                estimate_groups,
                                                command_estimate,
                                                TAKES_FILES};
static const struct command devices_command = {"devices",       "what is here, and what each device can run",
                                               "[options]",     listing_groups,
                                               command_devices, TAKES_NOTHING};
static const struct command models_command = {
    "models",   "the models whose shapes are known", "[options] [ID|FILE...]", listing_groups, command_models,
    TAKES_FILES};
static const struct command workloads_command = {"workloads",       "the kinds of work that are measured",
                                                 "[options]",       listing_groups,
                                                 command_workloads, TAKES_NOTHING};
static const struct command suites_command = {
    "suites", "the suites that --suite takes", "[options]", listing_groups, command_suites, TAKES_NOTHING};

const struct command *const commands[] = {
    &run_command,      &verify_command,  &tune_command,   &compare_command,   &check_command,  &ab_command,
    &estimate_command, &devices_command, &models_command, &workloads_command, &suites_command, NULL};

const struct command *command_find(const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}
