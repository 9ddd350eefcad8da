/*
 * search.c - which rows have all of what is asked for.
 *
 * A block says for each tag which of its rows have it, a bit a row; so what is
 * asked together is the bits that all have. Blocks are gone through from the
 * newest on, and those without one of the tags cost a look-up each. Rows that
 * are in no block yet are looked through, a transaction's at a time.
 */
#include "inside.h"

ob_status log_search_number(ob_log_reader *reader, const char *sql,
                            int64_t *number)
{
    sqlite3_stmt *statement;
    ob_status status = ob_log_prepare(reader, sql, &statement);
    if (status)
        return status;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        *number = sqlite3_column_int64(statement, 0);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = ob_log_failed(reader, rc);
    sqlite3_finalize(statement);
    return status;
}

/* ---- the range ---- */

/* The first row that ended at `ms` or later: ends never go back, so half of
 * what is left is passed over with each look. */
static ob_status first_since(log_search *s, int64_t ms, int64_t *id)
{
    sqlite3_stmt *statement;
    ob_status status = ob_log_prepare(
        s->reader,
        "SELECT id, ended_ms FROM requests WHERE id >= ?1 ORDER BY id LIMIT 1",
        &statement);
    int64_t low = s->low;
    int64_t high = s->high + 1;
    while (!status && low < high) {
        int64_t middle = low + (high - low) / 2;
        sqlite3_bind_int64(statement, 1, middle);
        int rc = sqlite3_step(statement);
        bool later = rc == SQLITE_DONE;
        if (rc == SQLITE_ROW) {
            later = sqlite3_column_int64(statement, 1) >= ms;
            middle = later ? middle : sqlite3_column_int64(statement, 0);
        } else if (rc != SQLITE_DONE) {
            status = ob_log_failed(s->reader, rc);
        }
        sqlite3_reset(statement);
        if (later)
            high = middle;
        else
            low = middle + 1;
    }
    sqlite3_finalize(statement);
    *id = low;
    return status;
}

static ob_status find_range(log_search *s, const ob_log_query *query)
{
    int64_t id;
    s->low = 1;
    s->high = 0;
    ob_status status =
        log_search_number(s->reader, "SELECT min(id) FROM requests", &s->low);
    if (!status)
        status = log_search_number(s->reader, "SELECT max(id) FROM requests",
                                   &s->high);
    if (!status && query->since_ms) {
        status = first_since(s, query->since_ms, &id);
        s->low = id;
    }
    if (!status && query->until_ms) {
        status = first_since(s, query->until_ms, &id);
        s->high = id - 1;
    }
    if (query->before && query->before - 1 < s->high)
        s->high = query->before - 1;
    if (query->after && query->after + 1 > s->low)
        s->low = query->after + 1;
    return status;
}

ob_status log_search_begin(log_search *s, ob_log_reader *reader,
                           const ob_log_query *query, const ob_tags *tags)
{
    *s = (log_search){.reader = reader, .first = 1, .last = 0};
    for (; s->count < tags->count && s->count < OB_TAGS_ASKED_MAX; s->count++)
        s->tags[s->count] = tags->tags[s->count];
    ob_status status = find_range(s, query);
    if (!status)
        status = log_search_number(
            reader, "SELECT last FROM blocks ORDER BY first DESC LIMIT 1",
            &s->blocks_end);
    if (!status)
        status = ob_log_prepare(reader,
                                "SELECT first, last FROM blocks WHERE first <= "
                                "?1 ORDER BY first DESC LIMIT 1",
                                &s->block);
    if (!status)
        status = ob_log_prepare(
            reader, "SELECT ids FROM tags WHERE block = ?1 AND tag = ?2",
            &s->ids);
    if (!status)
        status = ob_log_prepare(reader,
                                "SELECT first, last, tags FROM recent WHERE "
                                "last >= ?1 ORDER BY last LIMIT 1",
                                &s->recent);
    return status;
}

void log_search_end(log_search *s)
{
    sqlite3_finalize(s->block);
    sqlite3_finalize(s->ids);
    sqlite3_finalize(s->recent);
}

