/* gemini_request.c - reads a request of generateContent. */
#include "gemini.h"

/* ---- the whole ---- */

typedef enum member_use {
    USED,    /* read by name below */
    SILENT,  /* says nothing that another provider could do */
    REFUSED, /* the answer would be another without it */
} member_use;

static const struct {
    const char *name;
    member_use use;
} members[] = {
    {"contents", USED},         {"systemInstruction", USED},
    {"generationConfig", USED}, {"tools", USED},
    {"toolConfig", USED},       {"model", SILENT},
    {"cachedContent", REFUSED},
};

static ob_status look_at_members(yyjson_val *root, ob_form *form)
{
    size_t i, count, m;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, i, count, key, value)
    {
        ob_slice name = ob_json_text(key);
        for (m = 0; m < OB_LEN(members); m++)
            if (ob_gemini_named(name, members[m].name))
                break;
        if (yyjson_is_null(value))
            continue;
        if (m == OB_LEN(members))
            ob_form_drop(form, name);
        else if (members[m].use == REFUSED)
            return ob_form_refuse(form, "", ob_slice_str(members[m].name),
                                  " is kept at Google: this model's provider "
                                  "does not have it");
    }
    return OB_OK;
}

ob_status ob_gemini_read_request(yyjson_val *root, ob_form *form)
{
    static const struct {
        const char *name;
        ob_status (*read)(yyjson_val *value, ob_form *form);
    } readers[] = {
        /* Tools first: what is chosen is looked for among them. */
        {"generationConfig", ob_gemini_read_config},
        {"tools", ob_gemini_read_tools},
        {"toolConfig", ob_gemini_read_tool_config},
    };
    ob_status status;
    if (!yyjson_is_obj(root))
        return ob_form_refuse(form, "the body must be a JSON object", OB_S(""),
                              "");
    status = look_at_members(root, form);
    if (status == OB_OK)
        status = ob_gemini_read_contents(root, form);
    for (size_t i = 0; status == OB_OK && i < OB_LEN(readers); i++) {
        yyjson_val *value = ob_gemini_get(root, readers[i].name);
        if (value)
            status = readers[i].read(value, form);
    }
    return form->failed ? OB_NO_MEMORY : status;
}
