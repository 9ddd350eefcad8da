#include "keys_command.h"

#include <string.h>

#include "../store/key_output.h"
#include "actions.h"
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

static ob_status add_audited(ob_store *store, const ob_new_key *like,
                             ob_slice text, ob_add_result *result,
                             ob_store_error *error)
{
    int64_t now_ms = ob_now_ms();
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = ob_store_add_keys(store, like, text, now_ms, result, error);
    if (status == OB_OK)
        status = ob_store_audit(store, OB_S("keys add"), 0, WHO, now_ms, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

static int add_text(ob_access *access, const ob_new_key *like, ob_slice text)
{
    ob_store_error error;
    ob_add_result result = {.refusals =
                                calloc(REFUSALS_MAX, sizeof(ob_refused_key))};
    result.refusals_max = result.refusals ? REFUSALS_MAX : 0;
    int exit_code = OB_EXIT_OK;
    if (add_audited(access->store, like, text, &result, &error) == OB_OK) {
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

static int add_file(ob_access *access, const ob_arguments *arguments,
                    ob_new_key *like)
{
    ob_buffer text = {0};
    ob_slice nearest;
    const char *name = arguments->list[0];
    like->provider = ob_access_provider(access->settings.config,
                                        ob_slice_str(name), &nearest);
    if (!like->provider.ptr)
        return ob_access_refuse_provider(name, nearest);
    if (!ob_text_read(arguments->count > 1 ? arguments->list[1] : "-", &text))
        return OB_EXIT_FAILED;
    int exit_code = OB_EXIT_FAILED;
    if (ob_access_store(access))
        exit_code = add_text(access, like, ob_buffer_slice(&text));
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

/* What `add` and `set` say of keys. */
typedef struct notes {
    const char *remark; /* NULL: not given */
    uint64_t priority;  /* or NOT_GIVEN */
    uint64_t weight;
    uint8_t numbers[2]; /* the two, for order_of() */
} notes;

#define NOT_GIVEN UINT64_MAX
#define NOTES                                                                  \
    {                                                                          \
        .priority = NOT_GIVEN, .weight = NOT_GIVEN                             \
    }

#define NOTE_OPTIONS(notes)                                                    \
    {.name = "remark",                                                         \
     .value = "TEXT",                                                          \
     .help = "a note that goes with these keys",                               \
     .text = &(notes).remark},                                                 \
        {.name = "priority",                                                   \
         .value = "N",                                                         \
         .help = "0 to 7; lower ones serve when no higher one has room",       \
         .number = &(notes).priority,                                          \
         .max = OB_PRIORITY_MAX},                                              \
    {                                                                          \
        .name = "weight", .value = "N",                                        \
        .help = "1 to 100; the share among keys of one priority",              \
        .number = &(notes).weight, .min = 1, .max = OB_WEIGHT_MAX              \
    }

static ob_key_order order_of(notes *given)
{
    given->numbers[0] = (uint8_t)given->priority;
    given->numbers[1] = (uint8_t)given->weight;
    return (ob_key_order){
        .priority = given->priority == NOT_GIVEN ? NULL : &given->numbers[0],
        .weight = given->weight == NOT_GIVEN ? NULL : &given->numbers[1],
    };
}

static int add(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    notes given = NOTES;
    const ob_option options[] = {
        NOTE_OPTIONS(given),
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance keys add PROVIDER [--remark TEXT] "
                    "[--priority N] [--weight N] [FILE]",
        .about = "Adds keys, one a line or comma-separated, from FILE or from\n"
                 "standard input. Known ones stay as they are, but for what\n"
                 "the options say.",
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
    if (given.remark && !check_remark(given.remark))
        return OB_EXIT_USAGE;
    if (!ob_access_begin(&flags, &access))
        return OB_EXIT_FAILED;
    ob_new_key like = {.remark = ob_slice_str(given.remark ? given.remark : ""),
                       .order = order_of(&given)};
    exit_code = add_file(&access, &arguments, &like);
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
    /* The table once more with priority and weight, shown where one is set. */
    ob_buffer ordered;
    bool has_order;
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
        ob_key_write_row(&list->out, key, list->now_ms, false);
        ob_key_write_row(&list->ordered, key, list->now_ms, true);
        list->has_order |= ob_key_has_order(key);
    } else {
        ob_buffer_append_str(&list->out, list->total ? ",\n" : "\n");
        ob_key_write_json(&list->out, key, list->now_ms, false);
    }
    list->total++;
}

static int print_list(listing *list)
{
    const ob_buffer *shown = list->has_order ? &list->ordered : &list->out;
    ob_slice text = ob_buffer_slice(shown);
    if (shown->failed) {
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
    if (!list->json) {
        ob_key_write_row_head(&list->out, false);
        ob_key_write_row_head(&list->ordered, true);
    }
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
        exit_code = ob_access_refuse_provider(arguments.list[0], nearest);
    ob_buffer_deinit(&list.out);
    ob_buffer_deinit(&list.ordered);
    ob_access_close(&access);
    return exit_code;
}

/* ------------------------------------------------------- by id */

/* What is done to each id: OB_NOT_FOUND is told and the others go on. */
typedef ob_status (*deed)(ob_store *store, int64_t id,
                          const ob_key_patch *patch, int64_t now_ms,
                          ob_store_error *error);

/* Needs no patch. */
static ob_status remove_one(ob_store *store, int64_t id,
                            const ob_key_patch *patch, int64_t now_ms,
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
                            const char *name, deed act,
                            const ob_key_patch *patch, size_t *done,
                            ob_store_error *error)
{
    int64_t now_ms = ob_now_ms();
    for (size_t i = 0; i < ids->count; i++) {
        int64_t id = 0;
        OB_ASSERT(read_id(ids->list[i], &id));
        ob_status status = act(store, id, patch, now_ms, error);
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
                              const char *name, deed act,
                              const ob_key_patch *patch, size_t *done)
{
    ob_store_error error;
    if (ob_store_begin(store, &error) != OB_OK)
        return fail(&error);
    if (act_on_all(store, ids, name, act, patch, done, &error) != OB_OK) {
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

/* Does it to words that are ids. */
static int on_ids(const ob_arguments *ids, const ob_settings_flags *flags,
                  const char *name, const char *past, deed act,
                  const ob_key_patch *patch)
{
    ob_access access;
    size_t done = 0;
    if (!ob_access_open_existing(flags, &access))
        return OB_EXIT_FAILED;
    int exit_code =
        act_in_transaction(access.store, ids, name, act, patch, &done);
    ob_access_close(&access);
    if (done || exit_code == OB_EXIT_OK)
        printf("%s %zu\n", past, done);
    return exit_code;
}

/* `act` NULL: the network is asked, not the database. */
static int by_id(int argc, char **argv, const char *synopsis, const char *about,
                 const char *past, deed act, const ob_key_patch *patch)
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
    ob_arguments arguments;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_ids(&arguments))
        return OB_EXIT_USAGE;
    if (!act)
        return ob_keys_test(flags.config, flags.database, arguments.list,
                            (int)arguments.count);
    return on_ids(&arguments, &flags, argv[0], past, act, patch);
}

static int remove_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys remove ID...",
                 "Removes keys for good.", "removed", remove_one, NULL);
}

static int block_ids(int argc, char **argv)
{
    static const ob_key_status status = OB_KEY_BLOCKED;
    const ob_key_patch patch = {.status = &status};
    return by_id(argc, argv, "one-balance keys block ID...",
                 "Blocks keys: they are not used until they are activated.",
                 "blocked", ob_store_patch_key, &patch);
}

static int activate_ids(int argc, char **argv)
{
    static const ob_key_status status = OB_KEY_ACTIVE;
    const ob_key_patch patch = {.status = &status};
    return by_id(argc, argv, "one-balance keys activate ID...",
                 "Sets keys free: lifts their block and every cool-down.",
                 "activated", ob_store_patch_key, &patch);
}

static int test_ids(int argc, char **argv)
{
    return by_id(argc, argv, "one-balance keys test ID...",
                 "Makes one real upstream call with each key.", "tested", NULL,
                 NULL);
}

/* ------------------------------------------------------- set */

static bool check_notes(const notes *given)
{
    if (given->remark || given->priority != NOT_GIVEN ||
        given->weight != NOT_GIVEN)
        return !given->remark || check_remark(given->remark);
    fprintf(stderr, "nothing to set: give --remark, --priority or --weight\n");
    return false;
}

static int set_ids(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    notes given = NOTES;
    const ob_option options[] = {
        NOTE_OPTIONS(given),
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance keys set ID... [--remark TEXT] "
                    "[--priority N] [--weight N]",
        .about = "Sets what is said of keys. Higher priorities serve first.\n"
                 "Among equals a key of weight 3 serves three times as much\n"
                 "as one of weight 1. A key starts with priority 0, weight 1.",
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_min = 1,
        .arguments_max = OB_ARGUMENTS_ANY,
    };
    ob_arguments arguments;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_ids(&arguments) || !check_notes(&given))
        return OB_EXIT_USAGE;
    ob_slice remark = ob_slice_str(given.remark ? given.remark : "");
    ob_key_patch patch = {.remark = given.remark ? &remark : NULL,
                          .order = order_of(&given)};
    return on_ids(&arguments, &flags, argv[0], "set", ob_store_patch_key,
                  &patch);
}

/* ------------------------------------------------------- actions */

static const char overview[] =
    "Usage: one-balance keys add PROVIDER [--remark TEXT] [--priority N]\n"
    "                            [--weight N] [FILE]\n"
    "       one-balance keys list [PROVIDER] [--status S] [--json]\n"
    "       one-balance keys set ID... [--remark TEXT] [--priority N]\n"
    "                            [--weight N]\n"
    "       one-balance keys remove ID...\n"
    "       one-balance keys block ID...\n"
    "       one-balance keys activate ID...\n"
    "       one-balance keys test ID...\n"
    "\n"
    "They work on the database while a server is running on it or not.\n"
    "Each takes --help, --database PATH and --config FILE.\n";

static const ob_cli_action actions[] = {
    {"add", add},           {"list", list},       {"set", set_ids},
    {"remove", remove_ids}, {"block", block_ids}, {"activate", activate_ids},
    {"test", test_ids},
};

int ob_keys_command(int argc, char **argv)
{
    return ob_actions_run(actions, OB_LEN(actions), overview, argc, argv);
}
