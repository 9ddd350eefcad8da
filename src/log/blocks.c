/*
 * blocks.c - which rows have a tag, for many rows at once.
 *
 *   rows ─ a row a transaction ─▶ recent ─ 4,096 requests, sorted ─▶ tags
 *
 * A row for each tag of each request would cost ten times what the request's
 * own row does. So tags are first written down as they come, and once there are
 * enough of them sorted and written as one row a tag: a provider that half of
 * the requests have takes 512 bytes for 4,096 of them. Readers look through the
 * recent ones.
 *
 * A block's rows lie side by side in the file: making and deleting one touches
 * few pages.
 */
#include "inside.h"

/* A block has fewer rows where they have very many tags, so that it fits into
 * the WAL. */
#define PAIRS_MAX   65536
#define BITS_BYTES  sizeof(log_bits)
#define OFFSET_BITS 12
#define OFFSET_MASK ((uint64_t)BLOCK_ROWS - 1)

_Static_assert(BLOCK_ROWS == 1 << OFFSET_BITS, "an offset has its bits");

/* ---- the recent ones ---- */

bool log_recent_take(ob_slice *recent, ob_slice *tags)
{
    if (!recent->len)
        return false;
    size_t len = (unsigned char)recent->ptr[0] * (size_t)OB_TAG_BYTES;
    *recent = ob_slice_from(*recent, 1);
    *tags = ob_slice_head(*recent, len);
    *recent = ob_slice_from(*recent, tags->len);
    return true;
}

int64_t log_tag_take(ob_slice *tags)
{
    uint64_t tag = 0;
    for (size_t k = 0; k < OB_TAG_BYTES && k < tags->len; k++)
        tag |= (uint64_t)(unsigned char)tags->ptr[k] << 8 * k;
    *tags = ob_slice_from(*tags, OB_TAG_BYTES);
    return (int64_t)tag;
}

/* ---- ids of one tag ---- */

static void set_bit(log_bits *bits, uint64_t offset)
{
    if (offset < BLOCK_ROWS)
        bits->words[offset / 64] |= UINT64_C(1) << offset % 64;
}

static void take_bits(ob_slice ids, log_bits *bits)
{
    for (size_t i = 0; i < BITS_BYTES; i++)
        bits->words[i / 8] |= (uint64_t)(unsigned char)ids.ptr[i] << i % 8 * 8;
}

void log_ids_take(ob_slice ids, log_bits *bits)
{
    uint64_t offset = 0;
    if (ids.len == BITS_BYTES) {
        take_bits(ids, bits);
        return;
    }
    for (size_t i = 0; i < ids.len; i++) {
        uint64_t distance = (unsigned char)ids.ptr[i];
        if (distance >= 0x80 && i + 1 < ids.len)
            distance = (distance & 0x7f) | (uint64_t)(unsigned char)ids.ptr[++i]
                                               << 7;
        offset += distance;
        set_bit(bits, offset);
    }
}

static size_t put_bits(const uint64_t *pairs, size_t count, char *out)
{
    memset(out, 0, BITS_BYTES);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = pairs[i] & OFFSET_MASK;
        out[offset / 8] =
            (char)((unsigned char)out[offset / 8] | 1U << offset % 8);
    }
    return BITS_BYTES;
}

/* Distances where they are shorter than a bit for each row. */
static size_t put_ids(const uint64_t *pairs, size_t count, char *out)
{
    uint64_t before = 0;
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = pairs[i] & OFFSET_MASK;
        uint64_t distance = offset - before;
        if (len + 2 >= BITS_BYTES)
            return put_bits(pairs, count, out);
        if (distance >= 0x80) {
            out[len++] = (char)(distance | 0x80);
            distance >>= 7;
        }
        out[len++] = (char)distance;
        before = offset;
    }
    return len;
}

/* ---- making one ---- */

/* Pairs of a tag and a row: the tag in the upper bits. */
typedef struct block {
    int64_t first;
    int64_t last;
    uint64_t *pairs;
    size_t count;
} block;

