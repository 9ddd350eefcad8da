#include "keys_command.h"

#include <string.h>

#include "key_output.h"
#include "store_access.h"

#define REFUSALS_MAX 1000
#define WHO          OB_S("command line")

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

/* ------------------------------------------------------- add */

static void print_refusals(const ob_add_result *result)
{
    for (size_t i = 0; i < result->refused && i < result->refusals_max; i++)
        fprintf(stderr, "refused %s: %s\n", result->refusals[i].masked,
                result->refusals[i].why);
    if (result->refused > result->refusals_max)
        fprintf(stderr, "refused %zu more\n",
                result->refused - result->refusals_max);
}

static ob_status add_audited(ob_store *store, ob_slice slug, ob_slice text,
                             ob_slice remark, ob_add_result *result,
                             ob_store_error *error)
{
    int64_t now_ms = ob_now_ms();
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status =
        ob_store_add_keys(store, slug, text, remark, now_ms, result, error);
    if (status == OB_OK)
        status = ob_store_audit(store, OB_S("keys add"), 0, WHO, now_ms, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

static int add_text(ob_access *access, ob_slice slug, ob_slice text,
                    const char *remark)
{
    ob_store_error error;
    ob_add_result result = {.refusals =
                                calloc(REFUSALS_MAX, sizeof(ob_refused_key))};
    result.refusals_max = result.refusals ? REFUSALS_MAX : 0;
    int exit_code = OB_EXIT_OK;
    if (add_audited(access->store, slug, text, ob_slice_str(remark), &result,
                    &error) == OB_OK) {
        print_refusals(&result);
        printf("added %zu, already known %zu, refused %zu\n", result.added,
               result.known, result.refused);
        if (result.refused && result.added + result.known == 0)
            exit_code = OB_EXIT_FAILED;
    } else {
        exit_code = fail(&error);
    }
    free(result.refusals);
    return exit_code;
}

static int unknown_provider(const char *name, ob_slice nearest)
{
    fprintf(stderr, "unknown provider \"%s\"", name);
    if (nearest.len)
        fprintf(stderr, "; did you mean %.*s?", (int)nearest.len, nearest.ptr);
    fputc('\n', stderr);
    return OB_EXIT_USAGE;
}

static int add_file(ob_access *access, const ob_arguments *arguments,
                    const char *remark)
{
    ob_buffer text = {0};
    ob_slice nearest;
    const char *name = arguments->list[0];
    ob_slice slug = ob_access_provider(access->settings.config,
                                       ob_slice_str(name), &nearest);
    if (!slug.ptr)
        return unknown_provider(name, nearest);
    if (!ob_text_read(arguments->count > 1 ? arguments->list[1] : "-", &text))
        return OB_EXIT_FAILED;
    int exit_code = add_text(access, slug, ob_buffer_slice(&text), remark);
    ob_text_free(&text);
    return exit_code;
}

/* The admin API refuses the same. */
static bool check_remark(const char *remark)
{
    for (size_t i = 0; remark[i]; i++)
        if ((uint8_t)remark[i] < 0x20 || remark[i] == 0x7f) {
            fprintf(stderr, "--remark holds a control character\n");
            return false;
        }
    return true;
}

static int add(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    const char *remark = "";
    const ob_option options[] = {
        {.name = "remark",
         .value = "TEXT",
         .help = "a note that goes with these keys",
         .text = &remark},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance keys add PROVIDER [--remark TEXT] [FILE]",
        .about = "Adds keys, one a line or comma-separated, from FILE or from\n"
                 "standard input. Known ones stay as they are.",
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_min = 1,
        .arguments_max = 2,
    };
    ob_arguments arguments;
    ob_access access;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_remark(remark))
        return OB_EXIT_USAGE;
    if (!ob_access_open(&flags, &access))
        return OB_EXIT_FAILED;
    exit_code = add_file(&access, &arguments, remark);
    ob_access_close(&access);
    return exit_code;
}

/* ------------------------------------------------------- list */

typedef struct listing {
    ob_slice provider; /* empty: all */
    const char *status;
    bool json;
    int64_t now_ms;
    size_t total;
    ob_buffer out;
} listing;

static void list_key(void *context, const ob_stored_key *key)
{
    listing *list = context;
    ob_key_status status = ob_stored_status(key, list->now_ms);
    if (list->provider.len && !ob_slice_eq(list->provider, key->provider))
        return;
    if (list->status &&
        strcmp(list->status, ob_stored_status_word(status)) != 0)
        return;
    if (!list->json) {
        ob_key_write_row(&list->out, key, list->now_ms);
    } else {
        ob_buffer_append_str(&list->out, list->total ? ",\n" : "\n");
        ob_key_write_json(&list->out, key, list->now_ms, false);
    }
    list->total++;
}

static int print_list(listing *list)
{
    ob_slice text = ob_buffer_slice(&list->out);
    if (list->out.failed) {
        fprintf(stderr, "out of memory\n");
        return OB_EXIT_FAILED;
    }
    if (list->json)
        printf("{\"total\":%zu,\"keys\":[%.*s\n]}\n", list->total,
               (int)text.len, text.ptr);
    else
        fwrite(text.ptr, 1, text.len, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OB_EXIT_OK;
    fprintf(stderr, "the list could not be written to its end\n");
    return OB_EXIT_FAILED;
}

static int list_store(ob_store *store, listing *list)
{
    ob_store_error error;
    int64_t revision = 0;
    if (!list->json)
        ob_key_write_row_head(&list->out);
    if (ob_store_load(store, &revision, list_key, list, &error) != OB_OK)
        return fail(&error);
    int exit_code = print_list(list);
    if (error.message[0])
        return fail(&error);
    return exit_code;
}

static bool is_status(const char *word)
{
    return strcmp(word, "active") == 0 || strcmp(word, "cooling") == 0 ||
           strcmp(word, "blocked") == 0;
}

static int list(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    listing list = {.now_ms = ob_now_ms()};
    const ob_option options[] = {
        {.name = "status",
         .value = "STATUS",
         .help = "only active, cooling or blocked keys",
         .text = &list.status},
        {.name = "json",
         .help = "as the admin API gives them",
         .flag = &list.json},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance keys list [PROVIDER] [--status S] [--json]",
        .about = "Lists the keys, masked.",
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_max = 1,
    };
    ob_arguments arguments;
    ob_access access;
    ob_slice nearest = {NULL, 0};
    bool known = true;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (list.status && !is_status(list.status)) {
        fprintf(stderr, "--status is active, cooling or blocked\n");
        return OB_EXIT_USAGE;
    }
    if (!ob_access_open_existing(&flags, &access))
        return OB_EXIT_FAILED;
    if (arguments.count) {
        /* A provider that the configuration no longer has may have keys. */
        ob_slice name = ob_slice_str(arguments.list[0]);
        list.provider =
            ob_access_provider(access.settings.config, name, &nearest);
        known = list.provider.ptr != NULL;
        if (!known)
            list.provider = name;
    }
    exit_code = list_store(access.store, &list);
    if (!known && !list.total && exit_code == OB_EXIT_OK)
        exit_code = unknown_provider(arguments.list[0], nearest);
    ob_buffer_deinit(&list.out);
    ob_access_close(&access);
    return exit_code;
}

/* ------------------------------------------------------- by id */

/* What is done to each id: OB_NOT_FOUND is told and the others go on. */
typedef ob_status (*deed)(ob_store *store, int64_t id, int64_t now_ms,
                          ob_store_error *error);

static ob_status set_status(ob_store *store, int64_t id, ob_key_status status,
                            int64_t now_ms, ob_store_error *error)
{
    ob_key_patch patch = {.status = &status};
    return ob_store_patch_key(store, id, &patch, now_ms, error);
}

static ob_status block_one(ob_store *store, int64_t id, int64_t now_ms,
                           ob_store_error *error)
{
    return set_status(store, id, OB_KEY_BLOCKED, now_ms, error);
}

static ob_status activate_one(ob_store *store, int64_t id, int64_t now_ms,
                              ob_store_error *error)
{
    return set_status(store, id, OB_KEY_ACTIVE, now_ms, error);
}

static ob_status remove_one(ob_store *store, int64_t id, int64_t now_ms,
                            ob_store_error *error)
{
    size_t removed = 0;
    ob_status status =
        ob_store_remove_keys(store, &id, 1, now_ms, &removed, error);
    if (status == OB_OK && removed == 0) {
        snprintf(error->message, sizeof(error->message),
                 "no key has the id %lld", (long long)id);
        return OB_NOT_FOUND;
    }
    return status;
}

static bool read_id(const char *text, int64_t *id)
{
    uint64_t number = 0;
    if (ob_slice_u64(ob_slice_str(text), &number) != OB_OK || number == 0 ||
        number > INT64_MAX)
        return false;
    *id = (int64_t)number;
    return true;
}

static ob_status act_on_all(ob_store *store, const ob_arguments *ids,
                            const char *name, deed act, size_t *done,
                            ob_store_error *error)
{
    int64_t now_ms = ob_now_ms();
    for (size_t i = 0; i < ids->count; i++) {
        int64_t id = 0;
        OB_ASSERT(read_id(ids->list[i], &id));
        ob_status status = act(store, id, now_ms, error);
        if (status == OB_NOT_FOUND) {
            fprintf(stderr, "%s\n", error->message);
            continue;
        }
        if (status == OB_OK)
            status = ob_store_audit(store, ob_slice_str(name), id, WHO, now_ms,
                                    error);
        if (status != OB_OK)
            return status;
        ++*done;
    }
    return OB_OK;
}

static int act_in_transaction(ob_store *store, const ob_arguments *ids,
                              const char *name, deed act, size_t *done)
{
    ob_store_error error;
    if (ob_store_begin(store, &error) != OB_OK)
        return fail(&error);
    if (act_on_all(store, ids, name, act, done, &error) != OB_OK) {
        ob_store_rollback(store);
        return fail(&error);
    }
    if (ob_store_commit(store, &error) != OB_OK)
        return fail(&error);
    return *done == ids->count ? OB_EXIT_OK : OB_EXIT_FAILED;
}

static bool check_ids(const ob_arguments *ids)
{
    int64_t id;
    for (size_t i = 0; i < ids->count; i++)
        if (!read_id(ids->list[i], &id)) {
            fprintf(stderr,
                    "%s is not an id; `one-balance keys list` shows them\n",
                    ids->list[i]);
            return false;
        }
    return true;
}

/* `act` NULL: the network is asked, not the database. */
static int on_ids(int argc, char **argv, const ob_usage *usage,
                  const ob_settings_flags *flags, const char *past, deed act)
{
    ob_arguments arguments;
    ob_access access;
    int exit_code;
    size_t done = 0;
    if (!ob_options_parse(usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_ids(&arguments))
        return OB_EXIT_USAGE;
    if (!act)
        return ob_keys_test(flags->config, flags->database, arguments.list,
                            (int)arguments.count);
    if (!ob_access_open_existing(flags, &access))
        return OB_EXIT_FAILED;
    exit_code =
        act_in_transaction(access.store, &arguments, argv[0], act, &done);
    ob_access_close(&access);
    if (done || exit_code == OB_EXIT_OK)
        printf("%s %zu\n", past, done);
    return exit_code;
}

static int by_id(int argc, char **argv, const char *synopsis, const char *about,
                 const char *past, deed act)
{
    ob_settings_flags flags = {0};
    const ob_option options[] = {OB_STORE_OPTIONS(flags)};
    const ob_usage usage = {
        .synopsis = synopsis,
        .about = about,
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_min = 1,
        .arguments_max = OB_ARGUMENTS_ANY,
    };
    return on_ids(argc, argv, &usage, &flags, past, act);
}

static int remove_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys remove ID...",
                 "Removes keys for good.", "removed", remove_one);
}

static int block_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys block ID...",
                 "Blocks keys: they are not used until they are activated.",
                 "blocked", block_one);
}

