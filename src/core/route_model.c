#include "pool.h"
#include "route_internal.h"
#include "uri.h"

/* What a rule found. */
typedef struct finding {
    bool present;
    ob_slice model; /* decoded */
} finding;

typedef enum body_kind {
    BODY_NONE,
    BODY_JSON,
    BODY_LOOSE, /* looks like JSON, under a content-type that says otherwise */
    BODY_FORM,
    BODY_OTHER,
} body_kind;

/* Members that are looked for in every body; those of the rules follow. */
enum {
    STREAM,
    ANSWER, /* how many tokens an answer may have, under three names */
    ANSWER_LAST = ANSWER + 2,
    MODELS,
    MEMBERS = MODELS + 1 + OB_MODEL_RULES_MAX,
};

/* The body, read once for all rules. */
typedef struct body {
    body_kind kind;
    ob_slice content_type;
    ob_member members[MEMBERS];
    size_t member_count;
    size_t type_count; /* content-type headers */
    bool encoded;      /* by a content-encoding */
    bool read;         /* members are filled */
} body;

ob_slice ob_route_plain_model(ob_slice model)
{
    ob_slice prefix = OB_S("models/");
    bool prefixed = model.len > prefix.len && ob_slice_starts(model, prefix);
    return prefixed ? ob_slice_from(model, prefix.len) : model;
}

ob_status ob_route_check_model(const ob_finder *f, ob_slice model)
{
    if (!model.len)
        return ob_route_refuse(f->error, 400,
                               "the request names an empty model; name one as "
                               "\"provider/model\"");
    if (model.len > OB_MODEL_BYTES_MAX)
        return ob_route_refuse(f->error, 400,
                               "the model's name is longer than 256 bytes");
    for (size_t i = 0; i < model.len; i++) {
        uint8_t c = (uint8_t)model.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return ob_route_refuse(f->error, 400,
                                   "the model's name has a control character");
    }
    return OB_OK;
}

static ob_status refuse_json(const ob_finder *f, const char *why, size_t at)
{
    f->error->status = 400;
    ob_message m =
        ob_message_make(f->error->message, sizeof(f->error->message));
    ob_message_str(&m, "the body is not valid JSON: ");
    ob_message_str(&m, why);
    ob_message_str(&m, ", at byte ");
    ob_message_u64(&m, at);
    return OB_INVALID;
}

static bool is_json_type(ob_slice type)
{
    return !type.len || ob_slice_eq_nocase(type, OB_S("application/json")) ||
           ob_slice_eq_nocase(type, OB_S("text/json")) ||
           (type.len > 5 &&
            ob_slice_eq_nocase(ob_slice_from(type, type.len - 5),
                               OB_S("+json")));
}

static body_kind find_kind(const ob_call *call, ob_slice content_type)
{
    ob_slice type = ob_slice_trim(
        ob_slice_head(content_type, ob_slice_index(content_type, ';')));
    if (!call->body.len)
        return BODY_NONE;
    if (ob_slice_starts_nocase(type, OB_S("multipart/")))
        return BODY_FORM;
    if (is_json_type(type))
        return BODY_JSON;
    ob_slice begin = ob_slice_trim(ob_slice_head(call->body, 64));
    return begin.len && begin.ptr[0] == '{' ? BODY_LOOSE : BODY_OTHER;
}

/* A charset in which '"' is another byte would show the upstream another
 * body than the one scanned here. */
static bool is_ascii_charset(ob_slice content_type)
{
    static const char *const known[] = {"utf-8", "utf8", "us-ascii",
                                        "iso-8859-1"};
    size_t at = ob_slice_find_nocase(content_type, OB_S("charset"));
    if (at == OB_NOWHERE)
        return true;
    ob_slice value = ob_slice_trim(ob_slice_from(content_type, at + 7));
    if (!value.len || value.ptr[0] != '=' ||
        ob_slice_find_nocase(value, OB_S("charset")) != OB_NOWHERE)
        return false;
    value = ob_slice_from(value, 1);
    value = ob_slice_trim(ob_slice_head(value, ob_slice_index(value, ';')));
    if (value.len >= 2 && value.ptr[0] == '"' &&
        value.ptr[value.len - 1] == '"')
        value = ob_slice_make(value.ptr + 1, value.len - 2);
    for (size_t i = 0; i < OB_LEN(known); i++)
        if (ob_slice_eq_nocase(value, ob_slice_str(known[i])))
            return true;
    return false;
}

