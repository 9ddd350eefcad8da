/* openai_parts_write.c - the parts of a message, written. */
#include "openai.h"

/* Providers that are strict about members they do not know. */
bool ob_openai_takes_more(const ob_form *form)
{
    static const char *const strict[] = {
        "openai",   "azure-openai", "groq",          "mistral",
        "cerebras", "grok",         "perplexity-ai", "deepseek"};
    for (size_t i = 0; i < OB_LEN(strict); i++)
        if (ob_openai_is_for(form, strict[i]))
            return false;
    return true;
}

void ob_openai_write_cache_mark(ob_form *form, ob_json *json, ob_slice ttl)
{
    if (!ob_openai_is_for(form, "openrouter")) {
        ob_form_drop(form, OB_S("cache_control"));
        return;
    }
    ob_json_cache_control(json, ttl);
}

static void refuse(ob_form *form, const char *text)
{
    (void)ob_form_refuse(form, text, OB_S(""), "");
}

static void write_text(ob_form *form, ob_json *json, const ob_part *part)
{
    bool refusal =
        part->kind == OB_PART_REFUSAL && ob_openai_is_for(form, "openai");
    ob_json_open(json, '{');
    ob_json_member(json, "type", refusal ? OB_S("refusal") : OB_S("text"));
    ob_json_member(json, refusal ? "refusal" : "text", part->text);
    if (part->cached)
        ob_openai_write_cache_mark(form, json, part->cache_ttl);
    ob_json_close(json, '}');
}

static void write_image(ob_form *form, ob_json *json, const ob_part *part)
{
    if (part->file_id.len) {
        refuse(form, "an image that is kept at a provider by its file id "
                     "cannot be sent to this one: send its data or a URL");
        return;
    }
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("image_url"));
    ob_json_name(json, "image_url");
    ob_json_open(json, '{');
    ob_openai_write_location(json, "url", part);
    ob_json_member_told(json, "detail", part->detail);
    ob_json_close(json, '}');
    if (part->cached)
        ob_openai_write_cache_mark(form, json, part->cache_ttl);
    ob_json_close(json, '}');
}

/* "audio/mpeg" is "mp3" here. */
static ob_slice audio_format(ob_slice media)
{
    static const struct {
        ob_slice media;
        ob_slice format;
    } formats[] = {{OB_S_INIT("audio/mpeg"), OB_S_INIT("mp3")},
                   {OB_S_INIT("audio/x-wav"), OB_S_INIT("wav")},
                   {OB_S_INIT("audio/wave"), OB_S_INIT("wav")}};
    size_t slash = ob_slice_index(media, '/');
    for (size_t i = 0; i < OB_LEN(formats); i++)
        if (ob_slice_eq_nocase(media, formats[i].media))
            return formats[i].format;
    return slash == OB_NOWHERE ? media : ob_slice_from(media, slash + 1);
}

static void write_audio(ob_form *form, ob_json *json, const ob_part *part)
{
    if (!part->data.len) {
        refuse(form, "audio must be sent to this provider as base64 data");
        return;
    }
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("input_audio"));
    ob_json_name(json, "input_audio");
    ob_json_open(json, '{');
    ob_json_member(json, "data", part->data);
    ob_json_member(json, "format", audio_format(part->media));
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

static void write_file_data(ob_form *form, ob_json *json, const ob_part *part)
{
    bool pdf = ob_slice_eq(part->media, OB_S("application/pdf"));
    /* OpenAI asks for a name. */
    ob_json_member(json, "filename",
                   part->file_name.len ? part->file_name
                   : pdf               ? OB_S("file.pdf")
                                       : OB_S("file"));
    if (part->url.len && !ob_openai_is_for(form, "openrouter"))
        refuse(form, "a file must be sent to this provider as base64 data, "
                     "not as a URL");
    if (part->media.len || part->url.len)
        ob_openai_write_location(json, "file_data", part);
    else
        ob_json_member(json, "file_data", part->data);
}

static void write_file(ob_form *form, ob_json *json, const ob_part *part)
{
    bool ours =
        form->from == OB_DIALECT_OPENAI || form->from == OB_DIALECT_RESPONSES;
    if (part->file_id.len && !ours)
        refuse(form, "a file that is kept at a provider by its file id cannot "
                     "be sent to this one: send its data");
    ob_json_open(json, '{');
    ob_json_member(json, "type", OB_S("file"));
    ob_json_name(json, "file");
    ob_json_open(json, '{');
    if (part->file_id.len)
        ob_json_member(json, "file_id", part->file_id);
    else
        write_file_data(form, json, part);
    ob_json_close(json, '}');
    if (part->cached)
        ob_openai_write_cache_mark(form, json, part->cache_ttl);
    ob_json_close(json, '}');
}

void ob_openai_write_part(ob_form *form, ob_json *json, const ob_part *part)
{
    switch (part->kind) {
    case OB_PART_TEXT:
    case OB_PART_REFUSAL:
        write_text(form, json, part);
        return;
    case OB_PART_IMAGE:
        write_image(form, json, part);
        return;
    case OB_PART_AUDIO:
        write_audio(form, json, part);
        return;
    case OB_PART_FILE:
        write_file(form, json, part);
        return;
    case OB_PART_THINKING:
    case OB_PART_CALL:
    case OB_PART_RESULT:
        return;
    }
}
