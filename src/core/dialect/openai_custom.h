/*
 * openai_custom.h - tools of OpenAI's that others do not have: custom ones,
 * whose input is any text, and those of a namespace. Both APIs of OpenAI's
 * read and write them.
 *
 * To others they are functions: a custom one of a single text, "input", one of
 * a namespace by both names. Their calls become again what they are by the
 * request's own list of tools.
 *
 *   {"type":"custom","name":"patch"}       ◀─▶ patch({"input": "…"})
 *   {"type":"namespace","name":"crm",
 *    "tools":[{"name":"find", …}]}         ◀─▶ crm__find({…})
 */
#ifndef OB_DIALECT_OPENAI_CUSTOM_H
#define OB_DIALECT_OPENAI_CUSTOM_H

#include "form.h"

/* Adds a custom tool as a function. `format` may be NULL; a grammar is told to
 * the model, and dropped by name, since nothing holds it to that. */
void ob_custom_tool(ob_form *form, ob_slice name, ob_slice description,
                    yyjson_val *format);
/* {"input": "…"} of a custom call's input. */
ob_slice ob_custom_arguments(ob_form *form, ob_slice input);
/* And back; what is no such object is the input as it is. Without memory too.
 */
ob_slice ob_custom_input(ob_arena *arena, ob_slice arguments);

/* "crm__find"; without a namespace the name alone. */
ob_slice ob_custom_join(ob_form *form, ob_slice space, ob_slice name);

/* What a function of that name is in a request. */
typedef struct ob_asked_tool {
    ob_slice name;
    ob_slice space; /* empty: none */
    bool custom;
} ob_asked_tool;

/* Is as it is called where the request has no other. `request` may be NULL. */
ob_asked_tool ob_custom_find(yyjson_val *request, ob_slice name);

#endif
