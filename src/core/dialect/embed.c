#include "embed.h"

#include <float.h>
#include <stdlib.h>

#include "gemini.h"

/* ---- requests ---- */

static ob_status refuse(ob_form *form, const char *name, const char *text)
{
    return ob_form_refuse(form, "", ob_slice_str(name), text);
}

/* The texts of a content, one behind the other. */
static ob_status read_content(ob_embed *embed, yyjson_val *content,
                              ob_form *form)
{
    yyjson_val *parts = ob_gemini_get(content, "parts"), *part;
    ob_buffer all = {0};
    size_t i, count;
    if (yyjson_is_obj(parts))
        return refuse(form, "content.parts", " must be an array");
    yyjson_arr_foreach(parts, i, count, part)
    {
        yyjson_val *text = ob_gemini_get(part, "text");
        if (!yyjson_is_str(text)) {
            ob_buffer_deinit(&all);
            return refuse(form, "content.parts",
                          " must hold texts alone: the provider of this model "
                          "makes vectors of nothing else");
        }
        if (i)
            ob_buffer_append_char(&all, '\n');
        ob_buffer_append(&all, ob_json_text(text));
    }
    ob_text_item *item = ob_arena_alloc(form->arena, sizeof(*item));
    if (item)
        item->text = ob_arena_dup(form->arena, ob_buffer_slice(&all));
    bool failed = all.failed || !item || !item->text.ptr;
    ob_buffer_deinit(&all);
    if (failed)
        return OB_NO_MEMORY;
    item->next = embed->texts; /* turned round at the end */
    embed->texts = item;
    embed->count++;
    return i ? OB_OK : refuse(form, "content.parts", " is missing");
}

static ob_status read_dimensions(ob_embed *embed, yyjson_val *one,
                                 ob_form *form)
{
    yyjson_val *value = ob_gemini_get(one, "outputDimensionality");
    int64_t said = -1;
    if (ob_json_told(value))
        said = yyjson_is_int(value) ? yyjson_get_sint(value) : 0;
    if (ob_json_told(value) && said < 1)
        return refuse(form, "outputDimensionality",
                      " must be a positive integer");
    if (embed->count && said != embed->dimensions)
        return refuse(form, "outputDimensionality",
                      " must be the same in all requests");
    embed->dimensions = said;
    return OB_OK;
}

static void drop_others(yyjson_val *object, ob_form *form)
{
    static const char *const known[] = {"model", "content",
                                        "outputDimensionality"};
    yyjson_val *key, *value;
    size_t i, count;
    yyjson_obj_foreach(object, i, count, key, value)
    {
        bool found = !ob_json_told(value);
        for (size_t k = 0; k < OB_LEN(known); k++)
            found |= ob_gemini_named(ob_json_text(key), known[k]);
        if (!found)
            ob_form_drop(form, ob_json_text(key));
    }
}

/* The path has named the model, and what may be used was decided by that. */
static bool names_another(yyjson_val *one, ob_slice asked)
{
    ob_slice model = ob_json_text(ob_gemini_get(one, "model"));
    if (ob_slice_starts(model, OB_S("models/")))
        model = ob_slice_from(model, sizeof("models/") - 1);
    return model.len && !ob_slice_eq(model, asked);
}

static ob_status read_one(ob_embed *embed, yyjson_val *one, ob_slice asked,
                          ob_form *form)
{
    yyjson_val *content = ob_gemini_get(one, "content");
    if (!yyjson_is_obj(content))
        return refuse(form, "content", " must be an object");
    if (names_another(one, asked))
        return refuse(form, "model", " must be the one that the path names");
    drop_others(one, form);
    ob_status status = read_dimensions(embed, one, form);
    return status == OB_OK ? read_content(embed, content, form) : status;
}

static void turn_round(ob_embed *embed)
{
    ob_text_item *item = embed->texts, *turned = NULL;
    while (item) {
        ob_text_item *next = item->next;
        item->next = turned;
        turned = item;
        item = next;
    }
    embed->texts = turned;
}