/* Finds out what the body is. */
static void open_body(const ob_call *call, body *b)
{
    for (size_t i = 0; i < call->header_count; i++) {
        const ob_header *h = &call->headers[i];
        if (ob_slice_eq_nocase(h->name, OB_S("content-type"))) {
            b->content_type = ob_slice_trim(h->value);
            b->type_count++;
        } else if (ob_slice_eq_nocase(h->name, OB_S("content-encoding"))) {
            ob_slice coding = ob_slice_trim(h->value);
            b->encoded |=
                coding.len && !ob_slice_eq_nocase(coding, OB_S("identity"));
        }
    }
    b->kind = find_kind(call, b->content_type);
}

/* Refuses a body that hides what it says. */
static ob_status check_body(const ob_finder *f, const body *b)
{
    if (b->type_count > 1)
        return ob_route_refuse(f->error, 400,
                               "the request has two content-type headers");
    if (b->kind != BODY_NONE && b->encoded)
        return ob_route_refuse(f->error, 415,
                               "the body is compressed (content-encoding), so "
                               "its model cannot be seen; send it plain");
    if (b->kind != BODY_NONE && b->kind != BODY_OTHER &&
        !is_ascii_charset(b->content_type))
        return ob_route_refuse(f->error, 415,
                               "the body's charset is not supported; send "
                               "UTF-8");
    return OB_OK;
}

static void want(body *b, ob_slice name)
{
    b->members[b->member_count++] = (ob_member){.name = name};
}

static void want_usual(body *b)
{
    want(b, OB_S("stream"));
    want(b, OB_S("max_tokens"));
    want(b, OB_S("max_completion_tokens"));
    want(b, OB_S("max_output_tokens"));
    want(b, OB_S("models"));
}

/* The limit that the request sets for its answer; 0: none that can be read. */
static uint32_t answer_max(const body *b)
{
    uint64_t max = 0, value;
    for (size_t i = ANSWER; i <= ANSWER_LAST; i++)
        if (b->members[i].count &&
            ob_slice_u64(b->members[i].raw, &value) == OB_OK && value > max)
            max = value;
    return max > UINT32_MAX ? UINT32_MAX : (uint32_t)max;
}

/*
 * Reading all of a large body to be sure that it does not name its model
 * twice costs more than forwarding it, and guards nothing where the caller
 * may use every model.
 */
#define TRUSTED_BODY_BYTES ((size_t)16 * 1024)

static void want_model(const ob_call *call, body *b, ob_slice name)
{
    want(b, name);
    b->members[b->member_count - 1].stop =
        call->trusted && call->body.len > TRUSTED_BODY_BYTES && name.len;
}

/* Scans a JSON body for the members wanted. `strict`: one that cannot be read
 * is refused, else it names no model. */
static ob_status read_json(const ob_finder *f, body *b, bool strict)
{
    const char *why;
    size_t at;
    if (b->kind != BODY_JSON && b->kind != BODY_LOOSE)
        return OB_OK;
    if (ob_scan_members(f->call->body, b->members, b->member_count, &why,
                        &at) == OB_OK) {
        b->read = true;
        f->route->streams |= ob_slice_eq(b->members[STREAM].raw, OB_S("true"));
        f->route->answer_max = answer_max(b);
        return OB_OK;
    }
    if (!strict || b->kind == BODY_LOOSE)
        return OB_OK;
    return refuse_json(f, why, at);
}

/* The value of a member that names a model. */
static ob_status take_member(const ob_finder *f, const ob_member *member,
                             finding *found)
{
    if (member->count == 0)
        return OB_OK;
    if (member->count > 1)
        return ob_route_refuse_word(f->error, 400, "the body has the member ",
                                    member->name,
                                    " more than once; name it once");
    if (member->miscased)
        return ob_route_refuse_word(f->error, 400, "the body has the member ",
                                    member->name,
                                    " in another letter case; write it so");
    ob_status status = ob_scan_string(member->raw, f->arena, &found->model);
    if (status == OB_INVALID)
        return ob_route_refuse_word(f->error, 400, "the member ", member->name,
                                    " of the body is not a well-formed "
                                    "string; it must name the model");
    found->present = status == OB_OK;
    return status;
}

static ob_status take_form_field(const ob_finder *f, const body *b,
                                 ob_slice name, finding *found)
{
    const char *why;
    ob_status status = ob_scan_multipart(b->content_type, f->call->body, name,
                                         &found->model, &why);
    found->present = status == OB_OK;
    if (status == OB_EXISTS)
        return ob_route_refuse_word(f->error, 400, "the form has the field ",
                                    name, " more than once; name it once");
    if (status != OB_INVALID)
        return OB_OK;
    f->error->status = 400;
    ob_message m =
        ob_message_make(f->error->message, sizeof(f->error->message));
    ob_message_str(&m, "the multipart body cannot be read for its field ");
    ob_message_word(&m, name);
    ob_message_str(&m, ": ");
    ob_message_str(&m, why);
    return OB_INVALID;
}

