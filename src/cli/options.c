#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 48, MAX_NUMBER = 1 << 24, MAX_SECONDS = 7 * 24 * 3600, MAX_WORDS = 256 };

static const struct option *find(const struct command *command, const char *name, size_t length) {
    for (const struct option_group *group = command->groups; group->options != NULL; group++)
        for (const struct option *option = group->options; option->name != NULL; option++)
            if (strncmp(option->name, name, length) == 0 && option->name[length] == '\0')
                return option;
    return NULL;
}

static enum bm_status fail_unknown(const struct command *command, const char *word, struct bm_error *error) {
    const char *names[MAX_OPTIONS];
    size_t count = 0;
    for (const struct option_group *group = command->groups; group->options != NULL; group++)
        for (const struct option *option = group->options; option->name != NULL && count < MAX_OPTIONS;
             option++)
            names[count++] = option->name;
    const char *nearest = strncmp(word, "--", 2) == 0 ? bm_string_nearest(word + 2, names, count) : NULL;
    if (nearest != NULL)
        return bm_fail(error, BM_INVALID, "%s: unknown option '%.60s': did you mean --%s?", command->name,
                       word, nearest);
    if (command->takes == TAKES_COMMANDS && (word[0] != '-' || strcmp(word, "--vs") == 0))
        return bm_fail(error, BM_INVALID, "%s: '%.60s': commands stand behind `--`: benchmark %s %s",
                       command->name, word, command->name, command->usage);
    return bm_fail(error, BM_INVALID, "%s: unknown %s '%.60s': see `benchmark help %s`", command->name,
                   word[0] == '-' ? "option" : "argument", word, command->name);
}

static enum bm_status add_word(struct bm_names *names, const char *word, size_t length,
                               struct bm_error *error) {
    if (length == 0)
        return bm_fail(error, BM_INVALID, "an empty value");
    if (names->items == NULL)
        names->items = bm_alloc(MAX_WORDS, sizeof *names->items);
    if (names->count == MAX_WORDS)
        return bm_fail(error, BM_INVALID, "more than %d values", MAX_WORDS);
    char *copy = names->items != NULL ? strndup(word, length) : NULL;
    if (copy == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    names->items[names->count++] = copy;
    return BM_OK;
}

static enum bm_status add_number(struct bm_run_numbers *numbers, const char *word, size_t length,
                                 struct bm_error *error) {
    char digits[32];
    uint64_t value;
    bm_string_set(digits, length + 1 < sizeof digits ? length + 1 : sizeof digits, word);
    enum bm_status status = bm_parse_u64(digits, 1, MAX_NUMBER, &value, error);
    if (status != BM_OK)
        return status;
    if (numbers->count == BM_RUN_AXIS)
        return bm_fail(error, BM_INVALID, "more than %d values", BM_RUN_AXIS);
    numbers->items[numbers->count++] = (uint32_t)value;
    return BM_OK;
}

static enum bm_status add_list(const struct option *option, const char *value, struct bm_error *error) {
    enum bm_status status = BM_OK;
    for (const char *word = value; status == BM_OK;) {
        size_t length = strcspn(word, ",");
        status = option->kind == OPTION_WORDS ? add_word(option->target, word, length, error)
                                              : add_number(option->target, word, length, error);
        if (word[length] == '\0')
            break;
        word += length + 1;
    }
    return status;
}

static enum bm_status choose(const struct option *option, const char *value, struct bm_error *error) {
    size_t first = strcspn(option->metavar, "|");
    bool *second = option->target;
    *second = strcmp(value, option->metavar + first + 1) == 0;
    if (*second || (strlen(value) == first && strncmp(value, option->metavar, first) == 0))
        return BM_OK;
    return bm_fail(error, BM_INVALID, "'%.40s' is not %s", value, option->metavar);
}

static enum bm_status assign(const struct option *option, const char *value, struct bm_error *error) {
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return BM_OK;
    case OPTION_TEXT:
        if (value[0] == '\0')
            return bm_fail(error, BM_INVALID, "an empty value");
        *(const char **)option->target = value;
        return BM_OK;
    case OPTION_WORDS:
    case OPTION_NUMBERS:
        return add_list(option, value, error);
    case OPTION_SECONDS:
        return bm_parse_double(value, 0.001, MAX_SECONDS, option->target, error);
    case OPTION_COUNT: {
        uint64_t count;
        enum bm_status status = bm_parse_u64(value, 1, MAX_NUMBER, &count, error);
        if (status == BM_OK)
            *(uint32_t *)option->target = (uint32_t)count;
        return status;
    }
    case OPTION_SEED:
        return bm_parse_u64(value, 0, INT64_MAX, option->target, error);
    case OPTION_CHOICE:
        return choose(option, value, error);
    }
    return bm_fail(error, BM_INTERNAL, "unknown kind of option");
}

