#include "cli.h"

#include <locale.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PoCL pins its threads by index; that is right only where the process may use processors 0 to n - 1. */
static void pin_pocl_threads(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int i = 0; i < CPU_COUNT(&allowed); i++)
        if (!CPU_ISSET(i, &allowed))
            return;
    setenv("POCL_AFFINITY", "1", 0);
}

static int print_version(void) {
    struct bm_results_tool tool;
    bm_run_tool(NULL, &tool);
    printf("benchmark %s%s%s (%s, %s)\n", tool.version, tool.commit[0] != '\0' ? " " : "", tool.commit,
           tool.compiler, tool.build_type);
    return EXIT_DONE;
}

static int fail_command(const char *word) {
    const char *names[16];
    size_t count = 0;
    for (; commands[count] != NULL; count++)
        names[count] = commands[count]->name;
    const char *nearest = bm_string_nearest(word, names, count);
    fprintf(stderr, "benchmark: unknown command '%.60s': %s%s%s\n", word,
            nearest != NULL ? "did you mean `benchmark " : "see `benchmark help",
            nearest != NULL ? nearest : "", nearest != NULL ? "`?" : "`");
    return EXIT_USAGE;
}

static int print_help(const char *name) {
    const struct command *command = name != NULL ? command_find(name) : NULL;
    if (name != NULL && command == NULL)
        return fail_command(name);
    if (command != NULL)
        help_print_command(command);
    else
        help_print_program();
    return EXIT_DONE;
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, ""); /* widths of UTF-8 in tables; numbers stay in the C locale */
    if (argc < 2) {
        fprintf(stderr, "benchmark: a command is needed: see `benchmark help`\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return print_version();
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(argc > 2 ? argv[2] : NULL);
    const struct command *command = command_find(argv[1]);
    if (command == NULL)
        return fail_command(argv[1]);

    struct bm_error error = {0};
    enum bm_status status = options_parse(command, argv + 2, &error);
    int code;
    if (status != BM_OK) {
        report_error(&error);
        code = exit_code_of(status);
    } else if (settings.help) {
        code = print_help(command->name);
    } else {
        settings.run.command = argv;
        bm_log_set_sink(progress_log, NULL);
        signals_install();
        pin_pocl_threads();
        code = (int)command->execute();
    }
    options_free();
    return code;
}
