-- Auth keys that administrators make, what every auth key has used, and the
-- audit log's details.

CREATE TABLE auth_keys (
    -- Never given again: names and logs tell of it after its end.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    -- SHA-256 of the key, which is random; the key itself is not kept.
    hash BLOB NOT NULL UNIQUE,
    -- What people see of it: its end.
    shown TEXT NOT NULL,
    -- JSON: [{"provider": …, "models": […] or null}]; []: unrestricted.
    permissions TEXT NOT NULL,
    -- Unix seconds; 0: never.
    expires_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL DEFAULT 0,
    -- 0: no limit.
    requests_minute INTEGER NOT NULL DEFAULT 0,
    tokens_minute INTEGER NOT NULL DEFAULT 0,
    micro_usd_day INTEGER NOT NULL DEFAULT 0,
    micro_usd_month INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX auth_keys_name ON auth_keys (name) WHERE revoked_at = 0;
CREATE INDEX auth_keys_revision ON auth_keys (revision);

-- What an auth key has spent, those of AUTH_KEY too. By its hash.
CREATE TABLE allowances (
    hash BLOB PRIMARY KEY,
    -- Unix days, and 12 * year + month from 0, both UTC.
    day INTEGER NOT NULL,
    month INTEGER NOT NULL,
    micro_usd_day INTEGER NOT NULL,
    micro_usd_month INTEGER NOT NULL,
    -- Unix seconds; 0: never.
    last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE audit ADD COLUMN detail TEXT NOT NULL DEFAULT '';