/* A name on its own. */
static enum bm_status add_file(char *word, struct bm_error *error) {
    char **items = realloc(settings.files.items, (settings.files.count + 1) * sizeof *items);
    char *copy = items != NULL ? strdup(word) : NULL;
    if (items != NULL)
        settings.files.items = items;
    if (copy == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory");
    settings.files.items[settings.files.count++] = copy;
    return BM_OK;
}

/* -- OLD... --vs NEW...: the words of argv itself, parted by a NULL in place of --vs. */
static enum bm_status take_commands(const struct command *command, char **words, struct bm_error *error) {
    char **parting = NULL;
    for (char **word = words; *word != NULL; word++)
        if (strcmp(*word, "--vs") == 0) {
            if (parting != NULL)
                return bm_fail(error, BM_INVALID, "%s: --vs stands there twice: two commands are compared",
                               command->name);
            parting = word;
        }
    if (parting == NULL)
        return bm_fail(error, BM_INVALID,
                       "%s: --vs is missing, and the new command behind it: benchmark %s %s", command->name,
                       command->name, command->usage);
    *parting = NULL;
    if (words[0] == NULL || parting[1] == NULL)
        return bm_fail(error, BM_INVALID, "%s: there is no word %s --vs: benchmark %s %s", command->name,
                       words[0] == NULL ? "before" : "behind", command->name, command->usage);
    settings.commands[0] = words;
    settings.commands[1] = parting + 1;
    return BM_OK;
}

enum bm_status options_parse(const struct command *command, char **words, struct bm_error *error) {
    for (; *words != NULL; words++) {
        const char *word = *words;
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            settings.help = true;
            continue;
        }
        if (command->takes == TAKES_COMMANDS && strcmp(word, "--") == 0)
            return take_commands(command, words + 1, error);
        if (command->takes == TAKES_FILES && word[0] != '\0' && (word[0] != '-' || word[1] == '\0')) {
            enum bm_status added = add_file(*words, error);
            if (added != BM_OK)
                return added;
            continue;
        }
        size_t length = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
        const struct option *option = length > 0 ? find(command, word + 2, length) : NULL;
        if (option == NULL)
            return fail_unknown(command, word, error);
        const char *value = word[2 + length] == '=' ? word + 3 + length : NULL;
        if (option->kind == OPTION_FLAG && value != NULL)
            return bm_fail(error, BM_INVALID, "%s: --%s takes no value", command->name, option->name);
        if (option->kind != OPTION_FLAG && value == NULL)
            value = *++words;
        if (option->kind != OPTION_FLAG && value == NULL)
            return bm_fail(error, BM_INVALID, "%s: --%s needs a value: %s", command->name, option->name,
                           option->metavar);
        struct bm_error wrong = {0};
        enum bm_status status = assign(option, value, &wrong);
        if (status != BM_OK)
            return bm_fail(error, status, "%s: --%s: %s", command->name, option->name, wrong.message);
    }
    return BM_OK;
}

void options_free(void) {
    bm_names_fini(&settings.isa);
    bm_names_fini(&settings.run.devices);
    bm_names_fini(&settings.run.backends);
    bm_names_fini(&settings.run.models);
    bm_names_fini(&settings.run.workloads);
    bm_names_fini(&settings.run.phases);
    bm_names_fini(&settings.run.dtypes);
    bm_names_fini(&settings.run.kvs);
    bm_names_fini(&settings.files);
    bm_names_fini(&settings.maps);
    bm_names_fini(&settings.prices);
    bm_names_fini(&settings.baselines);
}
