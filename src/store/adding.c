#include "adding.h"

#include "../core/base/arena.h"
#include "../core/base/buffer.h"

#define SLOTS                (2 * OB_ROUND_KEYS_MAX) /* of fingerprints */
#define ADDITIONAL_BYTES_MAX 256
#define NOT_SAID             (-1)

typedef struct entry {
    ob_new_key key; /* its slices are in the arena; `order` is not filled */
    int priority;   /* or NOT_SAID */
    int weight;
    bool known;
    size_t place; /* among the new ones, or among the known ones */
} entry;

struct ob_adding {
    ob_store *store;
    int64_t now_ms;
    ob_arena arena;
    size_t bytes;
    size_t count;
    entry entries[OB_ROUND_KEYS_MAX];
    uint8_t prints[OB_ROUND_KEYS_MAX][OB_FINGERPRINT_BYTES];
    uint16_t slots[SLOTS]; /* by fingerprint: an entry and 1; 0: free */
    ob_adding_counts counts;
    bool measures;
    size_t measured; /* keys */
    size_t measured_bytes;
    unsigned rounds; /* of them */
};

ob_adding *ob_adding_new(ob_store *store, int64_t now_ms)
{
    ob_adding *adding = calloc(1, sizeof(*adding));
    if (!adding)
        return NULL;
    adding->store = store;
    adding->now_ms = now_ms;
    ob_arena_init(&adding->arena, 0);
    return adding;
}

void ob_adding_free(ob_adding *adding)
{
    if (!adding)
        return;
    ob_arena_deinit(&adding->arena);
    free(adding);
}

ob_adding_counts ob_adding_count(const ob_adding *adding)
{
    return adding->counts;
}

const char *ob_adding_refusal(const ob_new_key *key)
{
    const char *why = ob_new_key_refusal(key);
    return why ? why : ob_key_refusal(key->secret);
}

/* ------------------------------------------------------- putting */

/* The slot of that fingerprint, or the free one where it belongs. They are
 * keyed hashes: nobody chooses them. */
static uint16_t *find_slot(ob_adding *adding, const uint8_t *print)
{
    size_t at = (size_t)(print[0] | print[1] << 8) % SLOTS;
    while (adding->slots[at] && memcmp(adding->prints[adding->slots[at] - 1],
                                       print, OB_FINGERPRINT_BYTES) != 0)
        at = (at + 1) % SLOTS;
    return &adding->slots[at];
}

/* What is said of a key goes before what was said of it earlier. */
static void say(entry *of, const ob_new_key *key, ob_slice remark)
{
    if (remark.len)
        of->key.remark = remark;
    if (key->order.priority)
        of->priority = *key->order.priority;
    if (key->order.weight)
        of->weight = *key->order.weight;
}

/* About as many bytes as it takes in a statement. */
static size_t bytes_of(const ob_new_key *key)
{
    size_t bytes = key->provider.len + key->secret.len + key->remark.len + 128;
    for (size_t i = 0; i < key->cooldown_count; i++)
        bytes += key->cooldowns[i].model.len + 32;
    return bytes;
}

static bool copy_cooldowns(ob_adding *adding, entry *made)
{
    size_t count = made->key.cooldown_count;
    if (!count)
        return true;
    ob_stored_cooldown *copies =
        ob_arena_alloc(&adding->arena, count * sizeof(*copies));
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = made->key.cooldowns[i];
        copies[i].model = ob_arena_dup(&adding->arena, copies[i].model);
        if (!copies[i].model.ptr)
            return false;
    }
    made->key.cooldowns = copies;
    return copies != NULL;
}

static bool copy(ob_adding *adding, const ob_new_key *key, ob_slice remark,
                 entry *made)
{
    *made = (entry){.key = *key, .priority = NOT_SAID, .weight = NOT_SAID};
    made->key.provider = ob_arena_dup(&adding->arena, key->provider);
    made->key.secret = ob_arena_dup(&adding->arena, key->secret);
    made->key.remark = remark;
    say(made, key, remark);
    adding->bytes += bytes_of(key);
    return made->key.provider.ptr && made->key.secret.ptr &&
           copy_cooldowns(adding, made);
}

static const char *cooldown_refusal(const ob_new_key *key)
{
    if (key->cooldown_count > OB_COOLDOWNS_PER_KEY_MAX)
        return "more than 64 cool-downs of one key";
    for (size_t i = 0; i < key->cooldown_count; i++)
        if (key->cooldowns[i].model.len > OB_MODEL_BYTES_MAX)
            return "a model's name is longer than 256 bytes";
    return NULL;
}

