#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, OPTION_COLUMN = 26, CODE_COLUMN = 7, COMMAND_COLUMN = 13 };

/* "left   right", the right side broken between words and aligned under itself. */
static void print_text(const char *left, int column, const char *right) {
    int at = printf("%-*s", column, left);
    for (bool first = true; *right != '\0'; first = false) {
        const int word = (int)strcspn(right, " "), blank = first && column > 0 ? 0 : 1;
        if (at + blank + word > COLUMNS)
            at = printf("\n%*s", column, "") - 1 + printf("%.*s", word, right);
        else
            at += printf("%*s%.*s", blank, "", word, right);
        right += word;
        right += *right == ' ';
    }
    printf("\n");
}

static void print_exit_codes(void) {
    static const char *const codes[][2] = {
        {"  0", "done"},
        {"  1", "a verification or a device failed; check, ab: a row regressed"},
        {"  2", "usage or input error, told in one line"},
        {"  3", "check, ab --fail-on-inconclusive: no change shown, nor its absence"},
        {"  4", "check, ab, estimate: rows are missing, unverified or incomparable"},
        {"  5", "no usable device"},
        {"  70", "internal error"},
        {"  130", "interrupted (SIGINT), 143 terminated (SIGTERM): partial results on disk"},
    };
    printf("\nExit codes:\n");
    for (size_t i = 0; i < BM_COUNT_OF(codes); i++)
        print_text(codes[i][0], CODE_COLUMN, codes[i][1]);
}

void help_print_program(void) {
    printf("benchmark: how much of a CPU or GPU does LLM inference use?\n\n"
           "Usage: benchmark COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        char left[32];
        snprintf(left, sizeof left, "  %s", commands[i]->name);
        print_text(left, COMMAND_COLUMN, commands[i]->summary);
    }
    print_text("  help", COMMAND_COLUMN, "help on a command: benchmark help COMMAND");
    printf("\nOptions:\n");
    print_text("  --version", COMMAND_COLUMN, "version, commit and build");
    print_text("  --help", COMMAND_COLUMN, "this text");
    print_exit_codes();
}

void help_print_command(const struct command *command) {
    char title[64];
    snprintf(title, sizeof title, "benchmark %s:", command->name);
    print_text(title, 0, command->summary);
    printf("\nUsage: benchmark %s %s\n", command->name, command->usage);
    for (const struct option_group *group = command->groups; group->options != NULL; group++) {
        printf("\n%s:\n", group->title);
        for (const struct option *option = group->options; option->name != NULL; option++) {
            char left[32];
            snprintf(left, sizeof left, "  --%s %s", option->name,
                     option->metavar != NULL ? option->metavar : "");
            print_text(left, OPTION_COLUMN, option->help);
        }
    }
    print_exit_codes();
}
