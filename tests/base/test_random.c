/* Random numbers: the published generators, ranges, orders. Seeds are fixed, so that no run differs. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* xoshiro256** from the state {1, 2, 3, 4}: output of the authors' code,
 * https://prng.di.unimi.it/xoshiro256starstar.c, as in the tests of the Rust crate rand_xoshiro; an
 * implementation in Python agrees. */
Test(random, is_xoshiro256_star_star) {
    static const uint64_t published[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct bm_random random = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < BM_COUNT_OF(published); i++)
        cr_expect_eq(bm_random_u64(&random), published[i], "number %zu", i);
}

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c) of 1234567 begins 6457827717110365317,
 * 3203168211198807973, 9817491932198370423, 4593380528125082431: the vector of rosettacode.org. */
Test(random, is_seeded_by_splitmix64) {
    static const uint64_t published[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                         UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    struct bm_random random;
    bm_random_init(&random, 1234567);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(random.state[i], published[i], "word %zu of the state", i);
}

/* Both together, from an independent implementation in Python: the first, second and thousandth number. */
Test(random, equal_seeds_give_equal_sequences) {
    static const struct {
        uint64_t seed, first, second, thousandth;
    } cases[] = {
        {0, 0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x7aac8c483a2edd2f},
        {1234567, 0x30a3a1c363600467, 0x19405f0f579929ca, 0x3be7f2876df677c2},
        {UINT64_MAX, 0x8f5520d52a7ead08, 0xc476a018caa1802d, 0xc3c93ea5cde434cc},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        struct bm_random random;
        uint64_t drawn[1000];
        bm_random_init(&random, cases[i].seed);
        for (size_t j = 0; j < 1000; j++)
            drawn[j] = bm_random_u64(&random);
        cr_expect_eq(drawn[0], cases[i].first);
        cr_expect_eq(drawn[1], cases[i].second);
        cr_expect_eq(drawn[999], cases[i].thousandth);
    }
}

/* With a bound of 3 x 2^62 a plain remainder would put half of the numbers below 2^62 instead of a third. */
Test(random, ranges_are_unbiased) {
    enum { DRAWS = 60000 };
    const uint64_t bound = UINT64_C(3) << 62;
    struct bm_random random;
    size_t thirds[3] = {0}, small[7] = {0};
    bm_random_init(&random, 1);
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t drawn = bm_random_below(&random, bound);
        cr_assert_lt(drawn, bound);
        thirds[drawn >> 62]++;
        drawn = bm_random_below(&random, 7);
        cr_assert_lt(drawn, 7);
        small[drawn]++;
    }
    for (size_t i = 0; i < 3; i++) /* six standard deviations */
        cr_expect(fabs((double)thirds[i] - DRAWS / 3.0) < 6 * sqrt(DRAWS * 2.0 / 9), "%zu", thirds[i]);
    for (size_t i = 0; i < 7; i++)
        cr_expect(fabs((double)small[i] - DRAWS / 7.0) < 6 * sqrt(DRAWS * 6.0 / 49), "%zu", small[i]);
    cr_expect_eq(bm_random_below(&random, 1), 0);
    cr_expect_lt(bm_random_below(&random, UINT64_MAX), UINT64_MAX);
}

Test(random, unit_and_normal_have_their_moments) {
    enum { DRAWS = 100000 };
    struct bm_random random;
    double unit = 0, sum = 0, squares = 0, fourth = 0;
    size_t tail = 0;
    bm_random_init(&random, 2);
    for (size_t i = 0; i < DRAWS; i++) {
        double u = bm_random_unit(&random), z = bm_random_normal(&random);
        cr_assert(u >= 0 && u < 1);
        unit += u / DRAWS;
        sum += z / DRAWS;
        squares += z * z / DRAWS;
        fourth += z * z * z * z / DRAWS;
        tail += fabs(z) > 1.959964;
    }
    cr_expect(fabs(unit - 0.5) < 6 / sqrt(12.0 * DRAWS), "mean of the unit interval %g", unit);
    cr_expect(fabs(sum) < 6 / sqrt(DRAWS), "mean %g", sum);
    cr_expect(fabs(squares - 1) < 6 * sqrt(2.0 / DRAWS), "variance %g", squares);
    cr_expect(fabs(fourth - 3) < 6 * sqrt(96.0 / DRAWS), "fourth moment %g", fourth);
    cr_expect(fabs((double)tail - 0.05 * DRAWS) < 6 * sqrt(0.05 * 0.95 * DRAWS), "beyond 1.96: %zu", tail);
}

Test(random, shuffle_permutes) {
    enum { MOST = 257 };
    struct bm_random random;
    bm_random_init(&random, 3);
    for (size_t count = 0; count <= MOST; count += count < 4 ? 1 : 23) {
        size_t indices[MOST + 1], moved = 0;
        bool seen[MOST] = {false};
        for (size_t i = 0; i < count; i++)
            indices[i] = i;
        indices[count] = 12345;
        bm_random_shuffle(&random, indices, count);
        cr_assert_eq(indices[count], 12345);
        for (size_t i = 0; i < count; i++) {
            cr_assert(indices[i] < count && !seen[indices[i]], "%zu of %zu", indices[i], count);
            seen[indices[i]] = true;
            moved += indices[i] != i;
        }
        cr_expect(count < 8 || moved > count / 2, "%zu of %zu moved", moved, count);
    }
}

Test(random, every_order_is_as_likely) {
    enum { DRAWS = 12000 };
    struct bm_random random;
    size_t orders[27] = {0}, met = 0;
    bm_random_init(&random, 4);
    for (size_t i = 0; i < DRAWS; i++) {
        size_t three[] = {0, 1, 2};
        bm_random_shuffle(&random, three, 3);
        orders[9 * three[0] + 3 * three[1] + three[2]]++;
    }
    for (size_t i = 0; i < 27; i++)
        if (orders[i] > 0) {
            met++;
            cr_expect(fabs((double)orders[i] - DRAWS / 6.0) < 6 * sqrt(DRAWS * 5.0 / 36), "%zu", orders[i]);
        }
    cr_expect_eq(met, 6);
}

Test(random, uuids_are_version_4_and_unique) {
    enum { COUNT = 500 };
    static char ids[COUNT][37];
    for (size_t i = 0; i < COUNT; i++) {
        bm_uuid(ids[i]);
        cr_assert_eq(strlen(ids[i]), 36);
        for (size_t j = 0; j < 36; j++)
            if (j == 8 || j == 13 || j == 18 || j == 23)
                cr_assert_eq(ids[i][j], '-', "%s", ids[i]);
            else
                cr_assert_not_null(strchr("0123456789abcdef", ids[i][j]), "%s", ids[i]);
        cr_assert_eq(ids[i][14], '4', "version of %s", ids[i]);
        cr_assert_not_null(strchr("89ab", ids[i][19]), "variant of %s", ids[i]);
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(ids[i], ids[j]);
    }
}
