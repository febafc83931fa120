/* Private to the command line: options, output, signals, commands. Only this folder prints and exits. */
#ifndef BM_CLI_H
#define BM_CLI_H

#include "bm/ab.h"
#include "bm/export.h"
#include "bm/run.h"
#include "bm/tune.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED_ROWS = 1,
    EXIT_REGRESSED = 1,
    EXIT_USAGE = 2,
    EXIT_INCONCLUSIVE = 3,
    EXIT_INCOMPARABLE = 4,
    EXIT_NO_DEVICE = 5,
    EXIT_INTERNAL = 70,
};

/* ---- options ---- */

enum option_kind {
    OPTION_FLAG,    /* bool: no value */
    OPTION_TEXT,    /* const char * */
    OPTION_WORDS,   /* struct bm_names: repeatable, comma-separated */
    OPTION_NUMBERS, /* struct bm_run_numbers: repeatable, comma-separated */
    OPTION_SECONDS, /* double > 0 */
    OPTION_SEED,    /* uint64_t */
    OPTION_COUNT,   /* uint32_t > 0 */
    OPTION_CHOICE   /* bool: true for the second of two words, "first|second" in metavar */
};
struct option {
    const char *name, *metavar, *help;
    enum option_kind kind;
    void *target;
};

/* Every option of every command writes here; the program runs one command. */
struct settings {
    struct bm_run_options run; /* of compare: its selectors and output */
    struct bm_names files;     /* words that are no options */
    char **commands[2];        /* of ab: what stands after -- and after --vs; NULL: not given */
    struct bm_names maps, prices, baselines;
    struct bm_run_numbers prompts, generated, chunks;
    const char *tpot, *link;
    const char *format, *sort, *only, *margin, *alpha, *folder;
    uint32_t rounds;
    bool fail_on_inconclusive;
    struct bm_names isa; /* of the CPU: caps, and the cores and threads to use */
    const char *cores;
    uint32_t threads;
    bool dry_run, quiet, help;
};
extern struct settings settings;

/* Under one title in the help; the options end with a NULL name. */
struct option_group {
    const char *title;
    const struct option *options;
};

struct command {
    const char *name, *summary, *usage;
    const struct option_group *groups; /* up to one without options */
    enum exit_code (*execute)(void);
    enum { TAKES_NOTHING, TAKES_FILES, TAKES_COMMANDS } takes; /* besides options */
};
extern const struct command *const commands[]; /* NULL-terminated */
const struct command *command_find(const char *name);

/* Reads words (without program and command) into settings. BM_INVALID: one line that names the wrong word. */
enum bm_status options_parse(const struct command *command, char **words,
                             struct bm_error *error) BM_CHECK_RESULT;
void options_free(void);

/* ---- output ---- */

/* Writes text to standard output. Fails like a full disk would; a closed pipe is no failure. */
enum bm_status output_write(const struct bm_text *text, struct bm_error *error) BM_CHECK_RESULT;
/* Width and colour of standard output, by terminal and NO_COLOR. */
struct bm_export_options output_options(void);
/* One line on standard error, "benchmark: KIND message"; control characters that came in with a name or a
 * driver's text are shown as '?'. */
void report_line(const char *kind, const char *message);
void report_error(const struct bm_error *error);
enum exit_code exit_code_of(enum bm_status status);

void help_print_program(void);
void help_print_command(const struct command *command);

/* ---- progress on standard error ---- */
void progress_show(void *context, const struct bm_run_progress *progress);
void progress_tune(void *context, const struct bm_tune_progress *progress);
void progress_ab(void *context, const struct bm_ab_progress *progress);
void progress_clear(void);
void progress_log(void *context, enum bm_log_level level, const char *message);

/* ---- signals ---- */

/* SIGINT and SIGTERM end the program at once with their exit code. SIGPIPE is ignored. */
void signals_install(void);
/* From now on the first only asks, so that what was measured is kept; the second ends the program. */
void signals_defer(void);
bool signals_stop_requested(void *context);
/* 130 or 143. */
enum exit_code signals_exit_code(void);

#endif
