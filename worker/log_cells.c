/*
 * log_cells.c - sums by what is summed up together, in memory and as text.
 *
 *   {"names": ["openai", "gpt-5", …],
 *    "cells": [[at, provider, model, auth key, key id, [requests, ok, attempts,
 *               tokens in, out, cached, reasoning, cost],
 *               [bucket, count, …] of the first byte, the same of all of it,
 *               [cause, count, …]], …]}
 *
 * Provider, model and auth key are numbers of names, from 1; 0 is none, and all
 * where a kind does not tell them apart. A cause is twice its name's number,
 * and 1 for a verdict.
 */
#include "log_inside.h"

/* EDGE_CELLS_READ_MAX of them add up in their type. */
#define NUMBER_MAX (INT64_C(1) << 46)
#define TIME_MAX   (INT64_C(1) << 40)

void edge_cells_init(edge_cells *cells, size_t count_max)
{
    *cells = (edge_cells){.count_max = count_max};
    edge_names_init(&cells->names);
}

void edge_cells_deinit(edge_cells *cells)
{
    for (size_t i = 0; i < cells->count; i++)
        free(cells->cells[i]);
    free(cells->cells);
    free(cells->slots);
    edge_names_deinit(&cells->names);
}

/* ---- in memory ---- */

static uint64_t hash_of(const edge_place *place)
{
    const int64_t parts[] = {place->span,  place->at,       place->provider,
                             place->model, place->auth_key, place->key_id,
                             place->kind};
    return ob_slice_hash(ob_slice_make((const char *)parts, sizeof(parts)), 0);
}

static bool is_same(const edge_place *a, const edge_place *b)
{
    return a->at == b->at && a->provider == b->provider &&
           a->model == b->model && a->auth_key == b->auth_key &&
           a->key_id == b->key_id && a->kind == b->kind && a->span == b->span;
}

static size_t slot_of(const edge_cells *cells, const edge_place *place)
{
    size_t at = hash_of(place) & (cells->slot_count - 1);
    while (cells->slots[at] &&
           !is_same(&cells->cells[cells->slots[at] - 1]->place, place))
        at = (at + 1) & (cells->slot_count - 1);
    return at;
}

static bool make_room(edge_cells *cells)
{
    if (2 * (cells->count + 1) <= cells->slot_count)
        return true;
    size_t slot_count = cells->slot_count ? 2 * cells->slot_count : 64;
    edge_cell **grown =
        realloc(cells->cells, slot_count / 2 * sizeof(*cells->cells));
    if (!grown)
        return false;
    cells->cells = grown;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return false;
    free(cells->slots);
    cells->slots = slots;
    cells->slot_count = slot_count;
    for (size_t i = 0; i < cells->count; i++)
        slots[slot_of(cells, &grown[i]->place)] = (uint32_t)(i + 1);
    return true;
}

/* What is new where there are too many. */
static edge_place rest_of(const edge_place *place)
{
    edge_place rest = *place;
    rest.model = rest.auth_key = rest.key_id = 0;
    return rest;
}

log_sums *edge_cells_at(edge_cells *cells, const edge_place *place)
{
    if (!make_room(cells))
        return NULL;
    size_t at = slot_of(cells, place);
    edge_place rest = rest_of(place);
    if (!cells->slots[at] && cells->count >= cells->count_max) {
        place = &rest;
        at = slot_of(cells, place);
    }
    if (cells->slots[at])
        return &cells->cells[cells->slots[at] - 1]->sums;
    edge_cell *made = calloc(1, sizeof(*made));
    if (!made || cells->count >= EDGE_CELLS_MAX) {
        free(made);
        return NULL;
    }
    made->place = *place;
    cells->cells[cells->count++] = made;
    cells->slots[at] = (uint32_t)cells->count;
    return &made->sums;
}

bool edge_cells_has(const edge_cells *cells, const edge_place *place)
{
    return cells->slot_count && cells->slots[slot_of(cells, place)];
}

