#include "export_command.h"

#include <string.h>

#include "../store/key_output.h"
#include "store_access.h"

#define WHO         OB_S("command line")
#define FLUSH_BYTES 65536

static int fail(const ob_store_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return OB_EXIT_FAILED;
}

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
