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

static void write_over(const char *line) {
    unsigned width = terminal_width();
    fprintf(stderr, "\r\033[K%.*s", (int)(width > 1 ? width - 1 : 1), line);
    line_shown = true;
}

/* ", at most 12 s left"; nothing where there is no budget, or none left of it: what has begun is ended. */
static const char *time_left(double seconds, char text[48]) {
    text[0] = '\0';
    if (seconds > 0)
        snprintf(text, 48, ", at most %.0f s left", ceil(seconds));
    return text;
}

/* On a terminal one line that is written over, ten times a second at most; elsewhere a line a stage. */
void progress_show(void *context, const struct bm_run_progress *progress) {
    (void)context;
    uint64_t now = bm_clock_now(&bm_clock_monotonic);
    char left[48];
    bool new_stage = (int)progress->stage != last_stage;
    if (settings.quiet)
        return;
    if (!isatty(STDERR_FILENO)) {
        if (new_stage)
            fprintf(stderr, "benchmark: %s %zu cases%s\n", stage_names[progress->stage], progress->total,
                    time_left(progress->seconds_left, left));
        last_stage = (int)progress->stage;
        return;
    }
    if (!new_stage && now - last_ns < 100000000 && progress->done < progress->total)
        return;
    char line[512];
    snprintf(line, sizeof line, "%s %zu/%zu%s: %s", stage_names[progress->stage], progress->done,
             progress->total, time_left(progress->seconds_left, left), progress->key);
    write_over(line);
    last_ns = now;
    last_stage = (int)progress->stage;
}

/* A bar of the classes done, then what is being searched and how much faster it became; elsewhere one line.
 */
void progress_tune(void *context, const struct bm_tune_progress *progress) {
    enum { BAR = 20 };
    static const char full[] = "####################", empty[] = "....................";
    (void)context;
    uint64_t now = bm_clock_now(&bm_clock_monotonic);
    if (settings.quiet)
        return;
    if (!isatty(STDERR_FILENO)) {
        if (last_ns == 0)
            fprintf(stderr, "benchmark: tuning %zu classes of shapes, at most %.0f s\n", progress->total,
                    fmax(0, progress->seconds_left));
        last_ns = now;
        return;
    }
    if (now - last_ns < 100000000)
        return;
    size_t filled = progress->total > 0 ? BAR * progress->done / progress->total : 0;
    char line[512], gain[32] = "", left[48];
    if (progress->gain >= 0.005)
        snprintf(gain, sizeof gain, ", %.0f %% faster", 100 * progress->gain);
    snprintf(line, sizeof line, "[%.*s%.*s] %zu/%zu%s, %u tried%s: %s %s %s", (int)filled, full,
             (int)(BAR - filled), empty, progress->done, progress->total,
             time_left(progress->seconds_left, left), progress->current->tried, gain,
             progress->current->workload->name, progress->current->dtype->name,
             progress->current->shape_class);
    write_over(line);
    last_ns = now;
}

/* A bar of the rounds, and how many rows still keep it going; elsewhere a line where that number changes. */
void progress_ab(void *context, const struct bm_ab_progress *progress) {
    enum { BAR = 20 };
    static const char full[] = "####################", empty[] = "....................";
    static size_t last_decided = SIZE_MAX;
    (void)context;
    if (settings.quiet)
        return;
    if (!isatty(STDERR_FILENO)) {
        if (progress->rounds == 0)
            fprintf(stderr, "benchmark: both commands work; at most %u rounds of them, or %.0f s\n",
                    progress->most_rounds, fmax(0, progress->seconds_left));
        else if (progress->decided != last_decided)
            fprintf(stderr, "benchmark: after %u rounds %zu of %zu rows have a verdict\n", progress->rounds,
                    progress->decided, progress->rows);
        last_decided = progress->decided;
        return;
    }
    size_t filled = (size_t)BAR * progress->rounds / progress->most_rounds;
    char line[256], left[48];
    snprintf(line, sizeof line, "[%.*s%.*s] round %u/%u, %zu of %zu rows have a verdict%s", (int)filled, full,
             (int)(BAR - filled), empty, progress->rounds, progress->most_rounds, progress->decided,
             progress->rows, time_left(progress->seconds_left, left));
    write_over(line);
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
