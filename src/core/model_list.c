#include "model_list.h"

#include <yyjson.h>

#include "pool.h"
#include "uri.h"

/* How a provider's list is cut into pages; the names are those of its query. */
typedef struct paging {
    ob_slice size;
    ob_slice cursor;
    uint64_t size_max;
} paging;

/* From the API references: Anthropic "List Models", Google "models.list",
 * Cohere "List Models"; the last are OpenAI's lists as a rule ("limit can range
 * between 1 and 100"). */
static const paging anthropic_pages = {OB_S_INIT("limit"),
                                       OB_S_INIT("after_id"), 1000};
static const paging gemini_pages = {OB_S_INIT("pageSize"),
                                    OB_S_INIT("pageToken"), 1000};
static const paging cohere_pages = {OB_S_INIT("page_size"),
                                    OB_S_INIT("page_token"), 1000};
static const paging openai_pages = {OB_S_INIT("limit"), OB_S_INIT("after"),
                                    100};

void ob_model_list_init(ob_model_list *list)
{
    *list = (ob_model_list){0};
    ob_arena_init(&list->arena, 0);
}

void ob_model_list_deinit(ob_model_list *list)
{
    ob_arena_deinit(&list->arena);
}

/* ---- asking ---- */

bool ob_model_list_offered(const ob_provider *provider)
{
    ob_slice path = provider->probe_path;
    bool reachable = provider->has_openai ||
                     provider->dialect == OB_DIALECT_ANTHROPIC ||
                     provider->dialect == OB_DIALECT_GEMINI;
    return reachable && ob_slice_eq(provider->probe_method, OB_S("GET")) &&
           ob_slice_ends(ob_slice_head(path, ob_slice_index(path, '?')),
                         OB_S("/models")) &&
           ob_slice_index(provider->base.text, '{') == OB_NOWHERE;
}

static ob_slice probe_query(const ob_provider *provider)
{
    ob_slice path = provider->probe_path;
    return ob_slice_from(
        path, ob_slice_head(path, ob_slice_index(path, '?')).len + 1);
}

static bool query_names(ob_slice query, ob_slice name)
{
    ob_query_field field;
    while (ob_query_next(&query, &field))
        if (ob_slice_eq(field.name, name))
            return true;
    return false;
}

/* NULL: it comes whole. */
static const paging *paging_of(const ob_provider *provider)
{
    ob_slice query = probe_query(provider);
    if (provider->dialect == OB_DIALECT_ANTHROPIC)
        return &anthropic_pages;
    if (provider->dialect == OB_DIALECT_GEMINI)
        return &gemini_pages;
    if (query_names(query, cohere_pages.size))
        return &cohere_pages;
    return query_names(query, openai_pages.size) ? &openai_pages : NULL;
}

static void append_escaped(ob_buffer *out, ob_slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char others[] = "-._~";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        char lower = ob_lower((char)c);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
                     memchr(others, c, sizeof(others) - 1);
        const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        ob_buffer_append(out, plain ? ob_slice_make((const char *)&c, 1)
                                    : ob_slice_make(escape, 3));
    }
}

static void begin_field(ob_buffer *out)
{
    if (ob_buffer_slice(out).len)
        ob_buffer_append_char(out, '&');
}

void ob_model_list_query(const ob_provider *provider, ob_slice cursor,
                         ob_buffer *out)
{
    const paging *pages = paging_of(provider);
    ob_slice query = probe_query(provider);
    ob_query_field field;
    while (ob_query_next(&query, &field)) {
        if (pages && (ob_slice_eq(field.name, pages->size) ||
                      ob_slice_eq(field.name, pages->cursor)))
            continue;
        begin_field(out);
        ob_buffer_append(out, field.all);
    }
    if (!pages)
        return;
    begin_field(out);
    ob_buffer_append(out, pages->size);
    ob_buffer_append_char(out, '=');
    ob_buffer_append_u64(out, pages->size_max);
    if (!cursor.len)
        return;
    begin_field(out);
    ob_buffer_append(out, pages->cursor);
    ob_buffer_append_char(out, '=');
    append_escaped(out, cursor);
}