bool edge_cells_count(edge_cells *cells, const ob_entry *entry, ob_slice model)
{
    edge_names *names = &cells->names;
    log_sums one = {.cause_count = 0};
    const edge_place place = {
        .kind = EDGE_SUMS_ALL,
        .span = 60,
        .at = entry->ended_ms / 60000 * 60,
        .provider = edge_name(names, entry->provider),
        .model = edge_name(names, model),
        .auth_key = edge_name(names, entry->auth_key),
        .key_id = entry->kept ? entry->attempts[entry->kept - 1].key_id : 0};
    log_sums *sums = edge_cells_at(cells, &place);
    if (!sums)
        return false;
    log_sums_count(&one, entry);
    for (size_t i = 0; i < one.cause_count; i++) {
        log_cause *cause = &one.causes[i];
        cause->name = edge_name(names, log_cause_text(cause->name)) * 2 +
                      log_cause_is_verdict(cause->name);
    }
    log_sums_add(sums, &one);
    return true;
}

/* ---- writing ---- */

static void put_pair(ob_json *json, int64_t first, int64_t second)
{
    ob_json_i64(json, first);
    ob_json_i64(json, second);
}

static void put_counts(ob_json *json, const uint32_t counts[HIST_BUCKETS])
{
    ob_json_open(json, '[');
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        if (counts[i])
            put_pair(json, (int64_t)i, counts[i]);
    ob_json_close(json, ']');
}

/* A name's number among those that are written. */
static int64_t moved(const edge_cells *cells, int64_t name, edge_names *to)
{
    return edge_name(to, edge_name_text(&cells->names, name));
}

static void put_cell(const edge_cells *cells, const edge_cell *cell,
                     edge_names *names, ob_json *json)
{
    const edge_place *place = &cell->place;
    const log_sums *sums = &cell->sums;
    ob_json_open(json, '[');
    ob_json_i64(json, place->at);
    ob_json_i64(json, moved(cells, place->provider, names));
    ob_json_i64(json, moved(cells, place->model, names));
    ob_json_i64(json, moved(cells, place->auth_key, names));
    ob_json_i64(json, place->key_id);
    ob_json_open(json, '[');
    for (size_t i = 0; i < SUMS; i++)
        ob_json_i64(json, sums->n.sums[i] < NUMBER_MAX ? sums->n.sums[i]
                                                       : NUMBER_MAX);
    ob_json_close(json, ']');
    put_counts(json, sums->n.first_byte);
    put_counts(json, sums->n.total);
    ob_json_open(json, '[');
    for (size_t i = 0; i < sums->cause_count; i++) {
        int64_t name = sums->causes[i].name;
        put_pair(json, moved(cells, name / 2, names) * 2 + name % 2,
                 sums->causes[i].count);
    }
    ob_json_close(json, ']');
    ob_json_close(json, ']');
}

void edge_cells_write(const edge_cells *cells, edge_kind_of_sums kind,
                      int64_t span, int64_t at, ob_buffer *out)
{
    ob_buffer text = {0};
    edge_names names;
    ob_json json = {.out = &text};
    edge_names_init(&names);
    for (size_t i = 0; i < cells->count; i++) {
        const edge_place *place = &cells->cells[i]->place;
        if (place->kind == kind && place->span == span &&
            (place->at == at || kind == EDGE_SUMS_ALL))
            put_cell(cells, cells->cells[i], &names, &json);
    }
    ob_buffer_append_str(out, "{\"names\":");
    edge_names_write(&names, out);
    ob_buffer_append_str(out, ",\"cells\":[");
    ob_buffer_append(out, ob_buffer_slice(&text));
    ob_buffer_append_str(out, "]}\n");
    out->failed = out->failed || text.failed;
    edge_names_deinit(&names);
    ob_buffer_deinit(&text);
}

/* ---- reading ---- */

static bool get_number(yyjson_val *value, int64_t max, int64_t *number)
{
    uint64_t read = yyjson_get_uint(value);
    *number = (int64_t)read;
    return yyjson_is_uint(value) && read <= (uint64_t)max;
}

/* Pairs of numbers; `first_max` is that of the first of each. */
static bool get_pair(yyjson_arr_iter *pairs, int64_t first_max, int64_t *first,
                     int64_t *second)
{
    return get_number(yyjson_arr_iter_next(pairs), first_max, first) &&
           get_number(yyjson_arr_iter_next(pairs), NUMBER_MAX, second);
}

