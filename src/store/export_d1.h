/*
 * export_d1.h - keys for the D1 database of a Worker, as SQL.
 *
 * Keys go as they are stored, sealed: none is opened, and the Worker needs the
 * master key that they were sealed under.
 */
#ifndef OB_EXPORT_D1_H
#define OB_EXPORT_D1_H

#include "store.h"

/* Takes the next piece; false: it cannot, and the export ends with OB_IO. */
typedef bool (*ob_d1_write)(void *context, ob_slice sql);

/*
 * Writes statements for a database with the tables of migrations/, no longer
 * than D1 takes them, without a transaction, since D1 refuses one in a file.
 * Keys that are there stay as they are, so the file may be run again, also one
 * that broke off. *count is how many keys there are in it.
 */
OB_MUST_USE ob_status ob_store_export_d1(ob_store *store, int64_t now_ms,
                                         ob_d1_write write, void *context,
                                         size_t *count, ob_store_error *error);

#endif