static ob_status find_in_body(const ob_finder *f, const body *b, size_t rule,
                              ob_slice name, finding *found)
{
    if (b->kind == BODY_FORM)
        return take_form_field(f, b, name, found);
    return b->read ? take_member(f, &b->members[MODELS + 1 + rule], found)
                   : OB_OK;
}

/* Does the field, decoded, hold what some reader takes for `wanted`: "Model",
 * "model[]", "x;model"? */
static bool is_odd_field(ob_slice text, ob_slice wanted)
{
    for (;;) {
        size_t at = ob_slice_find_nocase(text, wanted);
        if (at == OB_NOWHERE)
            return false;
        bool begins = at == 0 || text.ptr[at - 1] == ';';
        text = ob_slice_from(text, at);
        ob_slice behind = ob_slice_from(text, wanted.len);
        if (begins && (!behind.len || behind.ptr[0] == '=' ||
                       behind.ptr[0] == '[' || behind.ptr[0] == '.'))
            return true;
        text = behind;
    }
}

static ob_status find_in_query(const ob_finder *f, ob_slice name,
                               finding *found)
{
    ob_slice rest = f->call->query;
    ob_query_field field;
    while (ob_query_next(&rest, &field)) {
        if (!ob_uri_is(field.name, name)) {
            ob_slice text;
            if (ob_uri_decode(field.all, f->arena, &text) != OB_OK ||
                is_odd_field(text, name))
                return ob_route_refuse_word(
                    f->error, 400,
                    "the query has something like the parameter ", name,
                    "; write it so, once");
            continue;
        }
        if (found->present)
            return ob_route_refuse_word(f->error, 400,
                                        "the query has the parameter ", name,
                                        " more than once; name it once");
        /* To some readers '+' is a blank, ';' ends a parameter. */
        if (ob_slice_index(field.value, '+') != OB_NOWHERE ||
            ob_slice_index(field.value, ';') != OB_NOWHERE ||
            ob_uri_decode(field.value, f->arena, &found->model) != OB_OK)
            return ob_route_refuse_word(f->error, 400, "the parameter ", name,
                                        " of the query is malformed");
        found->present = true;
    }
    return OB_OK;
}

/* Where `text` ends in `path` when it stands at `from`, some of it
 * percent-encoded perhaps; OB_NOWHERE: it does not. */
static size_t match_encoded(ob_slice path, size_t from, ob_slice text)
{
    size_t at = from;
    for (size_t i = 0; i < text.len; i++) {
        if (at >= path.len)
            return OB_NOWHERE;
        size_t len = path.ptr[at] == '%' ? 3 : 1;
        if (!ob_uri_is(ob_slice_head(ob_slice_from(path, at), len),
                       ob_slice_make(text.ptr + i, 1)))
            return OB_NOWHERE;
        at += len;
    }
    return at;
}

/* Where the model at the front of `rest` ends. Models may hold colons, so a
 * method stands behind the last one. */
static size_t model_end(ob_slice rest, ob_slice after)
{
    if (!after.len)
        return rest.len;
    if (!ob_slice_eq(after, OB_S(":")))
        return ob_slice_find(rest, after);
    for (size_t i = rest.len; i-- > 0;)
        if (rest.ptr[i] == ':')
            return i;
    return OB_NOWHERE;
}

static bool match_path(const ob_model_rule *rule, ob_slice path,
                       ob_slice *model)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '/')
            continue;
        size_t from = match_encoded(path, i + 1, rule->before);
        if (from == OB_NOWHERE)
            continue;
        ob_slice rest = ob_slice_from(path, from);
        size_t end = model_end(rest, rule->after);
        if (end == OB_NOWHERE)
            return false; /* nor does it stand anywhere behind */
        if (end == 0)
            continue;
        *model = ob_slice_head(rest, end);
        return true;
    }
    return false;
}

static bool has_encoded_slash(ob_slice s)
{
    return ob_slice_find_nocase(s, OB_S("%2f")) != OB_NOWHERE;
}

/* An encoded slash belongs to the model; elsewhere it would let the upstream
 * see other segments than were matched here. */
