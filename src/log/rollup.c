/*
 * rollup.c - sums by minute, hour and day, that outlive the rows.
 *
 * Collected in memory and added to the file every second or so, in the order in
 * which they lie there: reading and writing three rows for each request would
 * cost more than the request's own.
 * Names that any caller can make up (models that nobody has answered for) have
 * no sums of their own.
 */
#include "inside.h"

const int64_t log_spans[LOG_SPANS] = {60,    3600, 86400, 3601, 3602,
                                      86402, 63,   3603,  86403};

/* Of some 200 bytes each. */
#define GROUPS_MAX 65536
#define SLOTS      (2 * GROUPS_MAX)
/* With so many requests a group is worth 1,300 bytes more, so many may have. */
#define OFTEN    4
#define OPEN_MAX 4096

/* A text that stands for all of them. */
static const ob_slice all_texts = {"*", 0};

/* What is summed up together. */
typedef struct subject {
    log_shape shape;
    int64_t at;        /* the minute, unix seconds; by key: the hour */
    int64_t key_id;    /* LOG_ALL: of all keys */
    ob_slice provider; /* in the group's `texts`, or `all_texts` */
    ob_slice model;
    ob_slice auth_key;
} subject;

typedef struct group {
    subject of;
    log_sums *open; /* of one that is used often; else NULL, and */
    char *sums;     /* as a blob; causes by their codes, see sums.c */
    size_t len;
    size_t room;
    char texts[];
} group;

struct log_rollup {
    group *slots[SLOTS];
    group *order[GROUPS_MAX]; /* as they are saved */
    size_t end;               /* of them */
    size_t opened;            /* have `open` */
    size_t sorted;            /* those beyond it came later */
    size_t from;              /* the next one that is to be saved */
    size_t to; /* up to there they are saved, but not committed */
};

/* ---- blobs: numbers, seven bits a byte: the sums; for each histogram pairs of
 * a bucket, counted from one, and what is in it, then a 0; pairs of causes ----
 */

