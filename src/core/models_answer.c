#include "models_answer.h"

#include "message.h"
#include "pool.h"
#include "route.h"

/* "models/", a provider, "/" and a model, or a name of the configuration. */
#define NAME_MAX_BYTES (7 + 64 + 1 + OB_MODEL_BYTES_MAX)

typedef struct name {
    char text[NAME_MAX_BYTES];
    size_t len;
} name;

typedef struct writer {
    const ob_models_asked *call;
    ob_buffer *out;
    bool any;
    name first; /* of those that were written, and the last one */
    name last;
} writer;

static name joined(const char *before, ob_slice provider, ob_slice model)
{
    name to = {.len = 0};
    const ob_slice parts[] = {ob_slice_str(before), provider,
                              provider.len ? OB_S("/") : OB_S(""), model};
    for (size_t i = 0; i < OB_LEN(parts); i++) {
        ob_slice part = ob_slice_head(parts[i], NAME_MAX_BYTES - to.len);
        if (part.len)
            memcpy(to.text + to.len, part.ptr, part.len);
        to.len += part.len;
    }
    return to;
}

static ob_slice text_of(const name *from)
{
    return ob_slice_make(from->text, from->len);
}

/* ---- entries ---- */

static void write_openai(ob_buffer *out, ob_slice id, ob_slice owner)
{
    ob_buffer_append_str(out, "{\"id\":");
    ob_buffer_append_json(out, id);
    ob_buffer_append_str(out, ",\"object\":\"model\",\"created\":0,"
                              "\"owned_by\":");
    ob_buffer_append_json(out, owner.len ? owner : OB_S("one-balance"));
    ob_buffer_append_char(out, '}');
}

static void write_anthropic(ob_buffer *out, ob_slice id)
{
    ob_buffer_append_str(out, "{\"type\":\"model\",\"id\":");
    ob_buffer_append_json(out, id);
    ob_buffer_append_str(out, ",\"display_name\":");
    ob_buffer_append_json(out, id);
    ob_buffer_append_str(out, ",\"created_at\":\"1970-01-01T00:00:00Z\"}");
}

static void write_gemini(ob_buffer *out, ob_slice id)
{
    name resource = joined("models/", (ob_slice){NULL, 0}, id);
    ob_buffer_append_str(out, "{\"name\":");
    ob_buffer_append_json(out, text_of(&resource));
    ob_buffer_append_str(out, ",\"displayName\":");
    ob_buffer_append_json(out, id);
    ob_buffer_append_str(out,
                         ",\"supportedGenerationMethods\":[\"generateContent\","
                         "\"streamGenerateContent\"]}");
}

static void write_entry(writer *w, ob_slice id, ob_slice owner)
{
    switch (w->call->dialect) {
    case OB_DIALECT_GEMINI:
        write_gemini(w->out, id);
        break;
    case OB_DIALECT_ANTHROPIC:
        write_anthropic(w->out, id);
        break;
    default:
        write_openai(w->out, id, owner);
    }
}

static void add_entry(writer *w, ob_slice provider, ob_slice model)
{
    w->last = joined("", provider, model);
    if (w->any)
        ob_buffer_append_char(w->out, ',');
    else
        w->first = w->last;
    w->any = true;
    write_entry(w, text_of(&w->last), provider);
}

/* ---- all of them ---- */

static bool may_use(const ob_authkey *authkey, const ob_model_alias *alias)
{
    for (size_t i = 0; i < alias->target_count; i++)
        if (ob_authkey_allows(authkey, alias->targets[i].provider->slug,
                              alias->targets[i].model))
            return true;
    return false;
}

/* May the auth key see any of the provider's list? */
static bool may_see(const ob_models_asked *call, const ob_provider *provider)
{
    return ob_authkey_allows_provider(call->authkey, provider->slug) &&
           ob_model_list_offered(provider);
}

static void add_aliases(writer *w)
{
    const ob_config *config = w->call->config;
    for (size_t i = 0; i < config->model_count; i++)
        if (may_use(w->call->authkey, &config->models[i]))
            add_entry(w, (ob_slice){NULL, 0}, config->models[i].name);
}

