#include "auth_keys_command.h"

#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "../core/when.h"
#include "../store/auth_store.h"
#include "actions.h"
#include "store_access.h"

#define WHO OB_S("command line")

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

static ob_status note(ob_store *store, ob_slice act, ob_slice detail,
                      ob_store_error *error)
{
    ob_audit_line line = {
        .at_ms = ob_now_ms(), .act = act, .who = WHO, .detail = detail};
    return ob_store_note(store, &line, error);
}

/* ------------------------------------------------------- list */

static void print_time(int64_t at, const char *otherwise)
{
    char text[40] = "?";
    struct tm parts;
    time_t seconds = (time_t)at;
    if (!at)
        (void)snprintf(text, sizeof(text), "%s", otherwise);
    else if (gmtime_r(&seconds, &parts))
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
    printf("%-16s  ", text);
}

static void print_permissions(const ob_auth_record *record)
{
    ob_arena arena;
    ob_authkey key = {.permission_count = 0};
    ob_arena_init(&arena, 0);
    if (ob_authkey_permissions_parse(record->permissions, &arena, &key))
        fputs("damaged, not in use", stdout);
    else if (!key.permission_count)
        fputs("everything", stdout);
    for (size_t i = 0; i < key.permission_count; i++) {
        const ob_permission *permission = &key.permissions[i];
        printf("%s%.*s", i ? " " : "", (int)permission->provider.len,
               permission->provider.ptr);
        for (size_t k = 0; k < permission->model_count; k++)
            printf(",%.*s", (int)permission->models[k].len,
                   permission->models[k].ptr);
    }
    ob_arena_deinit(&arena);
}

static void print_limits(const ob_allowance_limits *limits)
{
    if (limits->requests_minute)
        printf("  %u requests/min", (unsigned)limits->requests_minute);
    if (limits->tokens_minute)
        printf("  %u tokens/min", (unsigned)limits->tokens_minute);
    if (limits->micro_usd_day)
        printf("  %.6g USD/day", (double)limits->micro_usd_day / 1e6);
    if (limits->micro_usd_month)
        printf("  %.6g USD/month", (double)limits->micro_usd_month / 1e6);
}

static void print_record(void *context, const ob_auth_record *record)
{
    printf("%-5lld %-20.*s %-10.*s  ", (long long)record->id,
           (int)record->name.len, record->name.ptr, (int)record->shown.len,
           record->shown.ptr);
    print_time(record->expires_at, "never");
    if (record->revoked_at)
        fputs("(revoked) ", stdout);
    print_permissions(record);
    print_limits(&record->limits);
    putchar('\n');
}

static int list(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    bool revoked = false;
    const ob_option options[] = {
        {.name = "revoked",
         .help = "those too that are revoked",
         .flag = &revoked},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance auth-keys list [--revoked]",
        .about = "Lists the auth keys that the console and this command have\n"
                 "made. Those of AUTH_KEY are not among them.",
        .options = options,
        .option_count = OB_LEN(options),
    };
    ob_arguments arguments;
    ob_access access;
    ob_store_error error;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!ob_access_open_existing(&flags, &access))
        return OB_EXIT_FAILED;
    printf("%-5s %-20s %-8s  %-16s  %s\n", "ID", "NAME", "KEY", "EXPIRES",
           "MAY USE");
    ob_status status = ob_store_visit_auth_keys(access.store, revoked,
                                                print_record, NULL, &error);
    ob_access_close(&access);
    return status == OB_OK ? OB_EXIT_OK : fail(&error);
}

/* ------------------------------------------------------- add */

/* Unix seconds, a date, or a time from now: "1790000000", "2027-01-31",
 * "720h", "30 days". 0: none of them. */
static int64_t read_expiry(const char *text, int64_t now_ms)
{
    ob_slice s = ob_slice_str(text);
    uint64_t number;
    int64_t ms = 0;
    if (ob_slice_u64(s, &number) == OB_OK)
        return number <= OB_AUTHKEY_EXPIRY_MAX ? (int64_t)number : 0;
    if (ob_when_rfc3339(s, &ms))
        return ms / 1000;
    if (s.len && ob_when_duration(s, &ms) == s.len && ms > 0)
        return (now_ms + ms) / 1000;
    return 0;
}

static bool check_expiry(const char *text, int64_t *expires_at)
{
    int64_t now_ms = ob_now_ms();
    if (!text)
        return true;
    *expires_at = read_expiry(text, now_ms);
    if (*expires_at > now_ms / 1000)
        return true;
    fprintf(stderr, "--expires is a time in the future: 2027-01-31, "
                    "2027-01-31T12:00:00Z, unix seconds, or from now on: "
                    "720h, \"30 days\"\n");
    return false;
}

