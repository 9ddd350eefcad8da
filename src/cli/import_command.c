#include "import_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../store/import.h"
#include "store_access.h"

#define WHO OB_S("command line")

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

static ob_slice find_provider(void *context, ob_slice name, ob_slice *nearest)
{
    const ob_config *config = context;
    return ob_access_provider(config, name, nearest);
}

static ob_slice find_place(void *context, ob_slice url)
{
    return ob_access_provider_at(context, url);
}

static void print_left_out(void *context, const char *what)
{
    fprintf(stderr, "left out: %s\n", what);
}

static void print_refused(void *context, size_t row, const char *masked,
                          const char *why)
{
    fprintf(stderr, "refused row %zu%s%s: %s\n", row, masked[0] ? ", " : "",
            masked, why);
}

/* What the command line says of the file. */
typedef struct importing {
    const char *path;
    const char *provider;   /* NULL: not given */
    const char *master_key; /* "env:NAME" or the path of a file; NULL */
    ob_buffer master;       /* what was read there */
    ob_slice fallback;
} importing;

static ob_status import_audited(ob_access *access, const importing *import,
                                ob_import_result *result, ob_store_error *error)
{
    ob_store *store = access->store;
    ob_import_options options = {.now_ms = ob_now_ms(),
                                 .context = access->settings.config,
                                 .provider = find_provider,
                                 .place = find_place,
                                 .fallback = import->fallback,
                                 .master = ob_buffer_slice(&import->master),
                                 .refused = print_refused,
                                 .left_out = print_left_out};
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = ob_import_file(store, import->path, &options, result, error);
    if (status == OB_OK)
        status = ob_store_audit(store, OB_S("import"), 0, WHO, options.now_ms,
                                error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

/* A wrong path must not leave a new database. */
static bool is_readable(const char *path)
{
    if (access(path, R_OK) == 0)
        return true;
    fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
    return false;
}

static bool find_fallback(const ob_access *access, importing *import,
                          int *exit_code)
{
    ob_slice nearest;
    if (!import->provider)
        return true;
    import->fallback = ob_access_provider(
        access->settings.config, ob_slice_str(import->provider), &nearest);
    if (import->fallback.ptr)
        return true;
    *exit_code = ob_access_refuse_provider(import->provider, nearest);
    return false;
}

/* A key on the command line would be seen by every user of the machine. */
static bool read_master(importing *import, int *exit_code)
{
    const char *from = import->master_key;
    if (!from)
        return true;
    *exit_code = OB_EXIT_USAGE;
    if (strncmp(from, "env:", 4) == 0) {
        const char *value = getenv(from + 4);
        if (value && value[0]) {
            ob_buffer_append_str(&import->master, value);
            return true;
        }
        fprintf(stderr, "--master-key: the variable %s is not set\n", from + 4);
        return false;
    }
    if (access(from, F_OK) != 0) {
        fprintf(stderr, "--master-key names where the key is, env:NAME or a "
                        "file, and there is no such file\n");
        return false;
    }
    return ob_text_read(from, &import->master);
}

static void print_result(const ob_import_result *result)
{
    printf("read as: %s\n", result->read_as ? result->read_as : "nothing");
    printf("added %zu, already known %zu, refused %zu; cool-downs taken over "
           "%zu\n",
           result->added, result->known, result->refused, result->cooldowns);
    if (result->cooldowns_left_out)
        fprintf(stderr, "left out: %zu cool-downs that were not understood\n",
                result->cooldowns_left_out);
    if (result->orders_left_out)
        fprintf(stderr,
                "left out: priority or weight of %zu rows, outside of 0 to 7 "
                "and 1 to 100\n",
                result->orders_left_out);
}

static int import_file(ob_access *access, const importing *import)
{
    ob_store_error error;
    ob_import_result result = {0};
    if (!is_readable(import->path) || !ob_access_store(access))
        return OB_EXIT_FAILED;
    if (import_audited(access, import, &result, &error) != OB_OK) {
        fprintf(stderr, "%s%s%s: ", import->path,
                result.read_as ? ", read as " : "",
                result.read_as ? result.read_as : "");
        return fail(&error);
    }
    print_result(&result);
    return result.refused && result.added + result.known == 0 ? OB_EXIT_FAILED
                                                              : OB_EXIT_OK;
}

static const char import_about[] =
    "Adds the keys of FILE, which is recognised by what is in it:\n"
    "\n"
    "  One Balance   its D1 database, as SQL or SQLite\n"
    "  this program  a database, as SQLite, or `wrangler d1 export` of a\n"
    "                Worker's; --master-key where it is another one's\n"
    "  gpt-load 1    its SQLite database, or a list that it exported\n"
    "  gemini-balance  its .env, configuration (JSON) or SQLite database\n"
    "  one-api, new-api  their SQLite database: the channels\n"
    "  lists         JSON Lines or CSV as `export` writes them, lines of\n"
    "                \"provider key [remark]\", or keys alone: --provider\n"
    "\n"
    "Known keys stay as they are. FILE is not changed.";

int ob_import_command(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    importing import = {0};
    const ob_option options[] = {
        {.name = "provider",
         .value = "NAME",
         .help = "of the keys of which FILE does not say it",
         .text = &import.provider},
        {.name = "master-key",
         .value = "FROM",
         .help = "env:NAME or a file: what FILE's keys are sealed under",
         .text = &import.master_key},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance import FILE [--provider NAME] "
                    "[--master-key FROM]",
        .about = import_about,
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
    if (!ob_access_begin(&flags, &access))
        return OB_EXIT_FAILED;
    import.path = arguments.list[0];
    if (find_fallback(&access, &import, &exit_code) &&
        read_master(&import, &exit_code))
        exit_code = import_file(&access, &import);
    ob_text_free(&import.master);
    ob_access_close(&access);
    return exit_code;
}
