/* SHA-256 against the vectors of FIPS 180-4 and NIST's examples; FNV-1a against its authors'. */
#include "bm/base.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"; /* 448 bits */
static const char two_blocks_digest[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

Test(sha256, published_vectors) {
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {two_blocks, two_blocks_digest},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
         "pqrst"
         "nopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"}, /* 896 bits */
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        char hex[65];
        struct bm_bytes piece = {cases[i].text, strlen(cases[i].text)};
        bm_sha256(&piece, 1, hex);
        cr_expect_str_eq(hex, cases[i].digest, "of '%s'", cases[i].text);
    }
}

Test(sha256, a_million_letters) {
    enum { COUNT = 1000000 };
    char hex[65], *text = malloc(COUNT);
    memset(text, 'a', COUNT);
    bm_sha256(&(struct bm_bytes){text, COUNT}, 1, hex);
    cr_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

Test(sha256, pieces_may_be_cut_anywhere) {
    char hex[65];
    const size_t length = strlen(two_blocks);
    for (size_t a = 0; a <= length; a++)
        for (size_t b = a; b <= length; b += 5) {
            struct bm_bytes pieces[] = {
                {two_blocks, a}, {two_blocks + a, b - a}, {two_blocks + b, length - b}};
            bm_sha256(pieces, BM_COUNT_OF(pieces), hex);
            cr_assert_str_eq(hex, two_blocks_digest, "cut at %zu and %zu", a, b);
        }
    bm_sha256(NULL, 0, hex);
    cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct bm_bytes nothing = {NULL, 0}, pieces[] = {nothing, {"abc", 3}, nothing};
    bm_sha256(pieces, 3, hex);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* Lengths around the end of a block, where the padding takes one block more. From Python's hashlib: the
 * digest of the digests of n letters 'x', n = 0 ... 130, each 64 hex digits. */
Test(sha256, padding_at_every_length) {
    char letters[131], hex[131][65], all[65];
    struct bm_bytes pieces[131];
    memset(letters, 'x', sizeof letters);
    for (size_t n = 0; n < 131; n++) {
        bm_sha256(&(struct bm_bytes){letters, n}, 1, hex[n]);
        pieces[n] = (struct bm_bytes){hex[n], 64};
    }
    bm_sha256(pieces, 131, all);
    cr_assert_str_eq(all, "87aca1c44bc7ba8897768170211f0a02063de70801131ff86c7edb9ce32c6a50");
}

/* http://www.isthe.com/chongo/tech/comp/fnv/: FNV-1a, 64 bit. */
Test(fnv, published_vectors) {
    cr_expect_eq(bm_hash("", 0, 0), 0xcbf29ce484222325u);
    cr_expect_eq(bm_hash("a", 1, 0), 0xaf63dc4c8601ec8cu);
    cr_expect_eq(bm_hash("foobar", 6, 0), 0x85944171f73967e8u);
    cr_expect_neq(bm_hash("foobar", 6, 1), bm_hash("foobar", 6, 0), "the seed matters");
    cr_expect_eq(bm_hash(NULL, 0, 0), 0xcbf29ce484222325u);
}
