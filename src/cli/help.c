#include "cli.h"

#include <stdio.h>

static const char *const exit_codes =
    "Exit codes:\n"
    "  0    done\n"
    "  1    a verification failed or a device failed (see the rows); check, ab: a row regressed\n"
    "  2    usage or input error, told in one line\n"
    "  3    check, ab --fail-on-inconclusive: neither a change nor its absence is shown\n"
    "  4    check, ab, estimate: rows are missing, not verified, or cannot be compared\n"
    "  5    no usable device\n"
    "  70   internal error\n"
    "  130  interrupted (SIGINT), 143 terminated (SIGTERM): partial results are on disk\n";

void help_print_program(void) {
    printf("benchmark: how much of a CPU or GPU does LLM inference use?\n\n"
           "Usage: benchmark COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("  %-10s %s\n\n", "help", "help on a command: benchmark help COMMAND");
    printf("Options:\n  --version  version, commit and build\n  --help     this text\n\n%s", exit_codes);
}

void help_print_command(const struct command *command) {
    printf("benchmark %s: %s\n\nUsage: benchmark %s %s\n", command->name, command->summary, command->name,
           command->usage);
    for (size_t g = 0; command->options[g] != NULL; g++) {
        static const char *const titles[] = {"Options", "Selectors, repeatable and comma-separated",
                                             "The CPU"};
        printf("\n%s:\n", titles[g < BM_COUNT_OF(titles) ? g : 0]);
        for (const struct option *option = command->options[g]; option->name != NULL; option++) {
            char left[32];
            snprintf(left, sizeof left, "--%s %s", option->name,
                     option->metavar != NULL ? option->metavar : "");
            printf("  %-22s %s\n", left, option->help);
        }
    }
    printf("\n%s", exit_codes);
}
