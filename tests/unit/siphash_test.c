#include "test.h"

#include "../../src/core/siphash.h"

/* The bytes 0, 1, …: the designers' key, and messages of 0, 1, … bytes. */
static const ob_siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
static const char bytes[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                             12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

/* Published vectors of SipHash-1-3 (the tests of Rust's core library). */
static const uint64_t vectors[] = {
    0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d,
    0x8bf80ab8e7ddf7fb, 0xcf75576088d38328, 0xdef9d52f49533b67,
    0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e,
    0x25a48eb36c063de4, 0x79de85ee92ff097f, 0x70c118c1f94dc352,
    0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34,
    0xd320d86d2a519956, 0xcc4fdd1a7d908b66,
};

static uint64_t hash_in_pieces(size_t len, size_t step)
{
    ob_siphash hash;
    ob_siphash_init(&hash, &key);
    for (ob_slice rest = {bytes, len}; rest.len;
         rest = ob_slice_from(rest, step))
        ob_siphash_add(&hash, ob_slice_head(rest, step));
    return ob_siphash_end(&hash);
}

static void siphash_gives_the_published_vectors(void **state)
{
    for (size_t len = 0; len < OB_LEN(vectors); len++)
        assert_true(hash_in_pieces(len, len ? len : 1) == vectors[len]);
}

static void siphash_does_not_depend_on_the_pieces(void **state)
{
    for (size_t len = 0; len <= sizeof(bytes); len++)
        for (size_t step = 1; step <= sizeof(bytes); step++)
            assert_true(hash_in_pieces(len, step) ==
                        hash_in_pieces(len, sizeof(bytes)));
}

static void siphash_depends_on_the_key(void **state)
{
    ob_siphash_key other = key;
    other.words[1]++;
    ob_siphash hash;
    ob_siphash_init(&hash, &other);
    assert_true(ob_siphash_end(&hash) != vectors[0]);
}

static void siphash_adds_numbers_as_eight_bytes(void **state)
{
    ob_siphash hash;
    ob_siphash_init(&hash, &key);
    ob_siphash_add_u64(&hash, 0x0706050403020100);
    assert_true(ob_siphash_end(&hash) == vectors[8]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_vectors),
        cmocka_unit_test(siphash_does_not_depend_on_the_pieces),
        cmocka_unit_test(siphash_depends_on_the_key),
        cmocka_unit_test(siphash_adds_numbers_as_eight_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