/* ---- reading ---- */

static ob_slice text_of(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

static ob_slice member(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_str(value) ? text_of(value) : (ob_slice){NULL, 0};
}

static bool is_model(ob_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((uint8_t)name.ptr[i] <= 0x20 || name.ptr[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= OB_MODEL_BYTES_MAX;
}

/* The entries and the member that names each. NULL: it is no list. */
static yyjson_val *entries_of(yyjson_val *root, const char **name)
{
    yyjson_val *models = yyjson_obj_get(root, "models");
    yyjson_val *data = yyjson_obj_get(root, "data");
    *name = yyjson_is_arr(models) ? "name" : "id";
    if (yyjson_is_arr(root))
        return root;
    if (yyjson_is_arr(models))
        return models;
    return yyjson_is_arr(data) ? data : NULL;
}

static ob_status make_room(ob_model_list *list, size_t more)
{
    size_t wanted = list->count + more;
    if (wanted > OB_LISTED_MODELS_MAX)
        wanted = OB_LISTED_MODELS_MAX;
    if (wanted <= list->capacity)
        return OB_OK;
    ob_slice *names = ob_arena_alloc(&list->arena, wanted * sizeof(*names));
    if (!names)
        return OB_NO_MEMORY;
    if (list->count)
        memcpy(names, list->names, list->count * sizeof(*names));
    list->names = names;
    list->capacity = wanted;
    return OB_OK;
}

static ob_status add_names(ob_model_list *list, yyjson_val *entries,
                           const char *name)
{
    size_t i, max, count = list->count;
    yyjson_val *entry;
    ob_status status = make_room(list, yyjson_arr_size(entries));
    yyjson_arr_foreach(entries, i, max, entry)
    {
        ob_slice model = member(entry, name);
        if (ob_slice_starts(model, OB_S("models/")))
            model = ob_slice_from(model, 7);
        if (status != OB_OK || count == OB_LISTED_MODELS_MAX)
            break;
        if (!is_model(model))
            continue;
        list->names[count] = ob_arena_dup(&list->arena, model);
        if (!list->names[count++].ptr)
            status = OB_NO_MEMORY;
    }
    if (status == OB_OK)
        list->count = count;
    return status;
}

/* Where the next page begins, as the page tells; empty: there is none. */
static ob_slice next_of(yyjson_val *root, yyjson_val *entries)
{
    ob_slice token = member(root, "nextPageToken");
    if (!token.len)
        token = member(root, "next_page_token");
    if (token.len || !yyjson_is_true(yyjson_obj_get(root, "has_more")))
        return token;
    token = member(root, "last_id");
    return token.len ? token : member(yyjson_arr_get_last(entries), "id");
}

static ob_status add_page(ob_model_list *list, const ob_provider *provider,
                          yyjson_val *root, ob_slice *cursor)
{
    const char *name;
    yyjson_val *entries = entries_of(root, &name);
    if (!entries)
        return OB_INVALID;
    ob_status status = add_names(list, entries, name);
    ob_slice next = next_of(root, entries);
    if (status != OB_OK || !next.len || next.len > OB_LISTED_CURSOR_BYTES ||
        list->count == OB_LISTED_MODELS_MAX || !paging_of(provider))
        return status;
    *cursor = ob_arena_dup(&list->arena, next);
    return cursor->ptr ? OB_OK : OB_NO_MEMORY;
}

ob_status ob_model_list_add(ob_model_list *list, const ob_provider *provider,
                            ob_slice body, ob_slice *cursor)
{
    *cursor = OB_S("");
    yyjson_read_err error;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.ptr, body.len, 0,
                                       NULL, &error);
    if (!doc)
        return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? OB_NO_MEMORY
                                                                 : OB_INVALID;
    ob_status status =
        add_page(list, provider, yyjson_doc_get_root(doc), cursor);
    yyjson_doc_free(doc);
    return status;
}

bool ob_model_list_has(const ob_model_list *list, ob_slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (ob_slice_eq(list->names[i], name))
            return true;
    return false;
}
