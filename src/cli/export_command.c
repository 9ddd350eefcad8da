#include "export_command.h"

#include <string.h>

#include "../store/export_d1.h"
#include "../store/key_output.h"
#include "store_access.h"

#define WHO         OB_S("command line")
#define FLUSH_BYTES 65536

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

typedef enum format {
    JSONL,
    CSV,
    D1,
} export_format;

typedef struct exporting {
    export_format format;
    bool clear;
    bool failed;
    int64_t now_ms;
    size_t count; /* of D1 */
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
    if (export->format == CSV) {
        ob_key_write_csv(&export->out, key, export->now_ms, export->clear);
    } else {
        ob_key_write_json(&export->out, key, export->now_ms, export->clear);
        ob_buffer_append_char(&export->out, '\n');
    }
    if (export->out.end > FLUSH_BYTES)
        flush(export);
}

static bool write_sql(void *context, ob_slice sql)
{
    exporting *export = context;
    ob_buffer_append(&export->out, sql);
    if (export->out.end > FLUSH_BYTES)
        flush(export);
    return !export->failed;
}

static ob_status export_audited(ob_store *store, exporting *export,
                                ob_store_error *error)
{
    int64_t revision = 0;
    /* Noted first: what cannot be noted is not given out. */
    ob_status status = OB_OK;
    if (export->clear || export->format == D1)
        status = ob_store_audit(store, OB_S("export"), 0, WHO, export->now_ms,
                                error);
    if (status != OB_OK)
        return status;
    if (export->format == D1)
        return ob_store_export_d1(store, export->now_ms, write_sql, export,
                                  &export->count, error);
    if (export->format == CSV)
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

static bool read_format(const char *word, exporting *export)
{
    static const char *const words[] = {
        [JSONL] = "jsonl", [CSV] = "csv", [D1] = "d1"};
    for (size_t i = 0; i < OB_LEN(words); i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        export->format = (export_format)i;
        if (export->format != D1 || !export->clear)
            return true;
        fprintf(stderr, "--secrets and --format d1 exclude each other: keys "
                        "for D1 stay sealed\n");
        return false;
    }
    fprintf(stderr, "--format is jsonl, csv or d1\n");
    return false;
}

/* Before the keys, for those who only see the beginning. */
static void warn(const ob_access *access, const exporting *export)
{
    const ob_settings *settings = &access->settings;
    ob_slice path = settings->config->database;
    if (export->format != D1) {
        fputs(export->clear
                  ? "warning: this writes the keys in clear; keep it private\n"
                  : "the keys are masked; --secrets writes them in clear\n",
              stderr);
        return;
    }
    fputs("the keys stay sealed: the Worker's MASTER_KEY must be the master "
          "key of this database, ",
          stderr);
    if (settings->master_key.len)
        fputs("that of ONE_BALANCE_MASTER_KEY\n", stderr);
    else
        fprintf(stderr, "in %.*s.master.key\n", (int)path.len, path.ptr);
    fputs("left out: auth keys, counters, what was learned of quotas, "
          "evidence and the audit log\n",
          stderr);
}

static void tell_next(const exporting *export)
{
    fprintf(stderr,
            "%zu keys; next, in the checkout: MASTER_KEY=... npm run keys -- "
            "import FILE\n",
            export->count);
}

int ob_export_command(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    exporting export = {.now_ms = ob_now_ms()};
    const char *format = "jsonl";
    const ob_option options[] = {
        {.name = "format",
         .value = "FORMAT",
         .help = "jsonl (default), csv or d1",
         .text = &format},
        {.name = "secrets",
         .help = "the keys themselves, not their masks",
         .flag = &export.clear},
        OB_STORE_OPTIONS(flags),
    };
    const ob_usage usage = {
        .synopsis = "one-balance export [--format jsonl|csv|d1] "
                    "[--secrets]",
        .about =
            "Writes every key and what is known of it to standard output. In\n"
            "CSV an apostrophe stands before a cell that a spreadsheet would\n"
            "run as a formula; `import` takes it off again.\n"
            "\n"
            "d1 is SQL for the D1 database of a Worker of this program: the\n"
            "keys stay sealed, and its MASTER_KEY must be the master key of\n"
            "this database. It may be run again: known keys stay as they are.",
        .options = options,
        .option_count = OB_LEN(options),
    };
    ob_arguments arguments;
    ob_access access;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!read_format(format, &export))
        return OB_EXIT_USAGE;
    if (!ob_access_open_existing(&flags, &access))
        return OB_EXIT_FAILED;
    warn(&access, &export);
    exit_code = export_store(access.store, &export);
    if (export.format == D1 && exit_code == OB_EXIT_OK)
        tell_next(&export);
    ob_access_close(&access);
    return exit_code;
}