static ob_status find_in_path(const ob_finder *f, const ob_model_rule *rule,
                              finding *found)
{
    ob_slice path = f->route->path, raw;
    if (!match_path(rule, path, &raw))
        return OB_OK;
    size_t from = (size_t)(raw.ptr - path.ptr);
    if (has_encoded_slash(ob_slice_head(path, from)) ||
        has_encoded_slash(ob_slice_from(path, from + raw.len)))
        return ob_route_refuse(f->error, 400,
                               "the path has an encoded slash outside the "
                               "model's name");
    ob_status status = ob_uri_decode(raw, f->arena, &found->model);
    found->present = status == OB_OK;
    return status;
}

static void find_in_segments(const ob_route *route, ob_slice name,
                             finding *found)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        ob_slice braced = route->segments[i].name;
        if (!ob_slice_eq(ob_slice_make(braced.ptr + 1, braced.len - 2), name))
            continue;
        found->present = true;
        found->model = route->segments[i].value;
    }
}

static ob_status apply_rule(const ob_finder *f, const body *b, size_t index,
                            finding *found)
{
    const ob_model_rule *rule =
        &f->route->targets[0].provider->model_rules[index];
    *found = (finding){0};
    switch (rule->place) {
    case OB_MODEL_IN_PATH:
        return find_in_path(f, rule, found);
    case OB_MODEL_IN_QUERY:
        return find_in_query(f, rule->member, found);
    case OB_MODEL_IN_BODY:
        return find_in_body(f, b, index, rule->member, found);
    case OB_MODEL_IN_SEGMENT:
        find_in_segments(f->route, rule->member, found);
        return OB_OK;
    case OB_MODEL_NOWHERE:
        return OB_OK;
    }
    return OB_OK;
}

/* Reads the body where a rule may need it, or to see whether it streams. */
static ob_status read_body(const ob_finder *f, body *b)
{
    const ob_provider *provider = f->route->targets[0].provider;
    bool wanted = false;
    b->member_count = 0;
    want_usual(b);
    for (size_t i = 0; i < provider->model_rule_count; i++) {
        const ob_model_rule *rule = &provider->model_rules[i];
        bool in_body = rule->place == OB_MODEL_IN_BODY;
        wanted |= in_body;
        want_model(f->call, b, in_body ? rule->member : OB_S(""));
    }
    open_body(f->call, b);
    if (!wanted)
        return OB_OK;
    ob_status status = check_body(f, b);
    return status == OB_OK ? read_json(f, b, true) : status;
}

static void settle(ob_route *route, ob_slice model, ob_model_place place)
{
    route->asked = model;
    route->place = model.len ? place : OB_MODEL_NOWHERE;
    route->targets[0].model = ob_route_plain_model(model);
}

/* Do two findings name two models? A segment is an exception: a deployment is
 * the model whatever the body calls it. */
static bool differ(const finding *first, ob_model_place place,
                   const finding *other)
{
    return place != OB_MODEL_IN_SEGMENT &&
           !ob_slice_eq(ob_route_plain_model(first->model),
                        ob_route_plain_model(other->model));
}

/*
 * The first rule that finds a model decides. Every place that a rule looks at
 * is one that the provider may look at, so all places must name the same
 * model; of the rules for the path only the first that fits counts.
 */
static ob_status apply_rules(const ob_finder *f, const body *b, finding *first,
                             ob_model_place *place, bool *several)
{
    const ob_provider *provider = f->route->targets[0].provider;
    bool in_path = false;
    for (size_t i = 0; i < provider->model_rule_count; i++) {
        const ob_model_rule *rule = &provider->model_rules[i];
        finding found;
        if (in_path && rule->place == OB_MODEL_IN_PATH)
            continue;
        ob_status status = apply_rule(f, b, i, &found);
        if (status != OB_OK)
            return status;
        if (!found.present || !found.model.len)
            continue;
        in_path |= rule->place == OB_MODEL_IN_PATH;
        if (first->present) {
            *several |= differ(first, *place, &found);
            continue;
        }
        *first = found;
        *place = rule->place;
    }
    return OB_OK;
}

/*
 * Files and batches hold calls, each with a model of its own: what else such
 * a request calls a model grants nothing.
 */
static bool holds_calls(ob_slice path)
{
    ob_slice rest = path;
    while (rest.ptr) {
        ob_slice segment = ob_slice_cut(&rest, '/');
        if (ob_uri_is_nocase(segment, OB_S("files")) ||
            ob_uri_is_nocase(segment, OB_S("batches")) ||
            ob_uri_is_nocase(segment, OB_S("uploads")))
            return true;
    }
    return false;
}

