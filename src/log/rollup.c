/*
 * rollup.c - sums by minute, hour and day, that outlive the rows.
 *
 * Collected in memory and added to the file every second or so: reading and
 * writing three rows for each request would cost more than the request's own.
 * Names that any caller can make up (models that nobody has answered for) have
 * no sums of their own.
 */
#include "inside.h"

const int64_t log_spans[LOG_SPANS] = {60, 3600, 86400, 3601, 86401};

#define GROUPS_MAX 8192
#define SLOTS      (2 * GROUPS_MAX)

typedef struct group {
    int64_t at;        /* the minute, unix seconds; by key: the hour */
    int64_t key_id;    /* 0: by auth key */
    ob_slice provider; /* in `texts` */
    ob_slice model;
    ob_slice auth_key;
    log_sums sums; /* causes by their codes, see code_of() */
    char texts[];
} group;

struct log_rollup {
    group *slots[SLOTS];
    size_t count;
    size_t from; /* the next slot to be saved */
    size_t to;   /* saved, but not committed */
};

/* ---- times: four buckets an octave ---- */

size_t log_bucket(int64_t ms)
{
    size_t octave = 0;
    if (ms < 4)
        return ms < 0 ? 0 : (size_t)ms;
    while (ms >> (octave + 3))
        octave++;
    size_t bucket = 4 * (octave + 1) + (size_t)(ms >> octave & 3);
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static int64_t bucket_ms(size_t bucket)
{
    if (bucket < 4)
        return (int64_t)bucket;
    size_t octave = bucket / 4 - 1;
    int64_t low = (int64_t)(4 + bucket % 4) << octave;
    return low + ((int64_t)1 << octave) / 2;
}

int64_t log_percentile(const uint32_t counts[HIST_BUCKETS], unsigned permille)
{
    uint64_t all = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        all += counts[i];
    for (size_t i = 0; all && i < HIST_BUCKETS; i++) {
        below += counts[i];
        if (below * 1000 >= all * permille)
            return bucket_ms(i);
    }
    return -1;
}

/* ---- sums ---- */

void log_sums_cause(log_sums *sums, int64_t name, int64_t count)
{
    for (size_t i = 0; i < sums->cause_count; i++) {
        if (sums->causes[i].name != name)
            continue;
        sums->causes[i].count += count;
        return;
    }
    if (sums->cause_count < CAUSES_MAX)
        sums->causes[sums->cause_count++] = (log_cause){name, count};
}

void log_numbers_add(log_numbers *numbers, const log_numbers *other)
{
    for (size_t i = 0; i < SUMS; i++)
        numbers->sums[i] += other->sums[i];
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        numbers->first_byte[i] += other->first_byte[i];
        numbers->total[i] += other->total[i];
    }
}

void log_sums_add(log_sums *sums, const log_sums *other)
{
    log_numbers_add(&sums->n, &other->n);
    for (size_t i = 0; i < other->cause_count; i++)
        log_sums_cause(sums, other->causes[i].name, other->causes[i].count);
}

/* ---- blobs: pairs of numbers, seven bits a byte ---- */

typedef struct blob {
    char bytes[CAUSES_MAX * 20 + HIST_BUCKETS * 12];
    size_t len;
} blob;

static void put(blob *out, uint64_t number)
{
    while (number >= 0x80) {
        out->bytes[out->len++] = (char)(number | 0x80);
        number >>= 7;
    }
    out->bytes[out->len++] = (char)number;
}

/* False: there is no more. */
static bool take(ob_slice *rest, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; rest->len && shift < 63; shift += 7) {
        unsigned char byte = (unsigned char)rest->ptr[0];
        *rest = ob_slice_from(*rest, 1);
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static void put_counts(blob *out, const uint32_t counts[HIST_BUCKETS])
{
    out->len = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        if (!counts[i])
            continue;
        put(out, i);
        put(out, counts[i]);
    }
}

static void take_counts(ob_slice bytes, uint32_t counts[HIST_BUCKETS])
{
    uint64_t bucket, count;
    while (take(&bytes, &bucket) && take(&bytes, &count))
        if (bucket < HIST_BUCKETS)
            counts[bucket] += (uint32_t)count;
}

static void put_causes(blob *out, const log_sums *sums)
{
    out->len = 0;
    for (size_t i = 0; i < sums->cause_count; i++) {
        put(out, (uint64_t)sums->causes[i].name);
        put(out, (uint64_t)sums->causes[i].count);
    }
}

void log_sums_read(sqlite3_stmt *statement, int first, log_sums *sums)
{
    uint64_t name, count;
    for (int i = 0; i < SUMS; i++)
        sums->n.sums[i] += sqlite3_column_int64(statement, first + i);
    take_counts(log_column(statement, first + SUMS), sums->n.first_byte);
    take_counts(log_column(statement, first + SUMS + 1), sums->n.total);
    ob_slice causes = log_column(statement, first + SUMS + 2);
    while (take(&causes, &name) && take(&causes, &count))
        log_sums_cause(sums, (int64_t)name, (int64_t)count);
}

