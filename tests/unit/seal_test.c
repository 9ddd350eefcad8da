#include "test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "../../src/store/seal.h"

static const uint8_t master[OB_MASTER_BYTES] =
    "an example of a master key 12345";

static void seal_gives_the_secret_back(void **state)
{
    ob_sealer *sealer = ob_sealer_new(master);
    uint8_t sealed[9 + OB_SEAL_OVERHEAD];
    char opened[9];
    assert_int_equal(ob_seal(sealer, OB_S("sk-secret"), OB_S("place"), sealed),
                     OB_OK);
    ob_slice box = {(char *)sealed, sizeof(sealed)};
    assert_int_equal(ob_slice_find(box, OB_S("secret")), OB_NOWHERE);
    assert_int_equal(ob_unseal(sealer, box, OB_S("place"), opened), OB_OK);
    assert_memory_equal(opened, "sk-secret", 9);
    ob_sealer_free(sealer);
}

static void seal_uses_a_nonce_only_once(void **state)
{
    ob_sealer *sealer = ob_sealer_new(master);
    uint8_t one[3 + OB_SEAL_OVERHEAD];
    uint8_t two[3 + OB_SEAL_OVERHEAD];
    assert_int_equal(ob_seal(sealer, OB_S("key"), OB_S(""), one), OB_OK);
    assert_int_equal(ob_seal(sealer, OB_S("key"), OB_S(""), two), OB_OK);
    assert_memory_not_equal(one + 1, two + 1, 12);
    assert_memory_not_equal(one + 13, two + 13, 3);
    ob_sealer_free(sealer);
}

static void unseal_refuses_every_changed_byte(void **state)
{
    ob_sealer *sealer = ob_sealer_new(master);
    uint8_t sealed[6 + OB_SEAL_OVERHEAD];
    char opened[6];
    assert_int_equal(ob_seal(sealer, OB_S("secret"), OB_S("a"), sealed), OB_OK);
    ob_slice box = {(char *)sealed, sizeof(sealed)};
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 0x10;
        assert_int_equal(ob_unseal(sealer, box, OB_S("a"), opened), OB_INVALID);
        sealed[i] ^= 0x10;
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_int_equal(
            ob_unseal(sealer, ob_slice_head(box, len), OB_S("a"), opened),
            OB_INVALID);
    assert_int_equal(ob_unseal(sealer, box, OB_S("b"), opened), OB_INVALID);
    assert_int_equal(ob_unseal(sealer, box, OB_S("a"), opened), OB_OK);
    ob_sealer_free(sealer);
}

static void unseal_refuses_another_master_key(void **state)
{
    uint8_t other[OB_MASTER_BYTES] = {1};
    uint8_t sealed[1 + OB_SEAL_OVERHEAD];
    char opened[1];
    ob_sealer *sealer = ob_sealer_new(master);
    assert_int_equal(ob_seal(sealer, OB_S("s"), OB_S(""), sealed), OB_OK);
    ob_sealer_free(sealer);
    sealer = ob_sealer_new(other);
    assert_int_equal(ob_unseal(sealer,
                               ob_slice_make((char *)sealed, sizeof(sealed)),
                               OB_S(""), opened),
                     OB_INVALID);
    ob_sealer_free(sealer);
}

static void fingerprints_are_hmacs_of_provider_and_secret(void **state)
{
    static const char label[] = "one-balance fingerprint 1";
    uint8_t key[OB_FINGERPRINT_BYTES];
    uint8_t expected[OB_FINGERPRINT_BYTES];
    uint8_t print[OB_FINGERPRINT_BYTES];
    uint8_t other[OB_FINGERPRINT_BYTES];
    HMAC(EVP_sha256(), master, sizeof(master), (const uint8_t *)label,
         sizeof(label) - 1, key, NULL);
    HMAC(EVP_sha256(), key, sizeof(key), (const uint8_t *)"groq\0gsk", 8,
         expected, NULL);
    ob_sealer *sealer = ob_sealer_new(master);
    /* Twice: the context is used again. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            ob_fingerprint(sealer, OB_S("groq"), OB_S("gsk"), print), OB_OK);
        assert_memory_equal(print, expected, sizeof(print));
    }
    assert_int_equal(ob_fingerprint(sealer, OB_S("gro"), OB_S("qgsk"), other),
                     OB_OK);
    assert_memory_not_equal(other, expected, sizeof(print));
    ob_sealer_free(sealer);
}

static void master_keys_are_hex_or_base64(void **state)
{
    static const char *const good[] = {
        "00010203fcfdfeff000000000000000000000000000000000000000000000000",
        "00010203FCFDFEFF000000000000000000000000000000000000000000000000\n",
        "AAECA/z9/v8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    };
    static const char *const bad[] = {
        "",
        "00",
        "00010203fcfdfeff00000000000000000000000000000000000000000000000g",
        "00010203fcfdfeff0000000000000000000000000000000000000000000000001",
        "AAECA/z9/v8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAECA_z9-v8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAECA/z9/v8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
    };
    const uint8_t expected[OB_MASTER_BYTES] = {0,    1,    2,    3,
                                               0xfc, 0xfd, 0xfe, 0xff};
    uint8_t parsed[OB_MASTER_BYTES];
    for (size_t i = 0; i < OB_LEN(good); i++) {
        memset(parsed, 0xaa, sizeof(parsed));
        assert_int_equal(ob_master_parse(ob_slice_str(good[i]), parsed), OB_OK);
        assert_memory_equal(parsed, expected, sizeof(expected));
    }
    for (size_t i = 0; i < OB_LEN(bad); i++)
        assert_int_equal(ob_master_parse(ob_slice_str(bad[i]), parsed),
                         OB_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_gives_the_secret_back),
        cmocka_unit_test(seal_uses_a_nonce_only_once),
        cmocka_unit_test(unseal_refuses_every_changed_byte),
        cmocka_unit_test(unseal_refuses_another_master_key),
        cmocka_unit_test(fingerprints_are_hmacs_of_provider_and_secret),
        cmocka_unit_test(master_keys_are_hex_or_base64),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