static bool get_counts(yyjson_val *value, uint32_t counts[HIST_BUCKETS])
{
    int64_t bucket, count;
    yyjson_arr_iter pairs = yyjson_arr_iter_with(value);
    while (yyjson_arr_iter_has_next(&pairs)) {
        if (!get_pair(&pairs, HIST_BUCKETS - 1, &bucket, &count) ||
            count > UINT32_MAX)
            return false;
        counts[bucket] += (uint32_t)count;
    }
    return yyjson_is_arr(value);
}

typedef struct line {
    const int64_t *moved; /* of its names, from 1 */
    size_t count;
    edge_kind_of_sums kind;
    int64_t span;
} line;

static bool get_name(const line *from, yyjson_val *value, int64_t *name)
{
    if (!get_number(value, (int64_t)from->count, name))
        return false;
    *name = from->moved[*name];
    return true;
}

static bool get_causes(const line *from, yyjson_val *value, log_sums *sums)
{
    int64_t name, count;
    yyjson_arr_iter pairs = yyjson_arr_iter_with(value);
    while (yyjson_arr_iter_has_next(&pairs)) {
        if (!get_pair(&pairs, 2 * (int64_t)from->count + 1, &name, &count))
            return false;
        log_sums_cause(sums, from->moved[name / 2] * 2 + name % 2, count);
    }
    return yyjson_is_arr(value);
}

static bool get_sums(yyjson_val *value, int64_t sums[SUMS])
{
    yyjson_arr_iter numbers = yyjson_arr_iter_with(value);
    for (size_t i = 0; i < SUMS; i++)
        if (!get_number(yyjson_arr_iter_next(&numbers), NUMBER_MAX, &sums[i]))
            return false;
    return true;
}

static bool get_cell(const line *from, yyjson_val *value, edge_cell *cell)
{
    edge_place *place = &cell->place;
    yyjson_arr_iter parts = yyjson_arr_iter_with(value);
    memset(cell, 0, sizeof(*cell));
    place->kind = from->kind;
    place->span = from->span;
    return get_number(yyjson_arr_iter_next(&parts), TIME_MAX, &place->at) &&
           get_name(from, yyjson_arr_iter_next(&parts), &place->provider) &&
           get_name(from, yyjson_arr_iter_next(&parts), &place->model) &&
           get_name(from, yyjson_arr_iter_next(&parts), &place->auth_key) &&
           get_number(yyjson_arr_iter_next(&parts), INT64_MAX,
                      &place->key_id) &&
           get_sums(yyjson_arr_iter_next(&parts), cell->sums.n.sums) &&
           get_counts(yyjson_arr_iter_next(&parts), cell->sums.n.first_byte) &&
           get_counts(yyjson_arr_iter_next(&parts), cell->sums.n.total) &&
           get_causes(from, yyjson_arr_iter_next(&parts), &cell->sums);
}

/* Numbers of `names` for those of the line; NULL: memory is out, or it has no
 * names. */
static int64_t *read_names(yyjson_val *list, edge_names *names)
{
    size_t count = yyjson_arr_size(list);
    int64_t *moved = calloc(count + 1, sizeof(*moved));
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (size_t i = 1; moved && i <= count; i++)
        moved[i] = edge_name(names, ob_json_text(yyjson_arr_iter_next(&iter)));
    return moved;
}

static bool read_line(ob_slice text, line from, edge_names *names,
                      edge_take_cell take, void *context)
{
    bool goes_on = true;
    edge_cell cell;
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *list = ob_json_get(root, "names");
    yyjson_arr_iter cells = yyjson_arr_iter_with(ob_json_get(root, "cells"));
    int64_t *moved = read_names(list, names);
    from.moved = moved;
    from.count = yyjson_arr_size(list);
    while (goes_on && moved && yyjson_arr_iter_has_next(&cells))
        goes_on = get_cell(&from, yyjson_arr_iter_next(&cells), &cell)
                      ? take(context, &cell)
                      : goes_on;
    free(moved);
    yyjson_doc_free(doc);
    return goes_on;
}

void edge_cells_read(ob_slice text, edge_kind_of_sums kind, int64_t span,
                     edge_names *names, edge_take_cell take, void *context)
{
    const line from = {.kind = kind, .span = span};
    bool goes_on = true;
    while (goes_on && text.len)
        goes_on =
            read_line(ob_slice_cut(&text, '\n'), from, names, take, context);
}