typedef struct blob {
    char bytes[SUMS * 10 + 2 * (2 + HIST_BUCKETS * 7) + CAUSES_MAX * 20];
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

/* Most buckets are empty: so many are passed over at once. */
#define STRIDE 8
_Static_assert(HIST_BUCKETS % STRIDE == 0, "nothing is left");

static void put_counts(blob *out, const uint32_t counts[HIST_BUCKETS])
{
    for (size_t at = 0; at < HIST_BUCKETS; at += STRIDE) {
        uint32_t any = 0;
        for (size_t i = at; i < at + STRIDE; i++)
            any |= counts[i];
        for (size_t i = at; any && i < at + STRIDE; i++) {
            if (!counts[i])
                continue;
            put(out, i + 1);
            put(out, counts[i]);
        }
    }
    put(out, 0);
}

static bool take_counts(ob_slice *bytes, uint32_t counts[HIST_BUCKETS])
{
    uint64_t bucket, count;
    while (take(bytes, &bucket) && bucket) {
        if (!take(bytes, &count))
            return false;
        if (bucket <= HIST_BUCKETS)
            counts[bucket - 1] += (uint32_t)count;
    }
    return true;
}

static void put_sums(blob *out, const log_sums *sums)
{
    out->len = 0;
    for (size_t i = 0; i < SUMS; i++)
        put(out, (uint64_t)sums->n.sums[i]);
    put_counts(out, sums->n.first_byte);
    put_counts(out, sums->n.total);
    for (size_t i = 0; i < sums->cause_count; i++) {
        put(out, (uint64_t)sums->causes[i].name);
        put(out, (uint64_t)sums->causes[i].count);
    }
}

void log_sums_read(ob_slice packed, log_numbers *numbers, log_sums *causes)
{
    uint64_t name, count;
    for (size_t i = 0; i < SUMS && take(&packed, &count); i++)
        numbers->sums[i] += (int64_t)count;
    if (!take_counts(&packed, numbers->first_byte) ||
        !take_counts(&packed, numbers->total))
        return;
    while (take(&packed, &name) && take(&packed, &count))
        log_sums_cause(causes, (int64_t)name, (int64_t)count);
}

/* ---- in memory ---- */

log_rollup *log_rollup_new(void)
{
    return calloc(1, sizeof(log_rollup));
}

static void free_group(group *g)
{
    free(g->open);
    free(g->sums);
    free(g);
}

void log_rollup_clear(log_rollup *rollup)
{
    for (size_t i = rollup->from; i < rollup->end; i++)
        free_group(rollup->order[i]);
    memset(rollup, 0, sizeof(*rollup));
}

void log_rollup_free(log_rollup *rollup)
{
    if (rollup)
        log_rollup_clear(rollup);
    free(rollup);
}

size_t log_rollup_count(const log_rollup *rollup)
{
    return rollup->end - rollup->from;
}

bool log_rollup_is_empty(const log_rollup *rollup)
{
    return log_rollup_count(rollup) == 0;
}

static bool is_all(ob_slice text)
{
    return text.ptr == all_texts.ptr;
}

static int compare_texts(ob_slice a, ob_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    if (order || a.len != b.len)
        return order ? order : a.len < b.len ? -1 : 1;
    return is_all(b) - is_all(a);
}

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Roughly as they lie in the file, but for the time: an hour's minutes stand
 * side by side. */
static int compare(const subject *a, const subject *b)
{
    int order = compare_numbers((int64_t)a->shape, (int64_t)b->shape);
    if (!order)
        order = compare_texts(a->provider, b->provider);
    if (!order)
        order = compare_texts(a->model, b->model);
    if (!order)
        order = compare_numbers(a->key_id, b->key_id);
    if (!order)
        order = compare_texts(a->auth_key, b->auth_key);
    return order ? order : compare_numbers(a->at, b->at);
}

static bool is_same(const subject *a, const subject *b)
{
    return a->at == b->at && a->key_id == b->key_id && a->shape == b->shape &&
           compare(a, b) == 0;
}

static int in_order(const void *a, const void *b)
{
    return compare(&(*(group *const *)a)->of, &(*(group *const *)b)->of);
}

static uint64_t hash_of(const subject *g)
{
    uint64_t hash = ob_slice_hash(g->provider, (uint64_t)g->at ^ g->shape);
    hash = ob_slice_hash(g->model, hash);
    return ob_slice_hash(g->auth_key, hash ^ (uint64_t)g->key_id);
}

static char *copy_text(char *out, ob_slice from, ob_slice *to)
{
    if (is_all(from)) {
        *to = all_texts;
        return out;
    }
    if (from.len)
        memcpy(out, from.ptr, from.len);
    *to = ob_slice_make(out, from.len);
    return out + from.len;
}

static group *make(const subject *of)
{
    group *made = calloc(1, sizeof(*made) + of->provider.len + of->model.len +
                                of->auth_key.len);
    if (!made)
        return NULL;
    made->of = *of;
    char *out = copy_text(made->texts, of->provider, &made->of.provider);
    out = copy_text(out, of->model, &made->of.model);
    (void)copy_text(out, of->auth_key, &made->of.auth_key);
    return made;
}

static group *find(log_rollup *rollup, const subject *of)
{
    size_t at = hash_of(of) % SLOTS;
    while (rollup->slots[at] && !is_same(&rollup->slots[at]->of, of))
        at = (at + 1) % SLOTS;
    if (rollup->slots[at] || rollup->end == GROUPS_MAX)
        return rollup->slots[at];
    group *made = make(of);
    if (made)
        rollup->order[rollup->end++] = made;
    return rollup->slots[at] = made;
}

static bool keep(group *g, const blob *packed)
{
    if (packed->len > g->room) {
        size_t room = g->room ? packed->len + 32 : packed->len;
        char *grown = realloc(g->sums, room);
        if (!grown)
            return false;
        g->sums = grown;
        g->room = room;
    }
    memcpy(g->sums, packed->bytes, packed->len);
    g->len = packed->len;
    return true;
}

static bool keep_open(log_rollup *rollup, group *g, const log_sums *sums)
{
    if (rollup->opened == OPEN_MAX || !(g->open = malloc(sizeof(*g->open))))
        return false;
    *g->open = *sums;
    rollup->opened++;
    return true;
}

static bool add(log_rollup *rollup, const subject *of, const ob_entry *entry)
{
    group *found = find(rollup, of);
    log_sums sums = {.cause_count = 0};
    blob packed;
    if (!found)
        return false;
    if (found->open) {
        log_sums_count(found->open, entry);
        return true;
    }
    log_sums_read(ob_slice_make(found->sums, found->len), &sums.n, &sums);
    log_sums_count(&sums, entry);
    if (sums.n.sums[0] >= OFTEN && keep_open(rollup, found, &sums))
        return true;
    put_sums(&packed, &sums);
    return keep(found, &packed);
}

/* Once by auth key and minute, once by key and hour: both together would be
 * nearly as many groups as requests. And by each alone, which is what is asked
 * most and few enough for long times. */
static size_t subjects_of(const ob_entry *entry, ob_slice model, subject out[6])
{
    int64_t minute = entry->ended_ms / 60000 * 60;
    int64_t hour = minute / 3600 * 3600;
    ob_slice provider = entry->provider;
    out[0] =
        (subject){LOG_BY_AUTH_KEY, minute, 0, provider, model, entry->auth_key};
    out[1] =
        (subject){LOG_BY_ONE, minute, LOG_ALL, provider, all_texts, all_texts};
    out[2] =
        (subject){LOG_BY_ONE, minute, LOG_ALL, all_texts, model, all_texts};
    out[3] = (subject){LOG_BY_ONE, minute,    LOG_ALL,
                       all_texts,  all_texts, entry->auth_key};
    if (!entry->kept)
        return 4;
    int64_t key_id = entry->attempts[entry->kept - 1].key_id;
    out[4] = (subject){LOG_BY_KEY, hour, key_id, provider, model, {NULL, 0}};
    out[5] = (subject){LOG_BY_KEY_ALONE, hour,      key_id,
                       provider,         all_texts, all_texts};
    return 6;
}

bool log_rollup_add(log_rollup *rollup, log_file *file, const ob_entry *entry)
{
    const ob_entry_attempt *last =
        entry->kept ? &entry->attempts[entry->kept - 1] : NULL;
    subject subjects[6];
    ob_slice model = entry->model;
    if (rollup->end + OB_LEN(subjects) > GROUPS_MAX)
        return false;
    if (!model.len && last && log_name_is_kept(file, last->model))
        model = last->model;
    size_t count = subjects_of(entry, model, subjects);
    bool added = true;
    for (size_t i = 0; i < count; i++)
        added = add(rollup, &subjects[i], entry) && added;
    return added;
}

/* ---- into the file ---- */

static int put_row(log_file *file, log_sql sql, const int64_t place[6],
                   const log_sums *sums)
{
    sqlite3_stmt *s = log_take(file, sql);
    blob packed;
    put_sums(&packed, sums);
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(s, 1 + i, place[i]);
    sqlite3_bind_int64(s, 7, sums->n.sums[0]);
    sqlite3_bind_blob64(s, 8, packed.bytes, packed.len, SQLITE_STATIC);
    return log_run(s);
}

static bool is_full(const log_file *file, size_t which)
{
    return file->rollups[which] >= log_rollups_max(file);
}

/* Where there are too many to tell them apart, what is new is summed up by
 * provider alone. False: it is that already. */
static bool rest_of(const int64_t place[6], int64_t rest[6])
{
    bool other = false;
    for (size_t i = 0; i < 6; i++) {
        bool named = i > 2 && place[i] > 0;
        rest[i] = named ? 0 : place[i];
        other = other || named;
    }
    return other;
}

static int add_new(log_file *file, size_t which, const int64_t place[6],
                   const log_sums *sums, bool *added)
{
    int rc = put_row(file, LOG_SQL_ROLLUP_ADD, place, sums);
    *added = !rc && sqlite3_changes(file->db) > 0;
    file->rollups[which] += *added;
    return rc;
}

static int add_to_old(log_file *file, const int64_t place[6],
                      const log_sums *sums, bool *found)
{
    sqlite3_stmt *s = log_take(file, LOG_SQL_ROLLUP_FIND);
    log_sums sum = *sums;
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(s, 1 + i, place[i]);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found)
        log_sums_read(log_column(s, 0), &sum.n, &sum);
    int reset = sqlite3_reset(s);
    if (*found)
        return put_row(file, LOG_SQL_ROLLUP_CHANGE, place, &sum);
    return rc == SQLITE_DONE ? SQLITE_OK : reset;
}