ob_status ob_adding_put(ob_adding *adding, const ob_new_key *key,
                        ob_store_error *error)
{
    uint8_t print[OB_FINGERPRINT_BYTES];
    const char *why = cooldown_refusal(key);
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    ob_status status = OB_OK;
    if (adding->count == OB_ROUND_KEYS_MAX ||
        adding->bytes >= OB_ROUND_BYTES_MAX)
        status = ob_adding_flush(adding, error);
    if (status != OB_OK)
        return status;
    if (adding->measures) {
        adding->count++;
        adding->bytes += bytes_of(key);
        return OB_OK;
    }
    status = ob_fingerprint(adding->store->sealer, key->provider, key->secret,
                            print);
    if (status != OB_OK)
        return ob_store_fail(error, status, "cannot compute a fingerprint");
    ob_slice remark = ob_arena_dup(&adding->arena, key->remark);
    uint16_t *slot = find_slot(adding, print);
    if (*slot && remark.ptr) {
        adding->counts.known++;
        say(&adding->entries[*slot - 1], key, remark);
        return OB_OK;
    }
    if (!remark.ptr ||
        !copy(adding, key, remark, &adding->entries[adding->count]))
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    memcpy(adding->prints[adding->count], print, sizeof(print));
    *slot = (uint16_t)++adding->count;
    return OB_OK;
}

/* ------------------------------------------------------- looking */

static ob_status find_known(ob_adding *adding, ob_store_error *error)
{
    ob_store *store = adding->store;
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_FIND_KEYS, error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, (int64_t)adding->count);
    ob_sql_blob(rows, 2, adding->prints, adding->count * OB_FINGERPRINT_BYTES);
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        uint64_t at = (uint64_t)sqlite3_column_int64(rows, 0);
        if (at < adding->count)
            adding->entries[at].known = true;
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

/* ------------------------------------------------------- writing */

/* What one statement takes. */
typedef struct batch {
    ob_buffer rows; /* JSON */
    ob_buffer prints;
    ob_buffer sealed;
    size_t count;
} batch;

static void batch_deinit(batch *of)
{
    ob_buffer_deinit(&of->rows);
    ob_buffer_deinit(&of->prints);
    ob_buffer_deinit(&of->sealed);
}

static void begin_row(batch *of)
{
    ob_buffer_append_str(&of->rows, of->count++ ? ",[" : "[[");
}

static void add_text(batch *of, ob_slice text)
{
    ob_buffer_append_json(&of->rows, text);
    ob_buffer_append_char(&of->rows, ',');
}

static void add_number(batch *of, int64_t number, char behind)
{
    ob_buffer_append_i64(&of->rows, number);
    ob_buffer_append_char(&of->rows, behind);
}

static void add_or_null(batch *of, int number, char behind)
{
    if (number == NOT_SAID)
        ob_buffer_append_str(&of->rows, "null");
    else
        ob_buffer_append_i64(&of->rows, number);
    ob_buffer_append_char(&of->rows, behind);
}

static void add_print(const ob_adding *adding, batch *of, size_t at)
{
    ob_buffer_append(
        &of->prints,
        ob_slice_make((const char *)adding->prints[at], OB_FINGERPRINT_BYTES));
}

static ob_status run(ob_adding *adding, ob_sql sql, batch *of,
                     ob_store_error *error)
{
    if (!of->count)
        return OB_OK;
    ob_buffer_append_char(&of->rows, ']');
    if (of->rows.failed || of->prints.failed || of->sealed.failed)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    sqlite3_stmt *statement = ob_sql_take(adding->store, sql, error);
    if (!statement)
        return OB_IO;
    ob_slice prints = ob_buffer_slice(&of->prints);
    ob_slice sealed = ob_buffer_slice(&of->sealed);
    ob_sql_text(statement, 1, ob_buffer_slice(&of->rows));
    ob_sql_blob(statement, 2, prints.ptr, prints.len);
    if (sealed.len)
        ob_sql_blob(statement, 3, sealed.ptr, sealed.len);
    return ob_sql_run(adding->store, statement, error);
}

static ob_status seal(ob_adding *adding, size_t at, ob_buffer *out,
                      ob_store_error *error)
{
    char room[ADDITIONAL_BYTES_MAX];
    const ob_new_key *key = &adding->entries[at].key;
    size_t len = key->secret.len + OB_SEAL_OVERHEAD;
    if (ob_buffer_reserve(out, len) != OB_OK)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    ob_status status =
        ob_seal(adding->store->sealer, key->secret,
                ob_key_place(key->provider,
                             ob_slice_make((const char *)adding->prints[at],
                                           OB_FINGERPRINT_BYTES),
                             room),
                (uint8_t *)out->data + out->end);
    if (status != OB_OK)
        return ob_store_fail(error, status, "cannot seal: no randomness");
    out->end += len;
    return OB_OK;
}

