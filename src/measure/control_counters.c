#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

int bm_counter_open(const char *root, const char *path) {
    char full[PATH_MAX];
    return bm_system_path(root, path, full) ? open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
}

bool bm_counter_read(int fd, char *text, size_t size) {
    ssize_t got = fd >= 0 ? pread(fd, text, size - 1, 0) : -1;
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

uint64_t bm_counter_delta(uint64_t before, uint64_t after) {
    return after > before ? after - before : 0;
}

void bm_history_add(struct bm_history *history, double value) {
    if (history->count == BM_HISTORY) {
        for (size_t i = 0; i < BM_HISTORY / 2; i++)
            history->values[i] = history->values[2 * i + 1];
        history->count = BM_HISTORY / 2;
    }
    size_t low = 0, high = history->count; /* the first place whose value is larger */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (history->values[middle] > value)
            high = middle;
        else
            low = middle + 1;
    }
    memmove(&history->values[low + 1], &history->values[low], (history->count - low) * sizeof(double));
    history->values[low] = value;
    history->count++;
}

bool bm_history_is_high(const struct bm_history *history, double value, double factor) {
    const double deviations = 6, quartile = 0.6745; /* of a normal distribution */
    if (history->count < BM_HISTORY_LEAST)
        return false;
    double median = history->values[(history->count - 1) / 2];
    double lower = history->values[(history->count - 1) / 4];
    return value > factor * median && value > median + deviations * (median - lower) / quartile;
}