static ob_status read_gemini(ob_embed *embed, yyjson_val *root, ob_slice asked,
                             ob_form *form)
{
    yyjson_val *requests = ob_gemini_get(root, "requests"), *one;
    ob_status status = OB_OK;
    size_t i, count;
    embed->batch = ob_json_told(requests);
    if (!embed->batch)
        return read_one(embed, root, asked, form);
    if (!yyjson_is_arr(requests) || !yyjson_arr_size(requests))
        return refuse(form, "requests", " must be an array that is not empty");
    yyjson_arr_foreach(requests, i, count, one)
    {
        status = read_one(embed, one, asked, form);
        if (status != OB_OK)
            break;
    }
    turn_round(embed);
    return status;
}

ob_status ob_embed_read(ob_embed *embed, yyjson_val *root, ob_slice asked,
                        ob_form *form)
{
    *embed = (ob_embed){.caller = form->from, .root = root, .dimensions = -1};
    return form->from == OB_DIALECT_GEMINI
               ? read_gemini(embed, root, asked, form)
               : OB_OK;
}

static void write_name(ob_json *json, yyjson_val *name)
{
    ob_json_string(json, ob_json_text(name));
    ob_buffer_append_char(json->out, ':');
    json->comma = false;
}

static void write_texts(ob_json *json, const ob_embed *embed)
{
    ob_json_name(json, "input");
    ob_json_open(json, '[');
    for (ob_text_item *item = embed->texts; item; item = item->next)
        ob_json_string(json, item->text);
    ob_json_close(json, ']');
    if (embed->dimensions > 0)
        ob_json_member_i64(json, "dimensions", embed->dimensions);
}

/* What a provider of its own may want beside OpenAI's members goes along. */
static void write_rest(ob_json *json, const ob_embed *embed)
{
    yyjson_val *name, *value;
    size_t i, count;
    yyjson_obj_foreach(embed->root, i, count, name, value)
    {
        if (ob_json_is(name, "model") || ob_json_is(name, "encoding_format"))
            continue;
        write_name(json, name);
        ob_json_value(json, value);
    }
}

ob_status ob_embed_write(const ob_embed *embed, ob_slice model, ob_buffer *out)
{
    ob_json json = {.out = out};
    ob_json_open(&json, '{');
    ob_json_member(&json, "model", model);
    if (embed->caller == OB_DIALECT_GEMINI)
        write_texts(&json, embed);
    else
        write_rest(&json, embed);
    ob_json_close(&json, '}');
    return out->failed ? OB_NO_MEMORY : OB_OK;
}

/* ---- answers ---- */

static bool is_vector(yyjson_val *value)
{
    yyjson_val *number;
    size_t i, count;
    if (!yyjson_is_arr(value))
        return false;
    yyjson_arr_foreach(value, i, count, number)
    {
        if (!yyjson_is_num(number))
            return false;
    }
    return true;
}

/* Writes what base64 makes of bytes that come one by one. */
typedef struct base64 {
    ob_buffer *out;
    uint32_t bits;
    int count; /* of bytes in `bits` */
} base64;

static void put_group(base64 *b, int bytes)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char group[4];
    for (int i = 0; i < 4; i++)
        group[i] = i <= bytes ? digits[b->bits >> (18 - 6 * i) & 63] : '=';
    ob_buffer_append(b->out, ob_slice_make(group, 4));
    b->bits = 0;
    b->count = 0;
}

static void put_byte(base64 *b, uint8_t byte)
{
    b->bits |= (uint32_t)byte << (16 - 8 * b->count);
    if (++b->count == 3)
        put_group(b, 3);
}

/* 32-bit floats, the lowest byte first, as OpenAI has them. */
static void write_packed(ob_json *json, yyjson_val *vector)
{
    base64 b = {.out = json->out};
    yyjson_val *number;
    size_t i, count;
    ob_buffer_append_char(json->out, '"');
    yyjson_arr_foreach(vector, i, count, number)
    {
        double wide = yyjson_get_num(number);
        /* What is out of range has no conversion. */
        float value = wide > FLT_MAX    ? FLT_MAX
                      : wide < -FLT_MAX ? -FLT_MAX
                                        : (float)wide;
        uint32_t bits;
        memcpy(&bits, &value, sizeof(bits));
        for (int k = 0; k < 4; k++)
            put_byte(&b, (uint8_t)(bits >> 8 * k));
    }
    if (b.count)
        put_group(&b, b.count);
    ob_buffer_append_char(json->out, '"');
    json->comma = true;
}

