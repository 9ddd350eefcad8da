#include "test.h"

#include "../../src/core/authkey.h"

static const ob_slice providers[] = {
    OB_S_INIT("openai"),
    OB_S_INIT("anthropic"),
    OB_S_INIT("google-ai-studio"),
};

static ob_status parse(const char *text, ob_authkeys **keys,
                       ob_authkey_error *error)
{
    *error = (ob_authkey_error){0};
    return ob_authkeys_parse(ob_slice_str(text), providers, OB_LEN(providers),
                             keys, error);
}

static ob_authkeys *parsed(const char *text)
{
    ob_authkeys *keys = NULL;
    ob_authkey_error error;
    if (parse(text, &keys, &error) != OB_OK)
        fail_msg("%s: at %zu: %s", text, error.position, error.message);
    return keys;
}

static const ob_authkey *found(const ob_authkeys *keys, const char *shown)
{
    const ob_authkey *key = NULL;
    assert_int_equal(ob_authkeys_find(keys, ob_slice_str(shown), 0, &key),
                     OB_OK);
    return key;
}

static void sha256_gives_the_published_digests(void **state)
{
    /* The examples that NIST publishes with FIPS 180-4. */
    static const struct {
        const char *text;
        uint8_t head[4], tail[4];
    } cases[] = {
        {"", {0xe3, 0xb0, 0xc4, 0x42}, {0x78, 0x52, 0xb8, 0x55}},
        {"abc", {0xba, 0x78, 0x16, 0xbf}, {0xf2, 0x00, 0x15, 0xad}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         {0x24, 0x8d, 0x6a, 0x61},
         {0x19, 0xdb, 0x06, 0xc1}},
    };
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_sha256(ob_slice_str(cases[i].text), hash);
        assert_memory_equal(hash, cases[i].head, 4);
        assert_memory_equal(hash + 28, cases[i].tail, 4);
    }
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    ob_sha256(ob_slice_make(million, 1000000), hash);
    static const uint8_t head[] = {0xcd, 0xc7, 0x6e, 0x5c};
    static const uint8_t tail[] = {0xc7, 0x11, 0x2c, 0xd0};
    assert_memory_equal(hash, head, 4);
    assert_memory_equal(hash + 28, tail, 4);
    free(million);
}

/* Where the length just fits behind the data, and where it does not. */
static void sha256_pads_at_the_edges_of_blocks(void **state)
{
    static const struct {
        size_t len;
        uint8_t head[4];
    } cases[] = {
        {55, {0x9f, 0x43, 0x90, 0xf8}},  {56, {0xb3, 0x54, 0x39, 0xa4}},
        {63, {0x7d, 0x3e, 0x74, 0xa0}},  {64, {0xff, 0xe0, 0x54, 0xfe}},
        {65, {0x63, 0x53, 0x61, 0xc4}},  {119, {0x31, 0xeb, 0xa5, 0x1c}},
        {120, {0x2f, 0x3d, 0x33, 0x54}}, {128, {0x68, 0x36, 0xcf, 0x13}},
    };
    char text[128];
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_sha256(ob_slice_make(text, cases[i].len), hash);
        assert_memory_equal(hash, cases[i].head, 4);
    }
}

static void bare_key_is_unrestricted(void **state)
{
    ob_authkeys *keys = parsed("sk-one");
    const ob_authkey *key = found(keys, "sk-one");
    assert_true(ob_authkey_unrestricted(key));
    assert_string_equal(key->name, "key-1");
    assert_true(ob_authkey_allows(key, OB_S("openai"), OB_S("")));
    assert_true(ob_authkey_allows_provider(key, OB_S("anything")));
    ob_authkeys_free(keys);
}

static void keys_are_compared_whole(void **state)
{
    ob_authkeys *keys = parsed("sk-one;sk-two");
    const ob_authkey *key = NULL;
    static const char *const wrong[] = {"",        "sk-on",  "sk-one ",
                                        "sk-onee", "SK-ONE", "sk-one;sk-two"};
    for (size_t i = 0; i < OB_LEN(wrong); i++)
        assert_int_equal(
            ob_authkeys_find(keys, ob_slice_str(wrong[i]), 0, &key),
            OB_NOT_FOUND);
    assert_null(key);
    assert_string_equal(found(keys, "sk-two")->name, "key-2");
    ob_authkeys_free(keys);
}

