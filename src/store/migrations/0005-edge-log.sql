-- The request log of a Cloudflare Worker. A native gateway has a file of its
-- own for it, and leaves these empty.

-- One row holds some hundred requests: each write appends to the last one
-- until that is large, so that a row that is written once is deleted once.
CREATE TABLE edge_log (
    -- The unix day times 1,000,000, and a number within it.
    id INTEGER PRIMARY KEY,
    -- How many rows such writes had cost on that day, with the last of this
    -- row.
    written INTEGER NOT NULL,
    -- Between which the requests ended, those that are not kept too.
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    -- Of the requests that are kept; and how many had no room.
    count INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    -- Of both texts.
    bytes INTEGER NOT NULL,
    -- A line a write: worker/log_entries.c.
    entries TEXT NOT NULL,
    -- The same of all requests, by minute: worker/log_cells.c.
    sums TEXT NOT NULL
) STRICT;

-- What rows of edge_log came to, by hour and by day: 3600 or 86400 seconds
-- from `at`, unix seconds.
CREATE TABLE edge_sums (
    span INTEGER NOT NULL,
    at INTEGER NOT NULL,
    providers TEXT NOT NULL,
    models TEXT NOT NULL,
    auth_keys TEXT NOT NULL,
    -- By provider, model and auth key.
    callers TEXT NOT NULL,
    -- By provider, model and key.
    keys TEXT NOT NULL,
    PRIMARY KEY (span, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE edge_log_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- Rows of edge_log up to that are in edge_sums; of them there are so many,
    -- with so many requests and bytes.
    upto INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    -- Rows that summing up and deleting had cost on that unix day.
    day INTEGER NOT NULL,
    written INTEGER NOT NULL
) STRICT;
INSERT INTO edge_log_state
    (only, upto, rows, count, bytes, lost, day, written)
    VALUES (1, 0, 0, 0, 0, 0, 0, 0);