/* False: the block is full without this row. */
static bool add_row(block *b, int64_t id, ob_slice tags)
{
    if (id - b->first >= BLOCK_ROWS ||
        b->count + tags.len / OB_TAG_BYTES > PAIRS_MAX)
        return false;
    while (tags.len >= OB_TAG_BYTES)
        b->pairs[b->count++] = (uint64_t)log_tag_take(&tags) << OFFSET_BITS |
                               (uint64_t)(id - b->first);
    b->last = id;
    return true;
}

static int collect(log_file *file, block *b)
{
    sqlite3_stmt *recent = log_take(file, LOG_SQL_RECENT);
    bool fits = true;
    int rc = SQLITE_DONE;
    sqlite3_bind_int64(recent, 1, b->first);
    while (fits && (rc = sqlite3_step(recent)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(recent, 0);
        ob_slice rows = log_column(recent, 2);
        ob_slice tags;
        for (; fits && log_recent_take(&rows, &tags); id++)
            if (id >= b->first)
                fits = add_row(b, id, tags);
    }
    int reset = sqlite3_reset(recent);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : reset;
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static int put_tags(log_file *file, const block *b)
{
    sqlite3_stmt *statement = log_take(file, LOG_SQL_BLOCK_TAG_ADD);
    char ids[BITS_BYTES];
    size_t end;
    int rc = SQLITE_OK;
    for (size_t at = 0; !rc && at < b->count; at = end) {
        uint64_t tag = b->pairs[at] >> OFFSET_BITS;
        for (end = at; end < b->count && b->pairs[end] >> OFFSET_BITS == tag;)
            end++;
        size_t len = put_ids(b->pairs + at, end - at, ids);
        sqlite3_bind_int64(statement, 1, b->first);
        sqlite3_bind_int64(statement, 2, (int64_t)tag);
        sqlite3_bind_blob64(statement, 3, ids, len, SQLITE_STATIC);
        rc = log_run(statement);
    }
    return rc;
}

static int run_with(log_file *file, log_sql sql, int64_t first, int64_t second)
{
    sqlite3_stmt *statement = log_take(file, sql);
    sqlite3_bind_int64(statement, 1, first);
    if (second)
        sqlite3_bind_int64(statement, 2, second);
    return log_run(statement);
}

static int put_block(log_file *file, block *b)
{
    if (b->last < b->first)
        return SQLITE_OK;
    qsort(b->pairs, b->count, sizeof(*b->pairs), by_number);
    /* First, so that the block gets the pages. */
    int rc = run_with(file, LOG_SQL_RECENT_DROP, b->last, 0);
    if (!rc)
        rc = run_with(file, LOG_SQL_BLOCK_ADD, b->first, b->last);
    if (!rc)
        rc = put_tags(file, b);
    if (rc)
        return rc;
    file->blocks_end = b->last;
    file->recent_bytes = log_number(file, LOG_SQL_RECENT_BYTES, 0);
    return SQLITE_OK;
}

int log_block_make(log_file *file)
{
    int64_t first = file->blocks_end + 1;
    if (first < file->oldest_id)
        first = file->oldest_id;
    block b = {.first = first,
               .last = first - 1,
               .pairs = malloc(PAIRS_MAX * sizeof(*b.pairs))};
    if (!b.pairs)
        return SQLITE_NOMEM;
    int rc = collect(file, &b);
    if (!rc)
        rc = put_block(file, &b);
    free(b.pairs);
    return rc;
}

/* ---- what is there ---- */

void log_blocks_read(log_file *file)
{
    file->blocks_end = log_number(file, LOG_SQL_BLOCKS_END, 0);
    file->recent_bytes = log_number(file, LOG_SQL_RECENT_BYTES, 0);
}

bool log_block_is_due(const log_file *file)
{
    int64_t first = file->blocks_end + 1;
    if (first < file->oldest_id)
        first = file->oldest_id;
    return file->next_id - first >= BLOCK_ROWS ||
           file->recent_bytes >= (int64_t)PAIRS_MAX * OB_TAG_BYTES;
}

int log_blocks_drop(log_file *file, int64_t id)
{
    int rc = run_with(file, LOG_SQL_BLOCK_TAGS_DROP, id, 0);
    if (!rc)
        rc = run_with(file, LOG_SQL_BLOCKS_DROP, id, 0);
    return rc ? rc : run_with(file, LOG_SQL_RECENT_DROP, id, 0);
}
