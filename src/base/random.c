#include "bm/base.h"

#include <math.h>
#include <stdio.h>
#include <sys/random.h>

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void bm_random_init(struct bm_random *random, uint64_t seed) {
    for (size_t i = 0; i < 4; i++)
        random->state[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

uint64_t bm_random_u64(struct bm_random *random) {
    uint64_t *s = random->state, result = rotate_left(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t bm_random_below(struct bm_random *random, uint64_t bound) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, drawn;
    do
        drawn = bm_random_u64(random);
    while (drawn >= limit);
    return drawn % bound;
}

double bm_random_unit(struct bm_random *random) {
    return (double)(bm_random_u64(random) >> 11) * 0x1p-53;
}

double bm_random_normal(struct bm_random *random) {
    for (;;) {
        double u = 2 * bm_random_unit(random) - 1, v = 2 * bm_random_unit(random) - 1, s = u * u + v * v;
        if (s > 0 && s < 1)
            return u * sqrt(-2 * log(s) / s);
    }
}

void bm_random_shuffle(struct bm_random *random, size_t *indices, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)bm_random_below(random, i), moved = indices[i - 1];
        indices[i - 1] = indices[j];
        indices[j] = moved;
    }
}

void bm_uuid(char text[37]) {
    uint8_t b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        struct bm_random random;
        bm_random_init(&random, bm_clock_now(&bm_clock_monotonic));
        for (size_t i = 0; i < sizeof b; i++)
            b[i] = (uint8_t)bm_random_u64(&random);
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* RFC 9562 variant */
    char *out = text;
    for (size_t i = 0; i < sizeof b; i++)
        out += snprintf(out, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

uint64_t bm_hash(const void *data, size_t size, uint64_t seed) {
    const uint8_t *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}
