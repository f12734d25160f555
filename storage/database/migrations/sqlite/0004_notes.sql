-- Voice notes, from the request to upload one until its object is gone. Times are microseconds
-- since 1970.
CREATE TABLE notes (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    sender TEXT NOT NULL,
    idempotency_key TEXT,
    request_digest BLOB NOT NULL,
    content_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    object TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('uploading', 'ready', 'deleted')),
    created_at INTEGER NOT NULL,
    upload_expires_at INTEGER NOT NULL,
    ready_at INTEGER,
    duration_ms INTEGER,
    codec TEXT,
    waveform BLOB,
    -- The place in the room's history, given when it became ready.
    seq INTEGER,
    swept_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX notes_by_key ON notes (room, sender, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX notes_by_seq ON notes (room, seq) WHERE seq IS NOT NULL;
CREATE INDEX notes_uploading ON notes (upload_expires_at) WHERE status = 'uploading';
CREATE INDEX notes_of_uploader ON notes (room, sender) WHERE status = 'uploading';
CREATE INDEX notes_deleted ON notes (id) WHERE status = 'deleted';

-- The last place given in each room's history.
CREATE TABLE note_sequences (
    room TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
