/* keys_test.c - "one-balance keys test": one real call a key. */
#include <inttypes.h>
#include <stdio.h>

#include "../gateway/loop.h"
#include "keys_command.h"
#include "options.h"
#include "serve.h"
#include "store_access.h"

typedef struct outcome {
    ob_loop *loop;
    const char *id;
    bool ok;
} outcome;

static void on_done(void *context, int status, const ob_verdict *verdict)
{
    outcome *o = context;
    /* The connection is kept and would keep the loop. */
    uv_stop(&o->loop->uv);
    o->ok =
        verdict->action == OB_ACTION_DELIVER && verdict->reason == OB_REASON_OK;
    if (o->ok)
        printf("%s ok (status %d)\n", o->id, status);
    else if (!status)
        printf("%s %s: %s\n", o->id, ob_action_slug(verdict->action),
               ob_reason_text(verdict->reason));
    else
        printf("%s %s: %s (status %d)\n", o->id,
               ob_action_slug(verdict->action), ob_reason_text(verdict->reason),
               status);
}

static bool test_one(ob_gateway *gateway, ob_loop *loop, const char *id)
{
    uint64_t number = 0;
    outcome o = {.loop = loop, .id = id};
    ob_status status = ob_slice_u64(ob_slice_str(id), &number);
    if (status == OB_OK)
        status =
            ob_gateway_probe(gateway, &loop->uv, (int64_t)number, on_done, &o);
    if (status == OB_OK) {
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        return o.ok;
    }
    if (status == OB_INVALID && number)
        fprintf(stderr, "%s: its provider has no call that tests a key\n", id);
    else
        fprintf(stderr, "%s: there is no key with that id\n", id);
    return false;
}

static int test_all(ob_gateway *gateway, char **ids, int count)
{
    int good = 0;
    ob_loop *loop = malloc(sizeof(*loop));
    if (!loop || ob_loop_open(loop) != OB_OK) {
        free(loop);
        fprintf(stderr, "one-balance: out of memory\n");
        return OB_EXIT_FAILED;
    }
    for (int i = 0; i < count; i++)
        good += test_one(gateway, loop, ids[i]);
    ob_loop_close(loop);
    free(loop);
    return good == count ? OB_EXIT_OK : OB_EXIT_FAILED;
}

int ob_keys_test(const char *config_path, const char *database, char **ids,
                 int count)
{
    ob_settings_flags flags = {.config = config_path, .database = database};
    ob_settings settings = {0};
    ob_settings_error settings_error = {{0}};
    ob_store_error store_error = {{0}};
    ob_gateway gateway;
    ob_store *store;
    ob_authkeys *none;
    int64_t revision;
    int exit_code = OB_EXIT_FAILED;
    static const uint8_t no_hash[OB_AUTHKEY_HASH_SIZE];
    if (ob_settings_load(&flags, &settings, &settings_error) != OB_OK) {
        fprintf(stderr, "one-balance: %s\n", settings_error.message);
        return OB_EXIT_FAILED;
    }
    if (!ob_access_find(settings.config->database)) {
        ob_settings_deinit(&settings);
        return OB_EXIT_FAILED;
    }
    if (ob_gateway_init(&gateway) != OB_OK ||
        ob_authkeys_from_hash(no_hash, &none) != OB_OK) {
        fprintf(stderr, "one-balance: out of memory\n");
        return OB_EXIT_FAILED;
    }
    if (ob_serve_load(&gateway, settings.config->database, settings.master_key,
                      &store, &revision, &store_error) != OB_OK) {
        ob_slice path = settings.config->database;
        fprintf(stderr, "one-balance: %.*s: %s\n", (int)path.len, path.ptr,
                store_error.message);
        ob_authkeys_free(none);
    } else {
        ob_store_close(store);
        ob_config *config = settings.config;
        settings.config = NULL;
        if (ob_gateway_set(&gateway, config, none) == OB_OK)
            exit_code = test_all(&gateway, ids, count);
    }
    ob_gateway_deinit(&gateway);
    ob_settings_deinit(&settings);
    return exit_code;
}
