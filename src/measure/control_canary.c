/* Fixed work of our own, timed beside the benchmark: what slows it down is not the benchmark. */
#include <stdlib.h>

#include "control.h"

/* A canary is as fast as the median of its pieces: an interrupt hits one of them, a busy neighbour all. */
enum { PIECES = 16 };

struct canary {
    struct bm_clock clock;
    struct bm_history history;
    double pieces[PIECES];
};

static double piece_median(const struct canary *canary) {
    return bm_stats_median(canary->pieces, PIECES);
}

/* Judges by what was seen before; a value of 0 comes from a clock that stands still. */
static bool remember(struct canary *canary, double ns, double factor) {
    bool high = bm_history_is_high(&canary->history, ns, factor);
    if (ns > 0)
        bm_history_add(&canary->history, ns);
    return high;
}

/* ---- arithmetic: a chain of multiplications, in registers, on the calling thread ---- */

struct arithmetic {
    struct canary canary;
    unsigned steps; /* of a piece */
    bool slow_before;
};

/* Kept in memory so that the compiler cannot drop or foresee the work. */
static volatile uint64_t seed_integer = 1;
static volatile double seed_real = 1;

static void multiply(unsigned steps) {
    uint64_t integer = seed_integer;
    double real = seed_real;
    for (unsigned i = 0; i < steps; i++) {
        integer = integer * 6364136223846793005u + 1442695040888963407u;
        real = real * 0.999 + 0.001; /* stays at 1: no denormals */
    }
    seed_integer = integer;
    seed_real = real;
}

static double time_arithmetic(struct arithmetic *state) {
    uint64_t last = bm_clock_now(&state->canary.clock);
    for (int i = 0; i < PIECES; i++) {
        multiply(state->steps);
        uint64_t now = bm_clock_now(&state->canary.clock);
        state->canary.pieces[i] = (double)bm_counter_delta(last, now);
        last = now;
    }
    return piece_median(&state->canary);
}

/* Pieces of 12.5 us make 0.2 ms: twice that is 2 % of a block of 20 ms. The fastest trial counts, as the
 * first ones meet a cold core. */
static void choose_steps(struct arithmetic *state) {
    enum { TRIAL_STEPS = 1 << 12, TRIALS = 3, MOST_STEPS = 1 << 16 };
    const double wanted_ns = 12500;
    double fastest = 0;
    state->steps = TRIAL_STEPS;
    for (int i = 0; i < TRIALS; i++) {
        double ns = time_arithmetic(state);
        fastest = fastest == 0 || ns < fastest ? ns : fastest;
    }
    double steps = fastest > 0 ? TRIAL_STEPS * wanted_ns / fastest : TRIAL_STEPS;
    state->steps = steps < 1 ? 1 : steps > MOST_STEPS ? MOST_STEPS : (unsigned)steps;
}

static void *arithmetic_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    struct arithmetic *state = bm_alloc(1, sizeof *state);
    if (state == NULL) {
        bm_string_set(detail, BM_DETAIL_SIZE, "out of memory");
        return NULL;
    }
    state->canary.clock = *options->clock;
    choose_steps(state);
    return state;
}

static bool arithmetic_is_slow(struct arithmetic *state) {
    return remember(&state->canary, time_arithmetic(state), 1.05);
}

static void arithmetic_begin(void *context) {
    struct arithmetic *state = context;
    state->slow_before = arithmetic_is_slow(state);
}

static bool arithmetic_judge(void *context, const struct bm_control_block *block) {
    struct arithmetic *state = context;
    (void)block;
    bool slow_after = arithmetic_is_slow(state);
    return state->slow_before || slow_after;
}

const struct bm_sensor bm_sensor_arithmetic = {
    .name = "arithmetic",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .open = arithmetic_open,
    .begin = arithmetic_begin,
    .judge = arithmetic_judge,
    .close = free,
};

/* ---- bandwidth: reading a buffer larger than the caches of one core ---- */

enum { BUFFER_BYTES = 32 << 20, PIECE_WORDS = BUFFER_BYTES / PIECES / 8 };

struct bandwidth {
    struct canary canary;
    uint64_t *words;
    uint64_t taken_ns;
    bool taken, slow;
};

static uint64_t add_up(const uint64_t *words) {
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < PIECE_WORDS; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += words[i + k];
    for (size_t k = 1; k < 8; k++)
        sums[0] += sums[k];
    return sums[0];
}

static void take_bandwidth(struct bandwidth *state) {
    const uint64_t pause_ns = 250000000;
    uint64_t last = bm_clock_now(&state->canary.clock);
    if (state->taken && bm_counter_delta(state->taken_ns, last) < pause_ns)
        return; /* short passes: the last verdict holds */
    for (size_t i = 0; i < PIECES; i++) {
        seed_integer += add_up(state->words + i * PIECE_WORDS);
        uint64_t now = bm_clock_now(&state->canary.clock);
        state->canary.pieces[i] = (double)bm_counter_delta(last, now);
        last = now;
    }
    state->slow = remember(&state->canary, piece_median(&state->canary), 1.15);
    state->taken_ns = last;
    state->taken = true;
}

static void *bandwidth_open(const struct bm_control_options *options, char detail[BM_DETAIL_SIZE]) {
    struct bandwidth *state = bm_alloc(1, sizeof *state);
    uint64_t *words = bm_alloc(BUFFER_BYTES, 1);
    if (state == NULL || words == NULL) {
        bm_string_set(detail, BM_DETAIL_SIZE, "out of memory");
        free(state);
        free(words);
        return NULL;
    }
    for (size_t i = 0; i < BUFFER_BYTES / sizeof *words; i++)
        words[i] = i; /* zeroed pages would all be one page */
    state->canary.clock = *options->clock;
    state->words = words;
    return state;
}

/* Warm-up, which is before the first pass, gives it a history; and a disturbance may end before a pass does.
 */
static void bandwidth_begin(void *context) {
    struct bandwidth *state = context;
    if (state->slow || state->canary.history.count < BM_HISTORY_LEAST)
        take_bandwidth(state);
}

static void bandwidth_pass(void *context) {
    take_bandwidth(context);
}

static bool bandwidth_judge(void *context, const struct bm_control_block *block) {
    (void)block;
    return ((struct bandwidth *)context)->slow;
}

static void bandwidth_close(void *context) {
    struct bandwidth *state = context;
    free(state->words);
    free(state);
}

const struct bm_sensor bm_sensor_bandwidth = {
    .name = "bandwidth",
    .flag = BM_FLAG_CONTAMINATED,
    .cpu = true,
    .open = bandwidth_open,
    .pass = bandwidth_pass,
    .begin = bandwidth_begin,
    .judge = bandwidth_judge,
    .close = bandwidth_close,
};
