-- The request log. Plain SQL, so that any SQLite, D1 too, can run it.

-- Texts that come again and again. `last`: a row's id since which the name was
-- used; -1: for ever, since roll-ups use it.
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL
);

-- One row a request, in the order in which they ended; ended_ms never goes
-- back. auth_key, route,
-- provider, asked, model, key, error are names; 0 stands for none. attempts is
-- how many there were, detail what is kept of them.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    ended_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    auth_key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    model INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    key INTEGER NOT NULL,
    status INTEGER NOT NULL,
    error INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    first_byte_ms INTEGER,
    waited_ms INTEGER NOT NULL,
    tokens_in INTEGER,
    tokens_out INTEGER,
    tokens_cached INTEGER,
    tokens_reasoning INTEGER,
    cost INTEGER,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    metadata TEXT,
    detail TEXT
);

CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    response TEXT NOT NULL
);

-- What can be asked for: which rows have a provider, a key, a verdict, …
-- The newest rows' tags, as they were written, a row a transaction: for each
-- request from first to last a byte with the count of its tags, and six bytes
-- a tag, the lowest first.
CREATE TABLE recent (
    last INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    tags BLOB NOT NULL
);

-- Up to 4,096 requests that follow one another, sorted by what they have.
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);

-- A tag's requests in a block, counted from its first: the distances from one
-- to the next, seven bits a byte, or 512 bytes with a bit each.
CREATE TABLE tags (
    block INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (block, tag)
) WITHOUT ROWID;

-- Sums over spans of time. span: 60, 3600 or 86400 seconds, and what they are
-- kept by: +0 provider, model and auth key; +1 provider, model and key, hours
-- alone; +2 provider and key; +3 provider or model or auth key alone. at: unix seconds of
-- its beginning. -1: of all of them; 0: of none, and of the rest where there
-- were too many to tell apart. sums: see rollup.c.
CREATE TABLE rollups (
    span INTEGER NOT NULL,
    at INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    model INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    auth_key INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    sums BLOB NOT NULL,
    PRIMARY KEY (span, at, provider, model, key_id, auth_key)
) WITHOUT ROWID;
