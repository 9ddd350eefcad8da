-- What a person says of keys, and what was learned of their quotas.

-- Higher ones are used first; 0 to 7.
ALTER TABLE keys ADD COLUMN priority INTEGER NOT NULL DEFAULT 0
    CHECK (priority BETWEEN 0 AND 7);
-- The share among keys of the same priority; 1 to 100.
ALTER TABLE keys ADD COLUMN weight INTEGER NOT NULL DEFAULT 1
    CHECK (weight BETWEEN 1 AND 100);

-- What the keys with the same id / 128 have used and may use of a model. They
-- change with every request, so 128 of them share a row, as in `usage`. An
-- empty model is all models together.
CREATE TABLE ledgers (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    -- Unix seconds.
    saved_at INTEGER NOT NULL,
    -- src/core/ledger_bytes.h
    ledgers BLOB NOT NULL,
    PRIMARY KEY (provider, model, chunk)
) STRICT;

-- Which key served what: conversations, files, stored responses.
CREATE TABLE affinity (
    -- 64 bits, as a signed number.
    hash INTEGER PRIMARY KEY,
    key_id INTEGER NOT NULL,
    -- Unix seconds.
    used_at INTEGER NOT NULL,
    -- 1: no other key can use it.
    resource INTEGER NOT NULL
) STRICT;
