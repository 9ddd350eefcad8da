/*
 * model_list_fuzz.c - libFuzzer target: any page of a list of models. Input: a
 * byte for the dialect, then the page. It is read twice, as two pages would be.
 */
#include "../../src/core/model_list.h"

#include "../../src/core/pool.h"
#include "../../src/core/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const ob_model_list *list)
{
    OB_ASSERT(list->count <= list->capacity &&
              list->capacity <= OB_LISTED_MODELS_MAX);
    for (size_t i = 0; i < list->count; i++) {
        ob_slice name = list->names[i];
        OB_ASSERT(name.len && name.len <= OB_MODEL_BYTES_MAX);
        for (size_t k = 0; k < name.len; k++)
            OB_ASSERT((uint8_t)name.ptr[k] > 0x20 && name.ptr[k] != 0x7f);
        if (i < 16)
            OB_ASSERT(ob_model_list_has(list, name));
    }
}

/* Whatever a provider names as its next page, the query stays a query. */
static void check_query(const ob_provider *provider, ob_slice cursor)
{
    ob_buffer query = {0};
    ob_query_field field;
    size_t fields = 0;
    ob_model_list_query(provider, cursor, &query);
    ob_slice rest = ob_buffer_slice(&query);
    OB_ASSERT(!ob_uri_query_fault(rest));
    while (ob_query_next(&rest, &field))
        fields++;
    OB_ASSERT(fields == (cursor.len ? 2u : 1u));
    ob_buffer_deinit(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ob_dialect dialects[] = {
        OB_DIALECT_OPENAI, OB_DIALECT_ANTHROPIC, OB_DIALECT_GEMINI};
    if (!size)
        return 0;
    ob_provider provider = {.dialect = dialects[data[0] % OB_LEN(dialects)],
                            .probe_path = OB_S("/models?page_size=1")};
    ob_slice body = {(const char *)data + 1, size - 1}, cursor;
    if (provider.dialect != OB_DIALECT_OPENAI)
        provider.probe_path = OB_S("/models");
    ob_model_list list;
    ob_model_list_init(&list);
    ob_status status = ob_model_list_add(&list, &provider, body, &cursor);
    size_t count = list.count;
    OB_ASSERT(status == OB_OK || (status == OB_INVALID && !count));
    check_names(&list);
    OB_ASSERT(cursor.len <= OB_LISTED_CURSOR_BYTES);
    check_query(&provider, cursor);
    OB_ASSERT(ob_model_list_add(&list, &provider, body, &cursor) == status);
    OB_ASSERT(list.count == OB_LISTED_MODELS_MAX || list.count == 2 * count);
    check_names(&list);
    ob_model_list_deinit(&list);
    return 0;
}