static ob_status add_new(ob_adding *adding, size_t at, batch *of,
                         ob_store_error *error)
{
    entry *made = &adding->entries[at];
    const ob_new_key *key = &made->key;
    bool blocked = key->status == OB_KEY_BLOCKED;
    size_t begin = ob_buffer_slice(&of->sealed).len;
    ob_status status = seal(adding, at, &of->sealed, error);
    if (status != OB_OK)
        return status;
    made->place = of->count;
    add_print(adding, of, at);
    begin_row(of);
    add_text(of, key->provider);
    /* SQL counts from 1. */
    add_number(of, (int64_t)begin + 1, ',');
    add_number(of, (int64_t)(key->secret.len + OB_SEAL_OVERHEAD), ',');
    add_text(of, ob_slice_str(ob_status_word(key->status)));
    add_text(of,
             ob_slice_str(blocked ? ob_reason_slug(key->blocked_reason) : ""));
    add_text(of, key->remark);
    add_number(of, key->created_at ? key->created_at : adding->now_ms / 1000,
               ',');
    add_number(of, key->total_cooling_ms, ',');
    add_number(of, made->priority == NOT_SAID ? 0 : made->priority, ',');
    add_number(of, made->weight == NOT_SAID ? 1 : made->weight, ']');
    return OB_OK;
}

static bool is_told(const entry *known)
{
    return known->key.remark.len || known->priority != NOT_SAID ||
           known->weight != NOT_SAID;
}

/* A known key stays as it is, but for what is said of it anew. */
static void add_known(ob_adding *adding, size_t at, batch *of)
{
    const entry *known = &adding->entries[at];
    if (!is_told(known))
        return;
    add_print(adding, of, at);
    begin_row(of);
    if (known->key.remark.len)
        add_text(of, known->key.remark);
    else
        ob_buffer_append_str(&of->rows, "null,");
    add_or_null(of, known->priority, ',');
    add_or_null(of, known->weight, ']');
}

static void add_rests(ob_adding *adding, size_t at, batch *of)
{
    const entry *made = &adding->entries[at];
    for (size_t i = 0; i < made->key.cooldown_count; i++) {
        const ob_stored_cooldown *rest = &made->key.cooldowns[i];
        begin_row(of);
        add_number(of, (int64_t)made->place, ',');
        add_text(of, rest->model);
        add_number(of, rest->until_ms, ',');
        ob_buffer_append_json(&of->rows,
                              ob_slice_str(ob_reason_slug(rest->reason)));
        ob_buffer_append_char(&of->rows, ']');
        adding->counts.cooldowns++;
    }
}

static ob_status write_batches(ob_adding *adding, batch *made, batch *known,
                               batch *rests, ob_store_error *error)
{
    ob_status status = OB_OK;
    for (size_t i = 0; i < adding->count && status == OB_OK; i++) {
        if (adding->entries[i].known) {
            adding->counts.known++;
            add_known(adding, i, known);
            continue;
        }
        adding->counts.added++;
        status = add_new(adding, i, made, error);
        add_rests(adding, i, rests);
    }
    if (status == OB_OK && (made->count || known->count))
        status = ob_store_revise(adding->store, error);
    if (status == OB_OK)
        status = run(adding, OB_SQL_INSERT_KEYS, made, error);
    if (status == OB_OK)
        status = run(adding, OB_SQL_SET_KNOWN, known, error);
    if (status == OB_OK && rests->count) {
        ob_buffer_append(&rests->prints, ob_buffer_slice(&made->prints));
        status = run(adding, OB_SQL_INSERT_RESTS, rests, error);
    }
    return status;
}

static void forget(ob_adding *adding)
{
    ob_arena_reset(&adding->arena);
    memset(adding->slots, 0, sizeof(adding->slots));
    adding->count = adding->bytes = 0;
}

ob_status ob_adding_flush(ob_adding *adding, ob_store_error *error)
{
    batch made = {.count = 0};
    batch known = {.count = 0};
    batch rests = {.count = 0};
    if (!adding->count)
        return OB_OK;
    if (adding->measures) {
        adding->rounds++;
        adding->measured += adding->count;
        adding->measured_bytes += adding->bytes;
        forget(adding);
        return OB_OK;
    }
    ob_status status = find_known(adding, error);
    if (status == OB_OK)
        status = write_batches(adding, &made, &known, &rests, error);
    batch_deinit(&made);
    batch_deinit(&known);
    batch_deinit(&rests);
    forget(adding);
    return status;
}

/* ------------------------------------------------------- measuring */

bool ob_adding_measure(ob_adding *adding)
{
    adding->measures = adding->store->rounds_max > 0;
    return adding->measures;
}

ob_status ob_adding_measured(ob_adding *adding, ob_store_error *error)
{
    ob_status status = ob_adding_flush(adding, error);
    unsigned most = adding->store->rounds_max;
    bool fits = adding->rounds <= most;
    adding->measures = false;
    if (status != OB_OK || fits)
        return status;
    return ob_store_fail(
        error, OB_LIMIT,
        "%zu keys (%zu KB) came, and one request adds %zu here, or %zu KB of "
        "them: nothing was added. %s",
        adding->measured, adding->measured_bytes / 1024,
        (size_t)most * OB_ROUND_KEYS_MAX, most * OB_ROUND_BYTES_MAX / 1024,
        adding->store->rounds_advice);
}