/* A minute's are mostly new, those of longer spans mostly there. */
static int add_to(log_file *file, size_t which, const int64_t place[6],
                  const log_sums *sums)
{
    int64_t rest[6];
    bool done = false;
    int rc = SQLITE_OK;
    bool fits = !is_full(file, which) || !rest_of(place, rest);
    if (fits && log_spans[which] == 60)
        rc = add_new(file, which, place, sums, &done);
    if (!rc && !done)
        rc = add_to_old(file, place, sums, &done);
    if (rc || done)
        return rc;
    return fits ? add_new(file, which, place, sums, &done)
                : add_to(file, which, rest, sums);
}

/* ---- what follows on one another, as one ---- */

typedef struct carry {
    int64_t place[6];
    log_sums sums;
} carry;

static int put_down(log_file *file, size_t which, carry *c)
{
    if (!c->place[0])
        return SQLITE_OK;
    int rc = add_to(file, which, c->place, &c->sums);
    c->place[0] = 0;
    return rc;
}

static int take_along(log_file *file, size_t which, carry *c,
                      const int64_t place[6], const log_sums *sums)
{
    if (memcmp(c->place, place, sizeof(c->place)) == 0) {
        log_sums_add(&c->sums, sums);
        return SQLITE_OK;
    }
    int rc = put_down(file, which, c);
    memcpy(c->place, place, sizeof(c->place));
    c->sums = *sums;
    return rc;
}