/* ---- the rows of a block ---- */

/* *any: are there rows left? */
static ob_status narrow(log_search *s, int64_t tag, bool *any)
{
    log_bits having = {{0}};
    uint64_t left = 0;
    sqlite3_bind_int64(s->ids, 1, s->first);
    sqlite3_bind_int64(s->ids, 2, tag);
    int rc = sqlite3_step(s->ids);
    if (rc == SQLITE_ROW)
        log_ids_take(log_column(s->ids, 0), &having);
    sqlite3_reset(s->ids);
    for (size_t i = 0; i < OB_LEN(having.words); i++)
        left |= s->bits.words[i] &= having.words[i];
    *any = left != 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OB_OK
                                                 : ob_log_failed(s->reader, rc);
}

static ob_status look_at_block(log_search *s, int64_t id)
{
    bool any = true;
    sqlite3_bind_int64(s->block, 1, id);
    int rc = sqlite3_step(s->block);
    s->first = s->low;
    if (rc == SQLITE_ROW) {
        s->first = sqlite3_column_int64(s->block, 0);
        s->last = sqlite3_column_int64(s->block, 1);
    }
    sqlite3_reset(s->block);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return ob_log_failed(s->reader, rc);
    bool within = rc == SQLITE_ROW && s->last >= id;
    memset(&s->bits, within ? 0xff : 0, sizeof(s->bits));
    s->last = id;
    ob_status status = OB_OK;
    for (size_t i = 0; !status && within && any && i < s->count; i++)
        status = narrow(s, s->tags[i], &any);
    return status;
}

/* ---- rows that are in none yet ---- */

static bool has(ob_slice tags, int64_t asked)
{
    while (tags.len >= OB_TAG_BYTES)
        if (log_tag_take(&tags) == asked)
            return true;
    return false;
}

static bool has_all(const log_search *s, ob_slice tags)
{
    for (size_t i = 0; i < s->count; i++)
        if (!has(tags, s->tags[i]))
            return false;
    return true;
}

static void look_through(log_search *s, ob_slice rows)
{
    ob_slice tags;
    memset(&s->bits, 0, sizeof(s->bits));
    for (size_t at = 0; at < BLOCK_ROWS && log_recent_take(&rows, &tags); at++)
        if (has_all(s, tags))
            s->bits.words[at / 64] |= UINT64_C(1) << at % 64;
}

static ob_status look_at_recent(log_search *s, int64_t id)
{
    sqlite3_bind_int64(s->recent, 1, id);
    int rc = sqlite3_step(s->recent);
    ob_slice rows = {NULL, 0};
    s->first = id;
    if (rc == SQLITE_ROW && sqlite3_column_int64(s->recent, 0) <= id) {
        s->first = sqlite3_column_int64(s->recent, 0);
        rows = log_column(s->recent, 2);
    }
    look_through(s, rows);
    s->last = id;
    sqlite3_reset(s->recent);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OB_OK
                                                 : ob_log_failed(s->reader, rc);
}

/* ---- one after the other ---- */

/* The highest at or below `offset`; -1: there is none. */
static int64_t highest(const log_bits *bits, int64_t offset)
{
    int64_t at = offset / 64;
    uint64_t word = bits->words[at] & UINT64_MAX >> (63 - offset % 64);
    while (!word && at)
        word = bits->words[--at];
    return word ? at * 64 + 63 - __builtin_clzll(word) : -1;
}

ob_status log_search_next(log_search *s, int64_t *id)
{
    while (s->count && *id >= s->low) {
        if (*id < s->first || *id > s->last) {
            ob_status status = *id > s->blocks_end ? look_at_recent(s, *id)
                                                   : look_at_block(s, *id);
            if (status)
                return status;
        }
        int64_t offset = *id - s->first;
        if (offset >= BLOCK_ROWS)
            offset = BLOCK_ROWS - 1; /* of a hole, which has no bits */
        offset = highest(&s->bits, offset);
        if (offset >= 0) {
            *id = s->first + offset;
            return OB_OK;
        }
        *id = s->first - 1;
    }
    return OB_OK;
}
