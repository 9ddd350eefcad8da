/* edge_shell.h - what a test that plays the Worker's shell tells of operations
 * (worker/journal.h). */
#ifndef OB_EDGE_SHELL_H
#define OB_EDGE_SHELL_H

#include "../../src/core/dialect/json.h"

/* A sealed text, as long as it is. */
static inline void write_seal(ob_buffer *out, yyjson_val *what)
{
    size_t len = ob_json_get_text(what, "secret").len + 29;
    ob_buffer_append_char(out, '"');
    for (size_t i = 0; i < len; i++)
        ob_buffer_append_str(out, "01");
    ob_buffer_append_char(out, '"');
}

/* The results of all that was asked for, each as `write` has it. Returns how
 * many they are. */
static inline size_t write_results(ob_buffer *out, ob_slice told,
                                   void (*write)(ob_buffer *out,
                                                 yyjson_val *asked))
{
    yyjson_doc *doc = yyjson_read(told.ptr, told.len, 0);
    yyjson_val *asked = ob_json_get(yyjson_doc_get_root(doc), "asked");
    size_t count = yyjson_arr_size(asked);
    ob_buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        write(out, yyjson_arr_get(asked, i));
    }
    ob_buffer_append_char(out, ']');
    yyjson_doc_free(doc);
    return count;
}

#endif
