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
    detail TEXT,
    tags BLOB NOT NULL
);

CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    response TEXT NOT NULL
);

-- What can be asked for: which rows have a provider, a key, a verdict, …
CREATE TABLE tags (
    tag INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (tag, id)
) WITHOUT ROWID;

-- span: 60, 3600, 86400 seconds, by provider, model and auth key (key_id is 0);
-- 3601 and 86401 are hours and days by provider, model and key (auth_key is
-- 0). at: unix seconds of its beginning. 0 in all three: the rest, where there
-- were too many to tell apart.
CREATE TABLE rollups (
    span INTEGER NOT NULL,
    at INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    model INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    auth_key INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_reasoning INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    first_byte BLOB NOT NULL,
    total BLOB NOT NULL,
    causes BLOB NOT NULL,
    PRIMARY KEY (span, at, provider, model, key_id, auth_key)
) WITHOUT ROWID;