/* ---- in memory ---- */

log_rollup *log_rollup_new(void)
{
    return calloc(1, sizeof(log_rollup));
}

void log_rollup_clear(log_rollup *rollup)
{
    for (size_t i = 0; i < SLOTS; i++)
        free(rollup->slots[i]);
    memset(rollup, 0, sizeof(*rollup));
}

void log_rollup_free(log_rollup *rollup)
{
    if (rollup)
        log_rollup_clear(rollup);
    free(rollup);
}

bool log_rollup_is_empty(const log_rollup *rollup)
{
    return rollup->count == 0;
}

size_t log_rollup_count(const log_rollup *rollup)
{
    return rollup->count;
}

static bool is_same(const group *a, const group *b)
{
    return a->at == b->at && a->key_id == b->key_id &&
           ob_slice_eq(a->provider, b->provider) &&
           ob_slice_eq(a->model, b->model) &&
           ob_slice_eq(a->auth_key, b->auth_key);
}

static uint64_t hash_of(const group *g)
{
    uint64_t hash = ob_slice_hash(g->provider, (uint64_t)g->at);
    hash = ob_slice_hash(g->model, hash);
    return ob_slice_hash(g->auth_key, hash ^ (uint64_t)g->key_id);
}

static char *copy_text(char *out, ob_slice from, ob_slice *to)
{
    if (from.len)
        memcpy(out, from.ptr, from.len);
    *to = ob_slice_make(out, from.len);
    return out + from.len;
}

static group *make(const group *like)
{
    group *made = calloc(1, sizeof(*made) + like->provider.len +
                                like->model.len + like->auth_key.len);
    if (!made)
        return NULL;
    made->at = like->at;
    made->key_id = like->key_id;
    char *out = copy_text(made->texts, like->provider, &made->provider);
    out = copy_text(out, like->model, &made->model);
    (void)copy_text(out, like->auth_key, &made->auth_key);
    return made;
}

static group *find(log_rollup *rollup, const group *like)
{
    size_t at = hash_of(like) % SLOTS;
    while (rollup->slots[at] && !is_same(rollup->slots[at], like))
        at = (at + 1) % SLOTS;
    if (rollup->slots[at] || rollup->count == GROUPS_MAX)
        return rollup->slots[at];
    rollup->slots[at] = make(like);
    rollup->count += rollup->slots[at] != NULL;
    return rollup->slots[at];
}

/* What a cause is called in memory, where names have no numbers yet. */
static int64_t code_of(bool verdict, bool fault, int number)
{
    return number * 4 + fault * 2 + verdict;
}

static void count_causes(log_sums *sums, const ob_entry *entry)
{
    for (size_t i = 0; i < entry->kept; i++)
        log_sums_cause(sums,
                       code_of(true, false, (int)entry->attempts[i].action), 1);
    if (!ob_entry_error(entry).len)
        return;
    bool fault = entry->fault != OB_FAULT_NONE || !entry->kept;
    int number = (int)entry->fault;
    if (fault && entry->fault == OB_FAULT_NONE)
        number = (int)ob_fault_of_status(entry->status);
    if (!fault)
        number = (int)entry->attempts[entry->kept - 1].reason;
    if (!fault && number == (int)OB_REASON_OK)
        number = (int)OB_REASON_PROVIDER_ERROR;
    log_sums_cause(sums, code_of(false, fault, number), 1);
}

static ob_slice text_of(int64_t code)
{
    int number = (int)(code / 4);
    if (code & 1)
        return ob_slice_str(ob_action_slug((ob_action)number));
    return ob_slice_str(code & 2 ? ob_fault_slug((ob_fault)number)
                                 : ob_reason_slug((ob_reason)number));
}

static int64_t or_none(int64_t number)
{
    return number > 0 ? number : 0;
}

static void count(log_sums *sums, const ob_entry *entry)
{
    int64_t *s = sums->n.sums;
    s[0]++;
    s[1] += !ob_entry_error(entry).len;
    s[2] += entry->attempt_count;
    s[3] += or_none(entry->usage.input);
    s[4] += or_none(entry->usage.output);
    s[5] += or_none(entry->usage.cached);
    s[6] += or_none(entry->usage.reasoning);
    s[7] += or_none(entry->cost);
    if (entry->first_byte_ms >= 0)
        sums->n.first_byte[log_bucket(entry->first_byte_ms)]++;
    sums->n.total[log_bucket(entry->ended_ms - entry->at_ms)]++;
    count_causes(sums, entry);
}