static void models_restrict_their_own_provider_only(void **state)
{
    ob_authkeys *keys = parsed("k=openai,gpt-4o,gpt-5&anthropic");
    const ob_authkey *key = found(keys, "k");
    assert_false(ob_authkey_unrestricted(key));
    assert_true(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-4o")));
    assert_true(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-5")));
    assert_false(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-4")));
    assert_false(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-4o ")));
    assert_false(ob_authkey_allows(key, OB_S("openai"), OB_S("GPT-4o")));
    assert_true(ob_authkey_allows(key, OB_S("anthropic"), OB_S("any")));
    assert_false(ob_authkey_allows(key, OB_S("groq"), OB_S("gpt-4o")));
    assert_false(ob_authkey_allows_provider(key, OB_S("groq")));
    assert_true(ob_authkey_allows_provider(key, OB_S("openai")));
    ob_authkeys_free(keys);
}

static void routes_without_a_model_need_every_model(void **state)
{
    ob_authkeys *keys = parsed("k=openai,gpt-4o&anthropic");
    const ob_authkey *key = found(keys, "k");
    assert_false(ob_authkey_allows(key, OB_S("openai"), OB_S("")));
    assert_true(ob_authkey_allows(key, OB_S("anthropic"), OB_S("")));
    ob_authkeys_free(keys);
}

static void models_prefix_does_not_count(void **state)
{
    ob_authkeys *keys = parsed("k=google-ai-studio,models/gemini-a,gemini-b");
    const ob_authkey *key = found(keys, "k");
    ob_slice slug = OB_S("google-ai-studio");
    assert_true(ob_authkey_allows(key, slug, OB_S("gemini-a")));
    assert_true(ob_authkey_allows(key, slug, OB_S("models/gemini-b")));
    assert_false(ob_authkey_allows(key, slug, OB_S("models/")));
    ob_authkeys_free(keys);
}

static void percent_encoding_is_undone(void **state)
{
    ob_authkeys *keys = parsed("a%3Db%3B%28%25=openai,m%2Cn%26");
    const ob_authkey *key = found(keys, "a=b;(%");
    assert_true(ob_authkey_allows(key, OB_S("openai"), OB_S("m,n&")));
    ob_authkeys_free(keys);
}

static void expired_key_is_known_but_refused(void **state)
{
    ob_authkeys *keys = parsed("k(1000)=openai");
    const ob_authkey *key = NULL;
    assert_int_equal(ob_authkeys_find(keys, OB_S("k"), 999, &key), OB_OK);
    key = NULL;
    assert_int_equal(ob_authkeys_find(keys, OB_S("k"), 1000, &key), OB_TIMEOUT);
    assert_null(key);
    ob_authkeys_free(keys);
}

static void blanks_around_definitions_are_passed_over(void **state)
{
    ob_authkeys *keys = parsed("\n  a ;\n\tb(9)=openai,x ; \n");
    assert_int_equal(keys->count, 2);
    assert_string_equal(found(keys, "b")->name, "key-2");
    ob_authkeys_free(keys);
}

static void malformed_definitions_stop_with_their_position(void **state)
{
    static const struct {
        const char *text;
        size_t position;
    } cases[] = {
        {"", 0},
        {"  ", 2},
        {";", 0},
        {"a;;b", 2},
        {"a; ;b", 3},
        {"=openai", 0},
        {"(5)", 0},
        {"a b", 1},
        {"a\nb", 1},
        {"a()", 2},
        {"a(", 2},
        {"a(12", 4},
        {"a(12;b", 4},
        {"a(-1)", 2},
        {"a(+1)", 2},
        {"a(1.5)", 2},
        {"a(0)", 2},
        {"a(0x10)", 2},
        {"a(1763900000000)", 2},
        {"a(99999999999999999999)", 2},
        {"a(1)b", 4},
        {"a(1)(2)", 4},
        {"a)", 1},
        {"a=", 2},
        {"a=openai&", 9},
        {"a=&openai", 2},
        {"a=,gpt", 2},
        {"a=openai,", 9},
        {"a=openai,,x", 9},
        {"a=openai,models/", 9},
        {"a=openai, x", 9},
        {"a=openai&openai", 9},
        {"a=openai,x&openai,y", 11},
        {"a=opena", 2},
        {"a=OpenAI", 2},
        {"a=openai=x", 2},
        {"a;b;a", 4},
        {"a;b=openai;%61", 11},
        {"a%", 1},
        {"a%2", 1},
        {"a%zz", 1},
        {"a%00", 1},
        {"a%0ab", 1},
        {"a\x01", 1},
        {"a\x7f", 1},
        {"a=openai,%0d", 9},
        {"a=openai,b%", 10},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_authkeys *keys = NULL;
        ob_authkey_error error;
        if (parse(cases[i].text, &keys, &error) != OB_INVALID)
            fail_msg("accepted: %s", cases[i].text);
        assert_null(keys);
        assert_true(strlen(error.message) > 0);
        if (error.position != cases[i].position)
            fail_msg("%s: at %zu (%s), not %zu", cases[i].text, error.position,
                     error.message, cases[i].position);
    }
}

static void messages_name_no_part_of_a_key(void **state)
{
    static const char *const cases[] = {
        "s3cret=s3cret", "s3cret(s3cret)", "s3cret;s3cret",
        "s3cret%s3cret", "s3cret s3cret",  "s3cret=openai s3cret"};
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_authkeys *keys = NULL;
        ob_authkey_error error;
        assert_int_equal(parse(cases[i], &keys, &error), OB_INVALID);
        assert_null(strstr(error.message, "s3cret"));
    }
}

static void unknown_provider_names_the_nearest(void **state)
{
    ob_authkeys *keys = NULL;
    ob_authkey_error error;
    assert_int_equal(parse("a=anthropc", &keys, &error), OB_INVALID);
    assert_non_null(strstr(error.message, "\"anthropic\""));
}

static void nul_bytes_are_refused(void **state)
{
    ob_authkeys *keys = NULL;
    ob_authkey_error error;
    assert_int_equal(
        ob_authkeys_parse(OB_S("a\0b"), providers, 3, &keys, &error),
        OB_INVALID);
    assert_int_equal(error.position, 1);
}

static void numbers_are_bounded(void **state)
{
    char text[20000];
    ob_authkeys *keys = NULL;
    ob_authkey_error error;
    memset(text, 'k', sizeof(text));
    assert_int_equal(ob_authkeys_parse(ob_slice_make(text, 4096), providers, 3,
                                       &keys, &error),
                     OB_OK);
    ob_authkeys_free(keys);
    assert_int_equal(ob_authkeys_parse(ob_slice_make(text, 4097), providers, 3,
                                       &keys, &error),
                     OB_INVALID);
    size_t at = 0;
    for (size_t i = 0; i < 4097; i++) {
        text[at++] = (char)('a' + i % 26);
        text[at++] = (char)('a' + i / 26 % 26);
        text[at++] = (char)('a' + i / 676);
        text[at++] = ';';
    }
    assert_int_equal(ob_authkeys_parse(ob_slice_make(text, 4096 * 4), providers,
                                       3, &keys, &error),
                     OB_OK);
    assert_int_equal(keys->count, 4096);
    ob_authkeys_free(keys);
    assert_int_equal(
        ob_authkeys_parse(ob_slice_make(text, at), providers, 3, &keys, &error),
        OB_INVALID);
    assert_int_equal(error.position, 4096 * 4);
}

static void key_known_by_hash_alone_is_unrestricted(void **state)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    ob_authkeys *keys = NULL;
    ob_sha256(OB_S("made"), hash);
    assert_int_equal(ob_authkeys_from_hash(hash, &keys), OB_OK);
    assert_true(ob_authkey_unrestricted(found(keys, "made")));
    ob_authkeys_free(keys);
}

static void made_keys_are_shown_by_their_end(void **state)
{
    uint8_t random[OB_AUTHKEY_RANDOM_BYTES];
    char key[OB_AUTHKEY_MADE_SIZE + 1];
    char shown[16];
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 5);
    ob_authkey_make(random, key);
    assert_int_equal(strlen(key), OB_AUTHKEY_MADE_SIZE);
    assert_int_equal(strncmp(key, "ob-afk", 6), 0);
    ob_authkey_show(ob_slice_str(key), shown);
    assert_int_equal(strncmp(shown, "ob-\xe2\x80\xa6", 6), 0);
    assert_string_equal(shown + 6, key + OB_AUTHKEY_MADE_SIZE - 4);
}

static void names_of_the_environment_are_not_given(void **state)
{
    static const char *const bad[] = {"",
                                      " a",
                                      "a ",
                                      "a\nb",
                                      "key-1",
                                      "KEY-22",
                                      "a\xc2\x9b"
                                      "b",
                                      "\x7f"};
    static const char *const good[] = {"ci",
                                       "key-one",
                                       "team A",
                                       "key-",
                                       "\xc3\xbc",
                                       "\xc2\xa0"
                                       "x"};
    char longest[66];
    for (size_t i = 0; i < OB_LEN(bad); i++)
        assert_non_null(ob_authkey_name_refusal(ob_slice_str(bad[i])));
    for (size_t i = 0; i < OB_LEN(good); i++)
        assert_null(ob_authkey_name_refusal(ob_slice_str(good[i])));
    memset(longest, 'a', sizeof(longest));
    assert_null(ob_authkey_name_refusal(ob_slice_make(longest, 64)));
    assert_non_null(ob_authkey_name_refusal(ob_slice_make(longest, 65)));
}

static void kept_permissions_come_back(void **state)
{
    static const char *const texts[] = {
        "[]", "[{\"provider\":\"openai\",\"models\":null}]",
        "[{\"provider\":\"a\",\"models\":[\"x\",\"y/z\"]},"
        "{\"provider\":\"b\",\"models\":null}]"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_arena arena;
        ob_authkey key = {.permission_count = 9};
        ob_buffer out = {0};
        ob_arena_init(&arena, 0);
        assert_int_equal(
            ob_authkey_permissions_parse(ob_slice_str(texts[i]), &arena, &key),
            OB_OK);
        ob_authkey_permissions_write(&out, &key);
        assert_slice(ob_buffer_slice(&out), texts[i]);
        ob_buffer_deinit(&out);
        ob_arena_deinit(&arena);
    }
}

/* What cannot be read must never make a key that may do everything. */
static void damaged_permissions_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "{}",
        "[7]",
        "[{}]",
        "[{\"provider\":\"\"}]",
        "[{\"provider\":\"a\",\"models\":[]}]",
        "[{\"provider\":\"a\",\"models\":[7]}]",
        "[{\"provider\":\"a\",\"models\":\"x\"}]"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_arena arena;
        ob_authkey key = {.permission_count = 0};
        ob_arena_init(&arena, 0);
        assert_int_equal(
            ob_authkey_permissions_parse(ob_slice_str(texts[i]), &arena, &key),
            OB_INVALID);
        ob_arena_deinit(&arena);
    }
}

