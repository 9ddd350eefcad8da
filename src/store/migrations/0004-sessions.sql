-- Who is signed in at the console of a Worker, whose isolates share no memory.
-- Natively the sessions are in memory, and this stays empty.

CREATE TABLE sessions (
    -- What people call it. Never given again.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the id, which only the browser holds.
    id_hash BLOB NOT NULL UNIQUE,
    -- Of the auth key that opened it.
    key_hash BLOB NOT NULL,
    -- Unix seconds.
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    address TEXT NOT NULL
) STRICT;
