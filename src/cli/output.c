#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum bm_status output_write(const struct bm_text *text, struct bm_error *error) {
    if (text->length > 0)
        fwrite(text->data, 1, text->length, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return BM_OK;
    if (errno == EPIPE) /* the reader has seen enough */
        return BM_OK;
    return bm_fail_native(error, BM_IO, errno, "write", "standard output: %s", strerror(errno));
}

struct bm_export_options output_options(void) {
    struct bm_export_options options = {0};
    struct winsize size;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (!isatty(STDOUT_FILENO))
        return options;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    options.width = known ? size.ws_col : 80;
    options.color = (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
    return options;
}

void report_line(const char *kind, const char *message) {
    char line[1024];
    bm_string_set(line, sizeof line, message);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    progress_clear();
    fprintf(stderr, "benchmark: %s%s\n", kind, line);
}

void report_error(const struct bm_error *error) {
    report_line("", error->message);
}

enum exit_code exit_code_of(enum bm_status status) {
    switch (status) {
    case BM_OK:
        return EXIT_DONE;
    case BM_INVALID:
    case BM_NOT_FOUND:
    case BM_IO:
        return EXIT_USAGE;
    case BM_UNSUPPORTED:
        return EXIT_NO_DEVICE;
    case BM_INTERRUPTED:
        return signals_exit_code();
    case BM_NO_MEMORY:
    case BM_DEVICE:
    case BM_TIMED_OUT: /* of a case, which has a row for it */
    case BM_INTERNAL:
        break;
    }
    return EXIT_INTERNAL;
}
