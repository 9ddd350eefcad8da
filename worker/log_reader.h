/* log_reader.h - between the files that read the Worker's log; with a real
 * SQLite too. */
#ifndef OB_EDGE_LOG_READER_H
#define OB_EDGE_LOG_READER_H

#include <sqlite3.h>

#include "log_inside.h"

struct ob_log_reader {
    sqlite3 *db;
};

/* Takes over the connection. OB_NO_MEMORY, also where it is NULL. */
OB_MUST_USE ob_status edge_log_reader_new(sqlite3 *db, ob_log_reader **reader);
OB_MUST_USE ob_status edge_log_prepare(ob_log_reader *reader, const char *sql,
                                       sqlite3_stmt **statement);
/* What a failed step means; OB_AGAIN: D1 is asked. */
ob_status edge_log_failed(int rc);
/* Until the next step. */
ob_slice edge_log_column(sqlite3_stmt *statement, int at);

/* What there is of the log, but for its settings. */
ob_status edge_log_read_counts(ob_log_reader *reader, ob_log_counts *counts);

#endif