static bool read_money(const char *name, const char *text, int64_t *micro_usd)
{
    char *end = NULL;
    if (!text)
        return true;
    double number = strtod(text, &end);
    double micro = number * 1e6 + 0.5;
    if (*text && !*end && micro >= 1 && micro <= (double)OB_MICRO_USD_MAX) {
        *micro_usd = (int64_t)micro;
        return true;
    }
    fprintf(stderr, "--%s is a number of dollars above 0, as 2.50\n", name);
    return false;
}

/* "provider,model,model" */
static bool read_allow(const ob_config *config, const char *text,
                       ob_arena *arena, ob_authkey *key)
{
    ob_slice rest = ob_slice_str(text);
    ob_slice nearest;
    ob_permission *permission = &key->permissions[key->permission_count];
    ob_slice name = ob_slice_cut(&rest, ',');
    permission->provider = ob_access_provider(config, name, &nearest);
    if (!permission->provider.len) {
        fprintf(stderr, "--allow %s: unknown provider%s%.*s%s\n", text,
                nearest.len ? "; did you mean " : "", (int)nearest.len,
                nearest.len ? nearest.ptr : "", nearest.len ? "?" : "");
        return false;
    }
    for (size_t i = 0; i < key->permission_count; i++)
        if (ob_slice_eq(key->permissions[i].provider, permission->provider)) {
            fprintf(stderr,
                    "--allow %s: this provider is named twice; list "
                    "its models in one place\n",
                    text);
            return false;
        }
    if (ob_text_has_control(ob_slice_str(text))) {
        fprintf(stderr, "--allow holds a control character\n");
        return false;
    }
    permission->models =
        ob_arena_alloc(arena, (strlen(text) + 1) * sizeof(ob_slice));
    while (permission->models && rest.ptr) {
        ob_slice model = ob_slice_trim(ob_slice_cut(&rest, ','));
        if (model.len && permission->model_count < OB_AUTHKEY_MODELS_MAX) {
            permission->models[permission->model_count++] = model;
            continue;
        }
        fprintf(stderr,
                "--allow %s: a model is missing, or there are more "
                "than %d\n",
                text, OB_AUTHKEY_MODELS_MAX);
        return false;
    }
    key->permission_count++;
    return permission->models != NULL;
}

static bool read_allows(const ob_config *config, const ob_option_list *allow,
                        ob_arena *arena, ob_authkey *key)
{
    key->permissions =
        ob_arena_alloc(arena, (allow->count + 1) * sizeof(ob_permission));
    for (size_t i = 0; key->permissions && i < allow->count; i++)
        if (!read_allow(config, allow->items[i], arena, key))
            return false;
    return key->permissions != NULL;
}

static bool make_key(char made[OB_AUTHKEY_MADE_SIZE + 1], ob_authkey *key)
{
    uint8_t random[OB_AUTHKEY_RANDOM_BYTES];
    if (RAND_bytes(random, sizeof(random)) != 1) {
        fprintf(stderr, "the system gave no randomness\n");
        return false;
    }
    ob_authkey_make(random, made);
    ob_wipe(random, sizeof(random));
    ob_sha256(ob_slice_str(made), key->hash);
    ob_authkey_show(ob_slice_str(made), key->shown);
    return true;
}

