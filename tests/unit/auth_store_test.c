/* auth_store_test.c - auth keys in the store, and what they have used. */
#include "test.h"

#include "store_test.h"

#include "../../src/store/auth_store.h"

#define SHOWN OB_S("ob-\xe2\x80\xa6wxyz")

static ob_status add_named(ob_store *store, const char *name, uint8_t hash_byte,
                           const char *permissions, int64_t *id,
                           ob_store_error *error)
{
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    memset(hash, hash_byte, sizeof(hash));
    ob_auth_record record = {
        .name = ob_slice_str(name),
        .hash = hash,
        .shown = SHOWN,
        .permissions = ob_slice_str(permissions),
        .expires_at = 1900000000,
        .limits = {.requests_minute = 7, .micro_usd_month = 2500000}};
    return ob_store_add_auth_key(store, &record, NOW_MS, id, error);
}

static ob_authkeys *load(ob_store *store, size_t damaged_wanted)
{
    ob_authkeys *keys = NULL;
    ob_store_error error;
    size_t damaged = 99;
    assert_int_equal(ob_store_load_auth_keys(store, &keys, &damaged, &error),
                     OB_OK);
    assert_int_equal(damaged, damaged_wanted);
    return keys;
}

static void auth_keys_come_back_as_they_were(void **state)
{
    scratch place;
    int64_t id = 0;
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(
        add_named(store, "ci", 7,
                  "[{\"provider\":\"openai\",\"models\":[\"gpt-5\"]}]", &id,
                  &place.error),
        OB_OK);
    ob_store_close(store);
    store = open_place(&place);
    ob_authkeys *keys = load(store, 0);
    assert_int_equal(keys->count, 1);
    const ob_authkey *key = &keys->keys[0];
    assert_int_equal(key->id, id);
    assert_string_equal(key->name, "ci");
    assert_int_equal(key->hash[31], 7);
    assert_int_equal(key->from, OB_AUTHKEY_CONSOLE);
    assert_int_equal(key->expires_at, 1900000000);
    assert_int_equal(key->created_at, NOW_MS / 1000);
    assert_int_equal(key->limits.requests_minute, 7);
    assert_int_equal(key->limits.tokens_minute, 0);
    assert_int_equal(key->limits.micro_usd_month, 2500000);
    assert_true(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-5")));
    assert_false(ob_authkey_allows(key, OB_S("openai"), OB_S("gpt-4")));
    ob_authkeys_free(keys);
    ob_store_close(store);
    remove_place(&place);
}

static void names_are_taken_until_they_are_revoked(void **state)
{
    scratch place;
    int64_t first = 0;
    int64_t second = 0;
    int64_t third = 0;
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_slice taken = OB_S("ci");
    ob_auth_patch rename = {.name = &taken};
    assert_int_equal(add_named(store, "ci", 1, "[]", &first, &place.error),
                     OB_OK);
    assert_int_equal(add_named(store, "ci", 2, "[]", &second, &place.error),
                     OB_EXISTS);
    assert_int_equal(add_named(store, "b", 2, "[]", &second, &place.error),
                     OB_OK);
    assert_int_equal(
        ob_store_patch_auth_key(store, second, &rename, &place.error),
        OB_EXISTS);
    assert_int_equal(
        ob_store_patch_auth_key(store, first, &rename, &place.error), OB_OK);
    assert_int_equal(
        ob_store_revoke_auth_key(store, first, NOW_MS, &place.error), OB_OK);
    assert_int_equal(
        ob_store_revoke_auth_key(store, first, NOW_MS, &place.error),
        OB_NOT_FOUND);
    assert_int_equal(
        ob_store_patch_auth_key(store, first, &rename, &place.error),
        OB_NOT_FOUND);
    assert_int_equal(add_named(store, "ci", 3, "[]", &third, &place.error),
                     OB_OK);
    assert_true(third > second);
    ob_authkeys *keys = load(store, 0);
    assert_int_equal(keys->count, 2);
    ob_authkeys_free(keys);
    ob_store_close(store);
    remove_place(&place);
}

static void every_change_takes_a_revision(void **state)
{
    scratch place;
    int64_t id = 0;
    int64_t seen[4] = {0};
    make_place(&place);
    ob_store *store = open_place(&place);
    ob_slice none = OB_S("[]");
    ob_auth_patch patch = {.permissions = &none};
    assert_int_equal(ob_store_auth_revision(store, &seen[0], &place.error),
                     OB_OK);
    assert_int_equal(add_named(store, "a", 1, "[]", &id, &place.error), OB_OK);
    assert_int_equal(ob_store_auth_revision(store, &seen[1], &place.error),
                     OB_OK);
    assert_int_equal(ob_store_patch_auth_key(store, id, &patch, &place.error),
                     OB_OK);
    assert_int_equal(ob_store_auth_revision(store, &seen[2], &place.error),
                     OB_OK);
    assert_int_equal(ob_store_revoke_auth_key(store, id, NOW_MS, &place.error),
                     OB_OK);
    assert_int_equal(ob_store_auth_revision(store, &seen[3], &place.error),
                     OB_OK);
    assert_int_equal(seen[0], 0);
    for (size_t i = 1; i < OB_LEN(seen); i++)
        assert_true(seen[i] > seen[i - 1]);
    ob_store_close(store);
    remove_place(&place);
}

/* A key whose permissions cannot be read must not come back as one without
 * any, which may do everything. */
static void damaged_auth_keys_are_left_out(void **state)
{
    scratch place;
    int64_t id = 0;
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(add_named(store, "a", 1, "[{\"pro", &id, &place.error),
                     OB_OK);
    assert_int_equal(add_named(store, "b", 2, "[]", &id, &place.error), OB_OK);
    ob_authkeys *keys = load(store, 1);
    assert_int_equal(keys->count, 1);
    assert_string_equal(keys->keys[0].name, "b");
    ob_authkeys_free(keys);
    ob_store_close(store);
    remove_place(&place);
}

static void auth_keys_are_bounded(void **state)
{
    scratch place;
    int64_t id = 0;
    char name[16];
    uint8_t hash[OB_AUTHKEY_HASH_SIZE] = {0};
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(ob_store_begin(store, &place.error), OB_OK);
    for (int i = 0; i <= OB_AUTHKEYS_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        memcpy(hash, &i, sizeof(i));
        ob_auth_record record = {.name = ob_slice_str(name),
                                 .hash = hash,
                                 .shown = SHOWN,
                                 .permissions = OB_S("[]")};
        assert_int_equal(
            ob_store_add_auth_key(store, &record, NOW_MS, &id, &place.error),
            i < OB_AUTHKEYS_MAX ? OB_OK : OB_LIMIT);
    }
    assert_non_null(strstr(place.error.message, "revoke some first"));
    assert_int_equal(ob_store_revoke_auth_key(store, id, NOW_MS, &place.error),
                     OB_OK);
    assert_int_equal(add_named(store, "last", 255, "[]", &id, &place.error),
                     OB_OK);
    assert_int_equal(ob_store_commit(store, &place.error), OB_OK);
    ob_authkeys *keys = load(store, 0);
    assert_int_equal(keys->count, OB_AUTHKEYS_MAX);
    ob_authkeys_free(keys);
    ob_store_close(store);
    remove_place(&place);
}

static void see_row(void *context, const ob_allowance_row *row)
{
    ob_allowance_row *rows = context;
    rows[row->hash[0]] = *row;
}

static void what_was_used_is_kept(void **state)
{
    scratch place;
    ob_allowance_row rows[2] = {
        {.kept = {20000, 24000, 5, 6, 1700000000}},
        {.kept = {20001, 24001, 7, 8, 1}},
    };
    ob_allowance_row seen[2] = {{.kept = {0}}};
    memset(rows[1].hash, 1, sizeof(rows[1].hash));
    make_place(&place);
    ob_store *store = open_place(&place);
    assert_int_equal(ob_store_save_allowances(store, rows, 2, &place.error),
                     OB_OK);
    rows[0].kept.micro_usd_day = 9;
    assert_int_equal(ob_store_save_allowances(store, rows, 1, &place.error),
                     OB_OK);
    assert_int_equal(
        ob_store_load_allowances(store, see_row, seen, &place.error), OB_OK);
    assert_memory_equal(&seen[0].kept, &rows[0].kept, sizeof(rows[0].kept));
    assert_memory_equal(&seen[1].kept, &rows[1].kept, sizeof(rows[1].kept));
    memset(seen, 0, sizeof(seen));
    assert_int_equal(ob_store_prune_allowances(store, 1700000000, &place.error),
                     OB_OK);
    assert_int_equal(
        ob_store_load_allowances(store, see_row, seen, &place.error), OB_OK);
    assert_int_equal(seen[0].kept.micro_usd_day, 9);
    assert_int_equal(seen[1].kept.day, 0);
    ob_store_close(store);
    remove_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auth_keys_come_back_as_they_were),
        cmocka_unit_test(names_are_taken_until_they_are_revoked),
        cmocka_unit_test(every_change_takes_a_revision),
        cmocka_unit_test(damaged_auth_keys_are_left_out),
        cmocka_unit_test(auth_keys_are_bounded),
        cmocka_unit_test(what_was_used_is_kept),
    };
    return cmocka_run_group_tests_name("auth_store", tests, NULL, NULL);
}
