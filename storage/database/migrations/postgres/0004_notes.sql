-- Voice notes, from the request to upload one until its object is gone. Times are microseconds
-- since 1970.
CREATE TABLE notes (
    id TEXT COLLATE "C" PRIMARY KEY,
    room TEXT COLLATE "C" NOT NULL,
    sender TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C",
    request_digest BYTEA NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('uploading', 'ready', 'deleted')),
    created_at BIGINT NOT NULL,
    upload_expires_at BIGINT NOT NULL,
    ready_at BIGINT,
    duration_ms BIGINT,
    codec TEXT COLLATE "C",
    waveform BYTEA,
    -- The place in the room's history, given when it became ready.
    seq BIGINT,
    swept_at BIGINT
);

CREATE UNIQUE INDEX notes_by_key ON notes (room, sender, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX notes_by_seq ON notes (room, seq) WHERE seq IS NOT NULL;
CREATE INDEX notes_uploading ON notes (upload_expires_at) WHERE status = 'uploading';
CREATE INDEX notes_of_uploader ON notes (room, sender) WHERE status = 'uploading';
CREATE INDEX notes_deleted ON notes (id) WHERE status = 'deleted';

-- The last place given in each room's history.
CREATE TABLE note_sequences (
    room TEXT COLLATE "C" PRIMARY KEY,
    last BIGINT NOT NULL
);
