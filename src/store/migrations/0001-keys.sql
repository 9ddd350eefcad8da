-- The first schema. Plain SQL only: the same files make the tables on
-- Cloudflare D1, where the version is kept by its own migrations.

-- Rises with every change of a key; a reader asks for what came after.
CREATE TABLE revision (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision (only, number) VALUES (1, 0);

CREATE TABLE keys (
    -- Never given again, so that a stale id cannot hit another key.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    -- HMAC-SHA-256 over provider and secret.
    fingerprint BLOB NOT NULL UNIQUE,
    -- The secret: version, nonce, AES-256-GCM ciphertext, tag.
    sealed BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'blocked')),
    blocked_reason TEXT NOT NULL DEFAULT '',
    remark TEXT NOT NULL DEFAULT '',
    -- Unix seconds.
    created_at INTEGER NOT NULL,
    total_cooling_ms INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL,
    -- The revision of a person's last decision about status or cool-downs.
    decided INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX keys_revision ON keys (revision);

-- Counters change with every request, so 128 keys share a row: those with
-- the same id / 128. For each, by id % 128, three 64-bit little-endian
-- numbers: requests, failures, last_used_ms.
CREATE TABLE usage (
    chunk INTEGER PRIMARY KEY,
    counters BLOB NOT NULL
) STRICT;

-- An empty model is every model.
CREATE TABLE cooldowns (
    key_id INTEGER NOT NULL,
    model TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (key_id, model)
) STRICT, WITHOUT ROWID;

-- Tombstones, so that others learn of a removal.
CREATE TABLE removed_keys (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    removed_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX removed_keys_revision ON removed_keys (revision);

-- The evidence: why a key's state changed.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    key_id INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- HTTP status of the response; 0: none, or a person.
    status INTEGER NOT NULL,
    model TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    words TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
CREATE INDEX changes_key ON changes (key_id);

-- What administrators did.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    act TEXT NOT NULL,
    key_id INTEGER NOT NULL,
    who TEXT NOT NULL
) STRICT;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