static void add_provider(writer *w, const ob_provider *provider)
{
    const ob_models_asked *call = w->call;
    const ob_model_list *list = call->take(call->context, provider);
    for (size_t i = 0; list && i < list->count; i++)
        if (ob_authkey_allows(call->authkey, provider->slug, list->names[i]))
            add_entry(w, provider->slug, list->names[i]);
    if (list)
        call->give(call->context, list);
}

static void add_all(writer *w)
{
    const ob_config *config = w->call->config;
    add_aliases(w);
    for (size_t i = 0; i < config->provider_count; i++)
        if (may_see(w->call, &config->providers[i]))
            add_provider(w, &config->providers[i]);
}

static void write_id(ob_buffer *out, const char *member, const name *id)
{
    ob_buffer_append_str(out, member);
    if (id->len)
        ob_buffer_append_json(out, text_of(id));
    else
        ob_buffer_append_str(out, "null");
}

static void write_list(writer *w)
{
    switch (w->call->dialect) {
    case OB_DIALECT_GEMINI:
        ob_buffer_append_str(w->out, "{\"models\":[");
        add_all(w);
        ob_buffer_append_str(w->out, "]}");
        break;
    case OB_DIALECT_ANTHROPIC:
        ob_buffer_append_str(w->out, "{\"data\":[");
        add_all(w);
        ob_buffer_append_str(w->out, "],\"has_more\":false");
        write_id(w->out, ",\"first_id\":", &w->first);
        write_id(w->out, ",\"last_id\":", &w->last);
        ob_buffer_append_char(w->out, '}');
        break;
    default:
        ob_buffer_append_str(w->out, "{\"object\":\"list\",\"data\":[");
        add_all(w);
        ob_buffer_append_str(w->out, "]}");
    }
}

/* ---- one of them ---- */

/* As requests name it: "provider/model", or a bare model of the dialect's own
 * provider. NULL: no provider's list could have it. */
static const ob_provider *provider_of(const ob_models_asked *call,
                                      ob_slice *model)
{
    ob_slice slug = ob_route_default_provider(call->dialect);
    size_t slash = ob_slice_index(call->asked, '/');
    *model = call->asked;
    if (slash != OB_NOWHERE) {
        slug = ob_slice_head(call->asked, slash);
        *model = ob_slice_from(call->asked, slash + 1);
    }
    const ob_provider *provider =
        ob_config_provider_or_alias(call->config, slug);
    bool seen = provider && may_see(call, provider) &&
                ob_authkey_allows(call->authkey, provider->slug, *model);
    return seen ? provider : NULL;
}

static bool is_listed(const ob_models_asked *call, const ob_provider *provider,
                      ob_slice model)
{
    const ob_model_list *list = call->take(call->context, provider);
    bool listed = list && ob_model_list_has(list, model);
    if (list)
        call->give(call->context, list);
    return listed;
}

static ob_status write_one(writer *w)
{
    const ob_models_asked *call = w->call;
    const ob_model_alias *alias = ob_config_model(call->config, call->asked);
    const ob_provider *provider = NULL;
    ob_slice model;
    if (alias && !may_use(call->authkey, alias))
        return OB_NOT_FOUND;
    if (!alias) {
        provider = provider_of(call, &model);
        if (!provider || !is_listed(call, provider, model))
            return OB_NOT_FOUND;
    }
    write_entry(w, call->asked, provider ? provider->slug : OB_S(""));
    return OB_OK;
}

/* ---- the answer ---- */

bool ob_models_need(const ob_models_asked *call, const ob_provider *provider)
{
    ob_slice model;
    if (!call->asked.len)
        return may_see(call, provider);
    return !ob_config_model(call->config, call->asked) &&
           provider_of(call, &model) == provider;
}

ob_status ob_models_answer(const ob_models_asked *call, ob_buffer *out)
{
    writer w = {.call = call, .out = out};
    ob_status status = OB_OK;
    if (call->asked.len)
        status = write_one(&w);
    else
        write_list(&w);
    return out->failed ? OB_NO_MEMORY : status;
}

void ob_models_unknown(ob_slice asked, char *text, size_t size)
{
    ob_message message = ob_message_make(text, size);
    ob_message_str(&message, "There is no model ");
    ob_message_word(&message, asked);
    ob_message_str(&message, " that this auth key may use; GET /v1/models "
                             "lists those there are.");
}
