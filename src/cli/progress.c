#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const stage_names[] = {
    [BM_STAGE_VERIFY] = "verifying", [BM_STAGE_WARM_UP] = "warming up", [BM_STAGE_MEASURE] = "measuring"};
static bool line_shown;
static int last_stage = -1;
static uint64_t last_ns;

static unsigned terminal_width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* On a terminal one line that is written over, ten times a second at most; elsewhere a line a stage. */
void progress_show(void *context, const struct bm_run_progress *progress) {
    (void)context;
    uint64_t now = bm_clock_now(&bm_clock_monotonic);
    bool new_stage = (int)progress->stage != last_stage;
    if (settings.quiet)
        return;
    if (!isatty(STDERR_FILENO)) {
        if (new_stage)
            fprintf(stderr, "benchmark: %s %zu cases, at most %.0f s left\n", stage_names[progress->stage],
                    progress->total, fmax(0, progress->seconds_left));
        last_stage = (int)progress->stage;
        return;
    }
    if (!new_stage && now - last_ns < 100000000 && progress->done < progress->total)
        return;
    char line[512];
    snprintf(line, sizeof line, "%s %zu/%zu, at most %.0f s left: %s", stage_names[progress->stage],
             progress->done, progress->total, fmax(0, progress->seconds_left), progress->key);
    unsigned width = terminal_width();
    fprintf(stderr, "\r\033[K%.*s", (int)(width > 1 ? width - 1 : 1), line);
    line_shown = true;
    last_ns = now;
    last_stage = (int)progress->stage;
}

void progress_clear(void) {
    if (line_shown)
        fprintf(stderr, "\r\033[K");
    line_shown = false;
}

void progress_log(void *context, enum bm_log_level level, const char *message) {
    (void)context;
    if (level != BM_LOG_WARNING)
        return;
    report_line("warning: ", message);
}