static int activate_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys activate ID...",
                 "Sets keys free: lifts their block and every cool-down.",
                 "activated", activate_one);
}

static int test_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys test ID...",
                 "Makes one real upstream call with each key.", "tested", NULL);
}

/* ------------------------------------------------------- actions */

static const char overview[] =
    "Usage: one-balance keys add PROVIDER [--remark TEXT] [FILE]\n"
    "       one-balance keys list [PROVIDER] [--status S] [--json]\n"
    "       one-balance keys remove ID...\n"
    "       one-balance keys block ID...\n"
    "       one-balance keys activate ID...\n"
    "       one-balance keys test ID...\n"
    "\n"
    "They work on the database while a server is running on it or not.\n"
    "Each takes --help, --database PATH and --config FILE.\n";

static const struct action {
    const char *name;
    int (*run)(int argc, char **argv);
} actions[] = {
    {"add", add},
    {"list", list},
    {"remove", remove_ids},
    {"block", block_ids},
    {"activate", activate_ids},
    {"test", test_ids},
};

static void print_unknown(const char *word)
{
    ob_slice names[OB_LEN(actions)];
    for (size_t i = 0; i < OB_LEN(actions); i++)
        names[i] = ob_slice_str(actions[i].name);
    ob_slice nearest = ob_nearest(ob_slice_str(word), names, OB_LEN(actions));
    fprintf(stderr, "unknown action %s", word);
    if (nearest.len)
        fprintf(stderr, "; did you mean %.*s?", (int)nearest.len, nearest.ptr);
    fputc('\n', stderr);
}

int ob_keys_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
        fputs(overview, stdout);
        return OB_EXIT_OK;
    }
    for (size_t i = 0; word && i < OB_LEN(actions); i++)
        if (strcmp(word, actions[i].name) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (word)
        print_unknown(word);
    fputs(overview, stderr);
    return OB_EXIT_USAGE;
}
