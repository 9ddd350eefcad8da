/* import_test.h - what the tests of imports share: a store, and options that
 * note what they are told. */
#ifndef OB_IMPORT_TEST_H
#define OB_IMPORT_TEST_H

#include <sqlite3.h>

#include "../../src/store/import.h"
#include "store_test.h"

typedef struct rig {
    scratch place;
    ob_store *store;
    ob_import_options options;
    ob_import_result result;
    size_t refused; /* rows that were told */
    size_t row;
    char masked[OB_MASK_MAX];
    char why[512];
    char left_out[512]; /* the last */
} rig;

static inline ob_slice known_provider(void *context, ob_slice name,
                                      ob_slice *nearest)
{
    static const ob_slice known[] = {OB_S_INIT("openai"),
                                     OB_S_INIT("google-ai-studio")};
    for (size_t i = 0; i < OB_LEN(known); i++)
        if (ob_slice_eq(name, known[i]))
            return known[i];
    *nearest = ob_slice_eq(name, OB_S("opnai")) ? known[0] : OB_S("");
    return ob_slice_make(NULL, 0);
}

static inline void note_refusal(void *context, size_t row, const char *masked,
                                const char *why)
{
    rig *bench = context;
    bench->refused++;
    bench->row = row;
    snprintf(bench->masked, sizeof(bench->masked), "%s", masked);
    snprintf(bench->why, sizeof(bench->why), "%s", why);
}

/* By their hosts, as the configuration would. */
static inline ob_slice known_place(void *context, ob_slice url)
{
    if (ob_slice_find(url, OB_S("//api.openai.com")) != OB_NOWHERE)
        return OB_S("openai");
    return ob_slice_find(url, OB_S("//generativelanguage.")) != OB_NOWHERE
               ? OB_S("google-ai-studio")
               : (ob_slice){NULL, 0};
}

static inline void note_left_out(void *context, const char *what)
{
    rig *bench = context;
    snprintf(bench->left_out, sizeof(bench->left_out), "%s", what);
}

static inline void start(rig *bench)
{
    memset(bench, 0, sizeof(*bench));
    make_place(&bench->place);
    bench->store = open_place(&bench->place);
    bench->options = (ob_import_options){.now_ms = NOW_MS,
                                         .context = bench,
                                         .provider = known_provider,
                                         .place = known_place,
                                         .refused = note_refusal,
                                         .left_out = note_left_out};
}

static inline void stop(rig *bench)
{
    ob_store_close(bench->store);
    remove_place(&bench->place);
}

static inline ob_status import_text(rig *bench, const char *text)
{
    return ob_import_text(bench->store, ob_slice_str(text), &bench->options,
                          &bench->result, &bench->place.error);
}

static inline ob_status import_file(rig *bench)
{
    char file[128];
    snprintf(file, sizeof(file), "%s.import", bench->place.path);
    return ob_import_file(bench->store, file, &bench->options, &bench->result,
                          &bench->place.error);
}

static inline bool says(const rig *bench, const char *words)
{
    return strstr(bench->place.error.message, words) != NULL;
}

static inline void make_database(rig *bench, const char *sql)
{
    char file[128];
    sqlite3 *db;
    snprintf(file, sizeof(file), "%s.import", bench->place.path);
    unlink(file);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

#endif