static ob_status store_key(ob_store *store, const ob_authkey *key,
                           const char *name, ob_slice permissions, int64_t *id,
                           ob_store_error *error)
{
    ob_auth_record record = {.name = ob_slice_str(name),
                             .hash = key->hash,
                             .shown = ob_slice_str(key->shown),
                             .permissions = permissions,
                             .expires_at = key->expires_at,
                             .limits = key->limits};
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = ob_store_add_auth_key(store, &record, ob_now_ms(), id, error);
    if (status == OB_OK)
        status = note(store, OB_S("auth key add"), record.name, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

static int add_key(ob_access *access, const char *name, ob_authkey *key)
{
    char made[OB_AUTHKEY_MADE_SIZE + 1];
    ob_buffer permissions = {0};
    ob_store_error error;
    int64_t id = 0;
    if (!make_key(made, key) || !ob_access_store(access))
        return OB_EXIT_FAILED;
    ob_authkey_permissions_write(&permissions, key);
    ob_status status = store_key(access->store, key, name,
                                 ob_buffer_slice(&permissions), &id, &error);
    ob_buffer_deinit(&permissions);
    if (status == OB_OK) {
        fprintf(stderr, "added auth key %lld. It is shown only now:\n",
                (long long)id);
        puts(made);
    }
    ob_wipe(made, sizeof(made));
    return status == OB_OK ? OB_EXIT_OK : fail(&error);
}

static int add_in(ob_access *access, const ob_arguments *arguments,
                  const ob_option_list *allow, ob_authkey *key)
{
    ob_arena arena;
    const char *why = ob_authkey_name_refusal(ob_slice_str(arguments->list[0]));
    int exit_code = OB_EXIT_USAGE;
    ob_arena_init(&arena, 0);
    if (why)
        fprintf(stderr, "%s: %s\n", arguments->list[0], why);
    else if (read_allows(access->settings.config, allow, &arena, key))
        exit_code = add_key(access, arguments->list[0], key);
    ob_arena_deinit(&arena);
    return exit_code;
}

static int add(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    ob_option_list allow = {.count = 0};
    ob_authkey key = {.from = OB_AUTHKEY_CONSOLE};
    const char *expires = NULL;
    const char *day = NULL;
    const char *month = NULL;
    uint64_t requests = 0;
    uint64_t tokens = 0;
    const ob_option options[] = {
        {.name = "allow",
         .value = "PROVIDER[,MODEL...]",
         .help = "may be given again; without it: everything, and the console",
         .list = &allow},
        {.name = "expires",
         .value = "WHEN",
         .help = "2027-01-31, 720h, unix seconds; default: never",
         .text = &expires},
        {.name = "requests-minute",
         .value = "N",
         .help = "requests a minute",
         .number = &requests,
         .min = 1,
         .max = UINT32_MAX},
        {.name = "tokens-minute",
         .value = "N",
         .help = "tokens a minute",
         .number = &tokens,
         .min = 1,
         .max = UINT32_MAX},
        {.name = "usd-day",
         .value = "X",
         .help = "dollars a day (UTC)",
         .text = &day},
        {.name = "usd-month",
         .value = "X",
         .help = "dollars a month (UTC)",
         .text = &month},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance auth-keys add NAME [options]",
        .about = "Makes an auth key and prints it on standard output, once. A\n"
                 "running gateway takes it within a second.",
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    ob_arguments arguments;
    ob_access access;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_expiry(expires, &key.expires_at) ||
        !read_money("usd-day", day, &key.limits.micro_usd_day) ||
        !read_money("usd-month", month, &key.limits.micro_usd_month))
        return OB_EXIT_USAGE;
    key.limits.requests_minute = (uint32_t)requests;
    key.limits.tokens_minute = (uint32_t)tokens;
    if (!ob_access_begin(&flags, &access))
        return OB_EXIT_FAILED;
    exit_code = add_in(&access, &arguments, &allow, &key);
    ob_access_close(&access);
    return exit_code;
}

/* ------------------------------------------------------- revoke */

static ob_status revoke_id(ob_store *store, int64_t id, ob_store_error *error)
{
    char detail[32];
    (void)snprintf(detail, sizeof(detail), "id %lld", (long long)id);
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = ob_store_revoke_auth_key(store, id, ob_now_ms(), error);
    if (status == OB_OK)
        status =
            note(store, OB_S("auth key revoke"), ob_slice_str(detail), error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

static int revoke(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    const ob_option options[] = {OB_STORE_OPTIONS(flags)};
    const ob_usage usage = {
        .synopsis = "one-balance auth-keys revoke ID",
        .about = "Ends an auth key for good. A running gateway refuses it\n"
                 "within a second; requests under way go on.",
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    ob_arguments arguments;
    ob_access access;
    ob_store_error error;
    uint64_t id = 0;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (ob_slice_u64(ob_slice_str(arguments.list[0]), &id) != OB_OK || !id ||
        id > INT64_MAX) {
        fprintf(stderr,
                "%s is not an id; `one-balance auth-keys list` shows them\n",
                arguments.list[0]);
        return OB_EXIT_USAGE;
    }
    if (!ob_access_open_existing(&flags, &access))
        return OB_EXIT_FAILED;
    ob_status status = revoke_id(access.store, (int64_t)id, &error);
    ob_access_close(&access);
    if (status != OB_OK)
        return fail(&error);
    printf("revoked %llu\n", (unsigned long long)id);
    return OB_EXIT_OK;
}

/* ------------------------------------------------------- actions */

static const char overview[] =
    "Usage: one-balance auth-keys list [--revoked]\n"
    "       one-balance auth-keys add NAME [--allow PROVIDER[,MODEL...]]...\n"
    "                            [--expires WHEN] [--requests-minute N]\n"
    "                            [--tokens-minute N] [--usd-day X]\n"
    "                            [--usd-month X]\n"
    "       one-balance auth-keys revoke ID\n"
    "\n"
    "They work on the database while a server is running on it or not.\n"
    "Each takes --help, --database PATH and --config FILE.\n";

static const ob_cli_action actions[] = {
    {"list", list}, {"add", add}, {"revoke", revoke}};

int ob_auth_keys_command(int argc, char **argv)
{
    return ob_actions_run(actions, OB_LEN(actions), overview, argc, argv);
}