/* Whether the query has the field. */
static bool has_field(ob_slice query, const char *name)
{
    ob_query_field field;
    while (ob_query_next(&query, &field))
        if (ob_uri_is_nocase(field.name, ob_slice_str(name)))
            return true;
    return false;
}

/*
 * The model of a WebSocket, where something outside of it binds the session
 * to one: OpenAI's Realtime API and what is built like it name it in the
 * query. A call that was made elsewhere has its own model, and transcription
 * names one inside, as Gemini's Live API does. Azure's deployments are no part
 * of any such path.
 */
static ob_status websocket_model(const ob_finder *f, finding *first,
                                 ob_model_place *place, bool *several)
{
    const ob_route *route = f->route;
    ob_dialect dialect = route->targets[0].provider->dialect;
    finding found = {0};
    *several |= dialect == OB_DIALECT_GEMINI || *place == OB_MODEL_IN_SEGMENT;
    if (dialect != OB_DIALECT_OPENAI ||
        !ob_slice_ends(route->path, OB_S("/realtime")))
        return OB_OK;
    *several |= has_field(f->call->query, "call_id") ||
                has_field(f->call->query, "intent");
    ob_status status = find_in_query(f, OB_S("model"), &found);
    if (status != OB_OK || !found.present || !found.model.len)
        return status;
    *several |= first->present && differ(first, *place, &found);
    *first = found;
    *place = OB_MODEL_IN_QUERY;
    return OB_OK;
}

ob_status ob_route_native_model(const ob_finder *f)
{
    finding first = {0};
    ob_model_place place = OB_MODEL_NOWHERE;
    body b = {.kind = BODY_NONE};
    ob_status status = read_body(f, &b);
    bool several = b.read && b.members[MODELS].count > 0;
    if (status == OB_OK)
        status = apply_rules(f, &b, &first, &place, &several);
    if (status == OB_OK && f->call->websocket)
        status = websocket_model(f, &first, &place, &several);
    if (status == OB_OK && first.present)
        status = ob_route_check_model(f, first.model);
    if (place == OB_MODEL_IN_BODY || place == OB_MODEL_IN_QUERY)
        several |= holds_calls(f->route->path);
    if (status == OB_OK)
        settle(f->route, several ? OB_S("") : first.model, place);
    return status;
}

/* Of a form only OpenAI's own routes take one. */
static ob_status take_model(const ob_finder *f, const body *b, finding *found)
{
    const ob_member *member = &b->members[MODELS + 1];
    ob_route *route = f->route;
    bool form = b->kind == BODY_FORM && route->operation == OB_OPERATION_OPENAI;
    if (form) {
        ob_status status = take_form_field(f, b, OB_S("model"), found);
        if (status != OB_OK || !found->present)
            return status;
        route->value_at = (size_t)(found->model.ptr - f->call->body.ptr);
        route->value_len = found->model.len;
        route->value_plain = true;
        return OB_OK;
    }
    if (!b->read)
        return OB_OK;
    route->value_at = member->at;
    route->value_len = member->raw.len;
    return take_member(f, member, found);
}

/* Vectors in base64? All of the body is read for it: SDKs write it last. */
static void want_encoding(body *b)
{
    b->members[MODELS + 1].stop = false;
    want(b, OB_S("encoding_format"));
}

static bool asks_base64(const body *b)
{
    return b->read &&
           ob_slice_eq(b->members[MODELS + 2].raw, OB_S("\"base64\""));
}

ob_status ob_route_body_model(const ob_finder *f, bool required)
{
    bool embeds = f->route->operation == OB_OPERATION_EMBEDDINGS;
    body b = {.kind = BODY_NONE};
    finding found = {0};
    want_usual(&b);
    want_model(f->call, &b, OB_S("model"));
    if (embeds)
        want_encoding(&b);
    open_body(f->call, &b);
    ob_status status = check_body(f, &b);
    if (status == OB_OK)
        status = read_json(f, &b, true);
    if (status == OB_OK)
        status = take_model(f, &b, &found);
    if (status != OB_OK)
        return status;
    f->route->base64 = embeds && asks_base64(&b);
    if (b.read && b.members[MODELS].count)
        return ob_route_refuse(f->error, 400,
                               "the body has a member \"models\"; name one "
                               "\"model\", or a list under \"models\" in the "
                               "configuration");
    if (!found.present)
        return required ? ob_route_refuse(
                              f->error, 400,
                              "the body names no model; send a JSON object "
                              "with \"model\": \"provider/model\"")
                        : OB_OK;
    f->route->asked = found.model;
    f->route->place = OB_MODEL_IN_BODY;
    return ob_route_check_model(f, found.model);
}
