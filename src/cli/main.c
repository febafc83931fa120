#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A closed standard stream must not lend its number to a file that is opened later: messages would end there.
 * Opened for the other direction, it still fails as a closed one does. */
static void occupy_standard_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int fail_word(const char *command, const char *word) {
    struct bm_error error = {0};
    bm_fail(&error, BM_INVALID, "%s: unknown argument '%.60s': see `benchmark help`", command, word);
    report_error(&error);
    return EXIT_USAGE;
}

/* What was printed without output_write may not have arrived. */
static int end_printing(void) {
    struct bm_error error = {0};
    enum bm_status status = output_write(&(struct bm_text){0}, &error);
    if (status != BM_OK)
        report_error(&error);
    return (int)exit_code_of(status);
}

static int print_version(void) {
    struct bm_results_tool tool;
    bm_run_tool(NULL, &tool);
    printf("benchmark %s%s%s (%s, %s)\n", tool.version, tool.commit[0] != '\0' ? " " : "", tool.commit,
           tool.compiler, tool.build_type);
    return end_printing();
}

static int fail_command(const char *word) {
    const char *names[16];
    size_t count = 0;
    for (; commands[count] != NULL; count++)
        names[count] = commands[count]->name;
    const char *nearest = bm_string_nearest(word, names, count);
    struct bm_error error = {0};
    bm_fail(&error, BM_INVALID, "unknown command '%.60s': %s%s%s", word,
            nearest != NULL ? "did you mean `benchmark " : "see `benchmark help",
            nearest != NULL ? nearest : "", nearest != NULL ? "`?" : "`");
    report_error(&error);
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
    return end_printing();
}

int main(int argc, char **argv) {
    occupy_standard_streams();
    signals_install();
    setlocale(LC_CTYPE, ""); /* widths of UTF-8 in tables; numbers stay in the C locale */
    if (argc < 2) {
        fprintf(stderr, "benchmark: a command is needed: see `benchmark help`\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return argc > 2 ? fail_word("--version", argv[2]) : print_version();
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return argc > 3 ? fail_word("help", argv[3])
                        : print_help(argc > 2 && strcmp(argv[2], "help") != 0 ? argv[2] : NULL);
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
        code = (int)command->execute();
    }
    options_free();
    return code;
}
