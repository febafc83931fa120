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

/* Whether a list of words, "check ab", has this one. */
static bool has_word(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* Those that the command can end with; command NULL: all. */
static void print_exit_codes(const struct command *command) {
    static const struct {
        const char *code, *commands, *text; /* commands NULL: every one */
    } codes[] = {
        {"  0", NULL, "done"},
        {"  1", "run verify tune", "a verification or a device failed"},
        {"  1", "check ab", "a row regressed"},
        {"  2", NULL, "usage or input error, told in one line"},
        {"  3", "check ab", "with --fail-on-inconclusive: no change shown, nor its absence"},
        {"  4", "check ab", "rows are missing, unverified or incomparable"},
        {"  4", "estimate", "rows are missing"},
        {"  5", "run verify tune", "no usable device"},
        {"  70", NULL, "internal error"},
        {"  130", "run verify tune ab",
         "interrupted (SIGINT), 143 terminated (SIGTERM): partial results are kept"},
    };
    printf("\nExit codes:\n");
    for (size_t i = 0; i < BM_COUNT_OF(codes); i++) {
        char line[160];
        if (command != NULL && codes[i].commands != NULL && !has_word(codes[i].commands, command->name))
            continue;
        const bool of_some = command == NULL && codes[i].commands != NULL;
        snprintf(line, sizeof line, "%s%s%s", of_some ? codes[i].commands : "", of_some ? ": " : "",
                 codes[i].text);
        print_text(codes[i].code, CODE_COLUMN, line);
    }
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
    print_exit_codes(NULL);
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
    print_exit_codes(command);
}
