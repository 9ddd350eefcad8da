#include "import_command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../store/import.h"
#include "../store/key_output.h"
#include "store_access.h"

#define WHO         OB_S("command line")
#define FLUSH_BYTES 65536

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

/* ------------------------------------------------------- import */

static ob_slice find_provider(void *context, ob_slice name, ob_slice *nearest)
{
    const ob_config *config = context;
    return ob_access_provider(config, name, nearest);
}

static void print_refused(void *context, size_t row, const char *masked,
                          const char *why)
{
    fprintf(stderr, "refused row %zu%s%s: %s\n", row, masked[0] ? ", " : "",
            masked, why);
}

static ob_status import_audited(ob_access *access, const char *path,
                                ob_import_result *result, ob_store_error *error)
{
    ob_store *store = access->store;
    ob_import_options options = {.now_ms = ob_now_ms(),
                                 .context = access->settings.config,
                                 .provider = find_provider,
                                 .refused = print_refused};
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = ob_import_file(store, path, &options, result, error);
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

static int import_file(ob_access *access, const char *path)
{
    ob_store_error error;
    ob_import_result result;
    if (!is_readable(path) || !ob_access_store(access))
        return OB_EXIT_FAILED;
    if (import_audited(access, path, &result, &error) != OB_OK)
        return fail(&error);
    printf("added %zu, already known %zu, refused %zu; cool-downs taken over "
           "%zu\n",
           result.added, result.known, result.refused, result.cooldowns);
    if (result.cooldowns_left_out)
        fprintf(stderr, "left out %zu cool-downs that were not understood\n",
                result.cooldowns_left_out);
    return result.refused && result.added + result.known == 0 ? OB_EXIT_FAILED
                                                              : OB_EXIT_OK;
}

int ob_import_command(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    const ob_option options[] = {OB_STORE_OPTIONS(flags)};
    const ob_usage usage = {
        .synopsis = "one-balance import FILE",
        .about =
            "Adds the keys of FILE: an export of One Balance's D1 database\n"
            "(SQL or SQLite), JSON Lines or CSV as `export` writes them, or\n"
            "lines of \"provider key [remark]\". Known keys stay as they are.",
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
    exit_code = import_file(&access, arguments.list[0]);
    ob_access_close(&access);
    return exit_code;
}

/* ------------------------------------------------------- export */

typedef struct exporting {
    bool csv;
    bool clear;
    bool failed;
    int64_t now_ms;
    ob_buffer out;
} exporting;

static void flush(exporting *export)
{
    ob_slice text = ob_buffer_slice(&export->out);
    if (export->out.failed || fwrite(text.ptr, 1, text.len, stdout) != text.len)
        export->failed = true;
    if (export->out.data)
        ob_wipe(export->out.data, export->out.end);
    ob_buffer_clear(&export->out);
}

static void export_key(void *context, const ob_stored_key *key)
{
    exporting *export = context;
    if (export->csv) {
        ob_key_write_csv(&export->out, key, export->now_ms, export->clear);
    } else {
        ob_key_write_json(&export->out, key, export->now_ms, export->clear);
        ob_buffer_append_char(&export->out, '\n');
    }
    if (export->out.end > FLUSH_BYTES)
        flush(export);
}

static ob_status export_audited(ob_store *store, exporting *export,
                                ob_store_error *error)
{
    int64_t revision = 0;
    /* Noted first: what cannot be noted is not given out. */
    ob_status status = OB_OK;
    if (export->clear)
        status = ob_store_audit(store, OB_S("export"), 0, WHO, export->now_ms,
                                error);
    if (status != OB_OK)
        return status;
    if (export->csv)
        ob_key_write_csv_head(&export->out);
    return ob_store_load(store, &revision, export_key, export, error);
}

static int export_store(ob_store *store, exporting *export)
{
    ob_store_error error;
    ob_status status = export_audited(store, export, &error);
    flush(export);
    ob_buffer_deinit(&export->out);
    if (status != OB_OK)
        return fail(&error);
    if (fflush(stdout) != 0 || export->failed) {
        fprintf(stderr, "the export could not be written to its end\n");
        return OB_EXIT_FAILED;
    }
    return error.message[0] ? fail(&error) : OB_EXIT_OK;
}

static bool read_format(const char *format, bool *csv)
{
    *csv = strcmp(format, "csv") == 0;
    if (*csv || strcmp(format, "jsonl") == 0)
        return true;
    fprintf(stderr, "--format is jsonl or csv\n");
    return false;
}

int ob_export_command(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    exporting export = {.now_ms = ob_now_ms()};
    const char *format = "jsonl";
    const ob_option options[] = {
        {.name = "format",
         .value = "FORMAT",
         .help = "jsonl (default) or csv",
         .text = &format},
        {.name = "secrets",
         .help = "the keys themselves, not their masks",
         .flag = &export.clear},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance export [--format jsonl|csv] [--secrets]",
        .about =
            "Writes every key and what is known of it to standard output. In\n"
            "CSV an apostrophe stands before a cell that a spreadsheet would\n"
            "run as a formula; `import` takes it off again.",
        .options = options,
        .option_count = OB_LEN(options),
    };
    ob_arguments arguments;
    ob_access access;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!read_format(format, &export.csv))
        return OB_EXIT_USAGE;
    if (!ob_access_open_existing(&flags, &access))
        return OB_EXIT_FAILED;
    fputs(export.clear
              ? "warning: this writes the keys in clear; keep it private\n"
              : "the keys are masked; --secrets writes them in clear\n",
          stderr);
    exit_code = export_store(access.store, &export);
    ob_access_close(&access);
    return exit_code;
}
