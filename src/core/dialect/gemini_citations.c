/*
 * gemini_citations.c - where the texts of an answer are from: groundingMetadata
 * and citationMetadata, read and written.
 *
 * Google counts bytes in a part of the content, the form characters in a text.
 */
#include "gemini.h"

/* ---- reading ---- */

/* A source of grounding. False: it has nothing to show. */
static bool read_source(yyjson_val *chunk, ob_citation *citation)
{
    static const char *const kinds[] = {"web", "retrievedContext", "maps"};
    for (size_t i = 0; i < OB_LEN(kinds); i++) {
        yyjson_val *source = ob_gemini_get(chunk, kinds[i]);
        if (!yyjson_is_obj(source))
            continue;
        citation->url = ob_gemini_get_text(source, "uri");
        citation->title = ob_gemini_get_text(source, "title");
        citation->quote = ob_gemini_get_text(source, "text");
        return citation->url.len || citation->title.len;
    }
    return false;
}

static ob_gemini_segment segment_of(yyjson_val *told)
{
    return (ob_gemini_segment){.part = ob_gemini_get_i64(told, "partIndex", 0),
                               .begin =
                                   ob_gemini_get_i64(told, "startIndex", 0),
                               .end = ob_gemini_get_i64(told, "endIndex", -1),
                               .text = ob_gemini_get_text(told, "text")};
}

static void read_support(yyjson_val *support, yyjson_val *chunks,
                         ob_gemini_cite tell, void *context)
{
    ob_gemini_segment segment = segment_of(ob_gemini_get(support, "segment"));
    yyjson_val *index;
    size_t i, max;
    yyjson_arr_foreach(ob_gemini_get(support, "groundingChunkIndices"), i, max,
                       index)
    {
        ob_citation citation = {.begin = -1, .end = -1};
        if (yyjson_is_uint(index) &&
            read_source(yyjson_arr_get(chunks, yyjson_get_uint(index)),
                        &citation))
            tell(context, &segment, &citation);
    }
}

static void read_grounding(yyjson_val *grounding, ob_gemini_cite tell,
                           void *context)
{
    yyjson_val *chunks = ob_gemini_get(grounding, "groundingChunks");
    yyjson_val *supports = ob_gemini_get(grounding, "groundingSupports"), *one;
    size_t i, max;
    yyjson_arr_foreach(supports, i, max, one)
        read_support(one, chunks, tell, context);
    if (yyjson_arr_size(supports))
        return;
    yyjson_arr_foreach(chunks, i, max, one)
    {
        ob_gemini_segment whole = {.end = -1};
        ob_citation citation = {.begin = -1, .end = -1};
        if (read_source(one, &citation))
            tell(context, &whole, &citation);
    }
}

void ob_gemini_read_citations(yyjson_val *candidate, ob_gemini_cite tell,
                              void *context)
{
    yyjson_val *cited = ob_gemini_get(candidate, "citationMetadata"), *one;
    yyjson_val *list = ob_gemini_get(cited, "citationSources");
    size_t i, max;
    read_grounding(ob_gemini_get(candidate, "groundingMetadata"), tell,
                   context);
    if (!list) /* as Vertex AI and the SDKs call it */
        list = ob_gemini_get(cited, "citations");
    yyjson_arr_foreach(list, i, max, one)
    {
        ob_gemini_segment segment = segment_of(one);
        ob_citation citation = {.url = ob_gemini_get_text(one, "uri"),
                                .title = ob_gemini_get_text(one, "title"),
                                .begin = -1,
                                .end = -1};
        segment.text = (ob_slice){NULL, 0};
        if (citation.url.len || citation.title.len)
            tell(context, &segment, &citation);
    }
}

/* ---- into a whole answer ---- */

typedef struct citing {
    ob_answer *answer;
    ob_choice *choice;
    yyjson_val *parts;
} citing;

/* The part of that number, where it is a text that is shown; else the first
 * that is. */
static ob_part *find_text(const citing *c, int64_t index)
{
    yyjson_val *told =
        index >= 0 ? yyjson_arr_get(c->parts, (size_t)index) : NULL;
    const char *text = ob_gemini_get_text(told, "text").ptr;
    ob_part *first = NULL;
    for (ob_part *part = c->choice->parts; part; part = part->next) {
        if (part->kind != OB_PART_TEXT)
            continue;
        if (part->text.ptr == text)
            return part;
        first = first ? first : part;
    }
    return first;
}