static bool add(log_rollup *rollup, const group *like, const ob_entry *entry)
{
    group *found = find(rollup, like);
    if (found)
        count(&found->sums, entry);
    return found != NULL;
}

/* Once by auth key and minute, once by key and hour: both together would be
 * nearly as many groups as requests. */
bool log_rollup_add(log_rollup *rollup, log_file *file, const ob_entry *entry)
{
    const ob_entry_attempt *last =
        entry->kept ? &entry->attempts[entry->kept - 1] : NULL;
    if (rollup->count + 2 > GROUPS_MAX)
        return false;
    group like = {.at = entry->ended_ms / 60000 * 60,
                  .provider = entry->provider,
                  .model = entry->model,
                  .auth_key = entry->auth_key};
    if (!like.model.len && last && log_name_is_kept(file, last->model))
        like.model = last->model;
    bool added = add(rollup, &like, entry);
    if (!added || !last)
        return added;
    like.at = like.at / 3600 * 3600;
    like.key_id = last->key_id;
    like.auth_key = (ob_slice){NULL, 0};
    return add(rollup, &like, entry);
}

/* ---- into the file ---- */

static int put_row(log_file *file, const int64_t place[6], const log_sums *sums)
{
    sqlite3_stmt *s = log_take(file, LOG_SQL_ROLLUP_PUT);
    blob blobs[3];
    put_counts(&blobs[0], sums->n.first_byte);
    put_counts(&blobs[1], sums->n.total);
    put_causes(&blobs[2], sums);
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(s, 1 + i, place[i]);
    for (int i = 0; i < SUMS; i++)
        sqlite3_bind_int64(s, 7 + i, sums->n.sums[i]);
    for (int i = 0; i < 3; i++)
        sqlite3_bind_blob64(s, 7 + SUMS + i, blobs[i].bytes, blobs[i].len,
                            SQLITE_STATIC);
    return log_run(s);
}

static bool is_full(const log_file *file, size_t which)
{
    return file->rollups[which] >= log_rollups_max(file);
}

static int add_to(log_file *file, size_t which, const int64_t place[6],
                  const log_sums *sums);

/* Where there are too many to tell them apart, what is new is summed up by
 * provider alone. */
static int add_to_rest(log_file *file, size_t which, const int64_t place[6],
                       const log_sums *sums)
{
    const int64_t rest[6] = {place[0], place[1], place[2], 0, 0, 0};
    return add_to(file, which, rest, sums);
}

/* Adds to what is there. */
static int add_to(log_file *file, size_t which, const int64_t place[6],
                  const log_sums *sums)
{
    sqlite3_stmt *s = log_take(file, LOG_SQL_ROLLUP_FIND);
    log_sums all = *sums;
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(s, 1 + i, place[i]);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        log_sums_read(s, 0, &all);
    int reset = sqlite3_reset(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return reset;
    if (rc == SQLITE_DONE && (place[3] || place[4] || place[5]) &&
        is_full(file, which))
        return add_to_rest(file, which, place, sums);
    file->rollups[which] += rc == SQLITE_DONE;
    return put_row(file, place, &all);
}

static int save_group(log_file *file, const group *g)
{
    log_sums sums = g->sums;
    for (size_t i = 0; i < sums.cause_count; i++) {
        int64_t code = sums.causes[i].name;
        sums.causes[i].name =
            log_name(file, text_of(code), true) * 2 + (code & 1);
    }
    int64_t place[6] = {0,
                        0,
                        log_name(file, g->provider, true),
                        log_name(file, g->model, true),
                        g->key_id,
                        log_name(file, g->auth_key, true)};
    int rc = SQLITE_OK;
    for (size_t i = 0; !rc && i < LOG_SPANS; i++) {
        int64_t by_key = log_spans[i] & 1;
        int64_t span_s = log_spans[i] - by_key;
        if (by_key != (g->key_id != 0))
            continue;
        place[0] = log_spans[i];
        place[1] = g->at / span_s * span_s;
        rc = add_to(file, i, place, &sums);
    }
    return rc;
}

int log_rollup_save(log_rollup *rollup, log_file *file, size_t max)
{
    int rc = SQLITE_OK;
    size_t at = rollup->from;
    for (; !rc && max && at < SLOTS; at++) {
        if (!rollup->slots[at])
            continue;
        rc = save_group(file, rollup->slots[at]);
        max--;
    }
    rollup->to = at;
    return rc;
}

/* Holes may make a group that is there be missed, and made twice: both are
 * added up in the file. */
void log_rollup_saved(log_rollup *rollup)
{
    for (size_t at = rollup->from; at < rollup->to; at++) {
        rollup->count -= rollup->slots[at] != NULL;
        free(rollup->slots[at]);
        rollup->slots[at] = NULL;
    }
    rollup->from = rollup->to < SLOTS ? rollup->to : 0;
}
