/*
 * import_sql.h - what the readers of tables share: import_own.c and
 * import_others.c. The database is caged: only tables that are known can be
 * read, and what is in them may be anything.
 */
#ifndef OB_IMPORT_SQL_H
#define OB_IMPORT_SQL_H

#include "database.h"
#include "import.h"

/* Where the column is in the answer; -1: it is not there. */
int ob_import_column(sqlite3_stmt *rows, const char *name);
/* Its text, valid until the next step; "" where it is not there. */
ob_slice ob_import_column_text(sqlite3_stmt *rows, int column);
/* A time or a sum; 0 where it is not there or cannot be. */
int64_t ob_import_column_number(sqlite3_stmt *rows, int column);

/* Reads row `number`, from 1. OB_EXISTS: enough was seen, the rest need not be
 * read. */
typedef ob_status (*ob_import_row_reader)(ob_importer *importer,
                                          sqlite3_stmt *rows, size_t number,
                                          void *context);
OB_MUST_USE ob_status ob_import_rows(ob_importer *importer, sqlite3 *db,
                                     const char *query,
                                     ob_import_row_reader read, void *context);

/* The table `keys`, of the first One Balance or of this one. */
OB_MUST_USE ob_status ob_import_own(ob_importer *importer, sqlite3 *db,
                                    bool has_cooldowns);
OB_MUST_USE ob_status ob_import_gpt_load(ob_importer *importer, sqlite3 *db);
OB_MUST_USE ob_status ob_import_channels(ob_importer *importer, sqlite3 *db);
OB_MUST_USE ob_status ob_import_gemini_balance(ob_importer *importer,
                                               sqlite3 *db);

#endif