static void add_citation(void *context, const ob_gemini_segment *segment,
                         const ob_citation *citation)
{
    citing *c = context;
    ob_part *part = find_text(c, segment->part);
    ob_citation *made =
        part ? ob_arena_alloc(c->answer->arena, sizeof(*made)) : NULL;
    c->answer->failed |= part && !made;
    if (!made)
        return;
    *made = *citation;
    int64_t len = (int64_t)part->text.len;
    if (segment->begin >= 0 && segment->end > segment->begin &&
        segment->end <= len) {
        made->begin =
            ob_text_chars(ob_slice_head(part->text, (size_t)segment->begin));
        made->end =
            ob_text_chars(ob_slice_head(part->text, (size_t)segment->end));
    }
    ob_citation **end = &part->citations;
    while (*end)
        end = &(*end)->next;
    *end = made;
}

void ob_gemini_cite_answer(ob_answer *answer, ob_choice *choice,
                           yyjson_val *candidate)
{
    citing c = {answer, choice,
                ob_gemini_get(ob_gemini_get(candidate, "content"), "parts")};
    ob_gemini_read_citations(candidate, add_citation, &c);
}

/* ---- writing ---- */

void ob_gemini_write_source(ob_json *json, const ob_citation *citation)
{
    ob_json_open(json, '{');
    ob_json_name(json, citation->url.len ? "web" : "retrievedContext");
    ob_json_open(json, '{');
    ob_json_member_told(json, "uri", citation->url);
    ob_json_member(json, "title", citation->title);
    if (!citation->url.len)
        ob_json_member_told(json, "text", citation->quote);
    ob_json_close(json, '}');
    ob_json_close(json, '}');
}

void ob_gemini_write_support(ob_json *json, const ob_gemini_segment *segment,
                             int64_t source)
{
    ob_json_open(json, '{');
    if (segment->end >= 0) {
        ob_json_name(json, "segment");
        ob_json_open(json, '{');
        if (segment->part > 0)
            ob_json_member_i64(json, "partIndex", segment->part);
        ob_json_member_i64(json, "startIndex", segment->begin);
        ob_json_member_i64(json, "endIndex", segment->end);
        ob_json_member_told(json, "text", segment->text);
        ob_json_close(json, '}');
    }
    ob_json_name(json, "groundingChunkIndices");
    ob_json_open(json, '[');
    ob_json_i64(json, source);
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}

static bool has_citations(const ob_choice *choice)
{
    for (const ob_part *part = choice->parts; part; part = part->next)
        if (part->citations)
            return true;
    return false;
}

static ob_gemini_segment segment_in(const ob_part *part,
                                    const ob_citation *citation, int64_t index)
{
    size_t begin = ob_text_bytes(part->text, citation->begin);
    size_t end = citation->end < 0 ? part->text.len
                                   : ob_text_bytes(part->text, citation->end);
    return (ob_gemini_segment){
        .part = index,
        .begin = (int64_t)begin,
        .end = (int64_t)end,
        .text = ob_slice_from(ob_slice_head(part->text, end), begin)};
}

void ob_gemini_write_citations(ob_json *json, const ob_choice *choice)
{
    int64_t index = 0, source = 0;
    if (!has_citations(choice))
        return;
    ob_json_name(json, "groundingMetadata");
    ob_json_open(json, '{');
    ob_json_name(json, "groundingChunks");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next)
        for (const ob_citation *c = part->citations; c; c = c->next)
            ob_gemini_write_source(json, c);
    ob_json_close(json, ']');
    ob_json_name(json, "groundingSupports");
    ob_json_open(json, '[');
    for (const ob_part *part = choice->parts; part; part = part->next) {
        for (const ob_citation *c = part->citations; c; c = c->next) {
            ob_gemini_segment segment = segment_in(part, c, index);
            ob_gemini_write_support(json, &segment, source++);
        }
        index += part->kind == OB_PART_CALL || part->data.len ||
                 part->url.len || part->text.len || part->signature.len;
    }
    ob_json_close(json, ']');
    ob_json_close(json, '}');
}