/* An element of `data` with its vector packed; one that the provider has packed
 * against what it was told stays so. */
static ob_status write_element(ob_json *json, yyjson_val *element)
{
    yyjson_val *vector = ob_json_get(element, "embedding"), *name, *value;
    size_t i, count;
    if (!yyjson_is_str(vector) && !is_vector(vector))
        return OB_INVALID;
    ob_json_open(json, '{');
    yyjson_obj_foreach(element, i, count, name, value)
    {
        write_name(json, name);
        if (value == vector && yyjson_is_arr(vector))
            write_packed(json, vector);
        else
            ob_json_value(json, value);
    }
    ob_json_close(json, '}');
    return OB_OK;
}

static ob_status write_openai(yyjson_val *root, yyjson_val *data,
                              ob_buffer *out)
{
    yyjson_val *name, *value, *element;
    ob_json json = {.out = out};
    ob_status status = OB_OK;
    size_t i, count, k, elements;
    ob_json_open(&json, '{');
    yyjson_obj_foreach(root, i, count, name, value)
    {
        write_name(&json, name);
        if (value != data) {
            ob_json_value(&json, value);
            continue;
        }
        ob_json_open(&json, '[');
        yyjson_arr_foreach(data, k, elements, element)
        {
            if (status == OB_OK)
                status = write_element(&json, element);
        }
        ob_json_close(&json, ']');
    }
    ob_json_close(&json, '}');
    return status;
}

static void write_values(ob_json *json, yyjson_val *vector)
{
    ob_json_open(json, '{');
    ob_json_name(json, "values");
    ob_json_value(json, vector);
    ob_json_close(json, '}');
}

/* Puts the vectors at their places: a provider may tell them in any order.
 * False: some are no vectors, or one place has two. */
static bool place_vectors(yyjson_val *data, yyjson_val **vectors)
{
    yyjson_val *element;
    size_t i, count;
    yyjson_arr_foreach(data, i, count, element)
    {
        int64_t at = ob_json_get_i64(element, "index", (int64_t)i);
        yyjson_val *vector = ob_json_get(element, "embedding");
        if (at < 0 || (size_t)at >= count || vectors[at] || !is_vector(vector))
            return false;
        vectors[at] = vector;
    }
    return true;
}

static void write_usage(ob_json *json, yyjson_val *root)
{
    int64_t tokens =
        ob_json_get_i64(ob_json_get(root, "usage"), "prompt_tokens", -1);
    if (tokens < 0)
        return;
    ob_json_name(json, "usageMetadata");
    ob_json_open(json, '{');
    ob_json_member_i64(json, "promptTokenCount", tokens);
    ob_json_close(json, '}');
}

static ob_status write_gemini(const ob_embed *embed, yyjson_val *root,
                              yyjson_val *data, ob_buffer *out)
{
    ob_json json = {.out = out};
    yyjson_val **vectors = calloc(embed->count, sizeof(yyjson_val *));
    if (!vectors)
        return OB_NO_MEMORY;
    if (!place_vectors(data, vectors)) {
        free(vectors);
        return OB_INVALID;
    }
    ob_json_open(&json, '{');
    ob_json_name(&json, embed->batch ? "embeddings" : "embedding");
    if (embed->batch)
        ob_json_open(&json, '[');
    for (size_t i = 0; i < embed->count; i++)
        write_values(&json, vectors[i]);
    if (embed->batch)
        ob_json_close(&json, ']');
    write_usage(&json, root);
    ob_json_close(&json, '}');
    free(vectors);
    return OB_OK;
}

ob_status ob_embed_answer(const ob_embed *embed, yyjson_val *root,
                          ob_buffer *out)
{
    yyjson_val *data = ob_json_get(root, "data");
    bool gemini = embed->caller == OB_DIALECT_GEMINI;
    if (!yyjson_is_arr(data) ||
        (gemini && yyjson_arr_size(data) != embed->count))
        return OB_INVALID;
    ob_status status = gemini ? write_gemini(embed, root, data, out)
                              : write_openai(root, data, out);
    return out->failed ? OB_NO_MEMORY : status;
}