static int64_t name_of(log_file *file, ob_slice text)
{
    return is_all(text) ? LOG_ALL : log_name(file, text, true);
}

static int save_group(log_file *file, const group *g, carry carries[LOG_SPANS])
{
    log_sums sums = {.cause_count = 0};
    if (g->open)
        sums = *g->open;
    else
        log_sums_read(ob_slice_make(g->sums, g->len), &sums.n, &sums);
    for (size_t i = 0; i < sums.cause_count; i++) {
        int64_t code = sums.causes[i].name;
        sums.causes[i].name = log_name(file, log_cause_text(code), true) * 2 +
                              log_cause_is_verdict(code);
    }
    int64_t place[6] = {0,
                        0,
                        name_of(file, g->of.provider),
                        name_of(file, g->of.model),
                        g->of.key_id,
                        name_of(file, g->of.auth_key)};
    int rc = SQLITE_OK;
    for (size_t i = 0; !rc && i < LOG_SPANS; i++) {
        int64_t span_s = log_spans[i] - (int64_t)g->of.shape;
        if (log_spans[i] % LOG_SHAPES != (int64_t)g->of.shape)
            continue;
        place[0] = log_spans[i];
        place[1] = g->of.at / span_s * span_s;
        rc = take_along(file, i, &carries[i], place, &sums);
    }
    return rc;
}

int log_rollup_save(log_rollup *rollup, log_file *file, size_t max)
{
    carry carries[LOG_SPANS] = {{{0}, {.cause_count = 0}}};
    int rc = SQLITE_OK;
    if (!rollup->from) {
        rollup->sorted = rollup->end;
        qsort(rollup->order, rollup->end, sizeof(rollup->order[0]), in_order);
    }
    size_t at = rollup->from;
    for (; !rc && max && at < rollup->sorted; at++, max--)
        rc = save_group(file, rollup->order[at], carries);
    for (size_t i = 0; !rc && i < LOG_SPANS; i++)
        rc = put_down(file, i, &carries[i]);
    rollup->to = at;
    return rc;
}

/* Holes may make a group that is there be missed, and made twice: both are
 * added up in the file. */
static void remove_group(log_rollup *rollup, group *g)
{
    size_t at = hash_of(&g->of) % SLOTS;
    for (size_t i = 0; i < SLOTS && rollup->slots[at] != g; i++)
        at = (at + 1) % SLOTS;
    rollup->slots[at] = NULL;
    rollup->opened -= g->open != NULL;
    free_group(g);
}

void log_rollup_saved(log_rollup *rollup)
{
    for (; rollup->from < rollup->to; rollup->from++)
        remove_group(rollup, rollup->order[rollup->from]);
    if (rollup->from < rollup->sorted)
        return;
    size_t later = rollup->end - rollup->sorted;
    memmove(rollup->order, rollup->order + rollup->sorted,
            later * sizeof(rollup->order[0]));
    rollup->end = later;
    rollup->sorted = rollup->from = rollup->to = 0;
}