static void joined_keys_are_copies(void **state)
{
    static const ob_slice slugs[] = {OB_S_INIT("openai")};
    ob_authkeys *first = NULL;
    ob_authkeys *second = NULL;
    ob_authkeys *all = NULL;
    ob_authkey_error error;
    assert_int_equal(ob_authkeys_parse(OB_S("one=openai,gpt-5;two"), slugs, 1,
                                       &first, &error),
                     OB_OK);
    assert_int_equal(
        ob_authkeys_parse(OB_S("three(1700000000)"), slugs, 1, &second, &error),
        OB_OK);
    assert_int_equal(ob_authkeys_join(first, second, &all), OB_OK);
    ob_authkeys_free(first);
    ob_authkeys_free(second);
    assert_int_equal(all->count, 3);
    assert_true(
        ob_authkey_allows(found(all, "one"), OB_S("openai"), OB_S("gpt-5")));
    assert_false(
        ob_authkey_allows(found(all, "one"), OB_S("openai"), OB_S("gpt-4")));
    assert_int_equal(all->keys[2].expires_at, 1700000000);
    ob_authkeys_free(all);
    assert_int_equal(ob_authkeys_join(NULL, NULL, &all), OB_OK);
    assert_int_equal(all->count, 0);
    ob_authkeys_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(sha256_pads_at_the_edges_of_blocks),
        cmocka_unit_test(bare_key_is_unrestricted),
        cmocka_unit_test(keys_are_compared_whole),
        cmocka_unit_test(models_restrict_their_own_provider_only),
        cmocka_unit_test(routes_without_a_model_need_every_model),
        cmocka_unit_test(models_prefix_does_not_count),
        cmocka_unit_test(percent_encoding_is_undone),
        cmocka_unit_test(expired_key_is_known_but_refused),
        cmocka_unit_test(blanks_around_definitions_are_passed_over),
        cmocka_unit_test(malformed_definitions_stop_with_their_position),
        cmocka_unit_test(messages_name_no_part_of_a_key),
        cmocka_unit_test(unknown_provider_names_the_nearest),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(key_known_by_hash_alone_is_unrestricted),
        cmocka_unit_test(made_keys_are_shown_by_their_end),
        cmocka_unit_test(names_of_the_environment_are_not_given),
        cmocka_unit_test(kept_permissions_come_back),
        cmocka_unit_test(damaged_permissions_are_refused),
        cmocka_unit_test(joined_keys_are_copies),
    };
    return cmocka_run_group_tests_name("authkey", tests, NULL, NULL);
}
