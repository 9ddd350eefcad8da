/*
 * key_output.h - keys in text: JSON as the admin API has it, CSV, a table.
 */
#ifndef OB_KEY_OUTPUT_H
#define OB_KEY_OUTPUT_H

#include "../core/base/buffer.h"
#include "store.h"

/* ACTIVE, COOLING or BLOCKED at `now_ms`. */
ob_key_status ob_stored_status(const ob_stored_key *key, int64_t now_ms);
const char *ob_stored_status_word(ob_key_status status);

/* Appends one object, without an end of line. `clear`: the key itself and
 * not its mask. Cool-downs that are over are left out. */
void ob_key_write_json(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                       bool clear);

/* The columns' names, and one record; with their ends of line. */
void ob_key_write_csv_head(ob_buffer *out);
void ob_key_write_csv(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                      bool clear);

/* "provider key [remark]", with its end of line, as an import reads it. */
void ob_key_write_line(ob_buffer *out, const ob_stored_key *key, bool clear);

/* Has a person set priority or weight? */
bool ob_key_has_order(const ob_stored_key *key);
/* One line for people; `order`: with priority and weight. */
void ob_key_write_row_head(ob_buffer *out, bool order);
void ob_key_write_row(ob_buffer *out, const ob_stored_key *key, int64_t now_ms,
                      bool order);

#endif
