/*
 * names.c - texts that come again and again, as numbers.
 *
 * Those that roll-ups use stay for ever; the others go with the rows that use
 * them: `last` is refreshed every NAME_STEP rows, so a name whose `last` is
 * older than the oldest row by that much is no more in use.
 */
#include "inside.h"

#define SLOTS     16384 /* a power of two; half of them in use at most */
#define TEXT_MAX  300
#define NAME_STEP 20000

typedef struct entry {
    int64_t id; /* 0: free */
    int64_t last;
    uint64_t hash;
    ob_slice text;
} entry;

struct log_names {
    entry slots[SLOTS];
    size_t count;
};

log_names *log_names_new(void)
{
    return calloc(1, sizeof(log_names));
}

static void forget(log_names *names)
{
    for (size_t i = 0; i < SLOTS; i++)
        free((char *)names->slots[i].text.ptr);
    memset(names, 0, sizeof(*names));
}

void log_names_free(log_names *names)
{
    if (names)
        forget(names);
    free(names);
}

static entry *find(log_names *names, ob_slice text, uint64_t hash)
{
    size_t at = hash % SLOTS;
    while (names->slots[at].id && (names->slots[at].hash != hash ||
                                   !ob_slice_eq(names->slots[at].text, text)))
        at = (at + 1) % SLOTS;
    return &names->slots[at];
}

static entry *remember(log_names *names, ob_slice text, uint64_t hash,
                       int64_t id, int64_t last)
{
    if (names->count >= SLOTS / 2)
        forget(names);
    entry *slot = find(names, text, hash);
    char *copy = malloc(text.len);
    if (!copy)
        return NULL;
    memcpy(copy, text.ptr, text.len);
    *slot = (entry){id, last, hash, ob_slice_make(copy, text.len)};
    names->count++;
    return slot;
}

/* From the file; 0: it is not there. */
static int64_t look_up(log_file *file, ob_slice text, int64_t *last)
{
    sqlite3_stmt *statement = log_take(file, LOG_SQL_NAME_FIND);
    int64_t id = 0;
    log_bind(statement, 1, text);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        id = sqlite3_column_int64(statement, 0);
        *last = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return id;
}

static int64_t add(log_file *file, ob_slice text, int64_t last)
{
    sqlite3_stmt *statement = log_take(file, LOG_SQL_NAME_ADD);
    log_bind(statement, 1, text);
    sqlite3_bind_int64(statement, 2, last);
    return log_run(statement) == SQLITE_OK ? sqlite3_last_insert_rowid(file->db)
                                           : 0;
}

static void refresh(log_file *file, entry *slot, bool kept)
{
    bool fresh = slot->last >= file->next_id - NAME_STEP;
    if (slot->last < 0 || (fresh && !kept))
        return;
    sqlite3_stmt *statement = log_take(file, LOG_SQL_NAME_USED);
    int64_t last = kept ? -1 : file->next_id;
    sqlite3_bind_int64(statement, 1, slot->id);
    sqlite3_bind_int64(statement, 2, last);
    if (log_run(statement) == SQLITE_OK)
        slot->last = last;
}

static entry *get(log_file *file, ob_slice text)
{
    uint64_t hash = ob_slice_hash(text, 0);
    entry *slot = find(file->names, text, hash);
    if (slot->id)
        return slot;
    int64_t last = 0;
    int64_t id = look_up(file, text, &last);
    return id ? remember(file->names, text, hash, id, last) : NULL;
}

int64_t log_name(log_file *file, ob_slice text, bool kept)
{
    text = ob_slice_head(text, TEXT_MAX);
    if (!text.len)
        return 0;
    entry *slot = get(file, text);
    if (!slot) {
        int64_t last = kept ? -1 : file->next_id;
        int64_t id = add(file, text, last);
        if (id)
            (void)remember(file->names, text, ob_slice_hash(text, 0), id, last);
        return id;
    }
    refresh(file, slot, kept);
    return slot->id;
}

bool log_name_is_kept(log_file *file, ob_slice text)
{
    text = ob_slice_head(text, TEXT_MAX);
    entry *slot = text.len ? get(file, text) : NULL;
    return slot && slot->last < 0;
}

/* What was added in a transaction that failed is not there. */
void log_names_forget(log_names *names)
{
    forget(names);
}
