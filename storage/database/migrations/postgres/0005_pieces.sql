-- When a file's first sound came, in microseconds since 1970: what a recording's start is may
-- still be learned.
ALTER TABLE recording_tracks RENAME COLUMN start_ms TO began;
UPDATE recording_tracks SET began = began * 1000 + COALESCE(
    (SELECT started_at FROM recordings WHERE recordings.id = recording_tracks.recording), 0);

-- What is being written, as JSON, while it is.
ALTER TABLE recordings ADD COLUMN progress TEXT COLLATE "C";

-- The files of a track of which several recorders have one each, under the epoch in which it
-- began. Those that wait aren't in the track's own file yet. A track with one file has no row.
CREATE TABLE recording_pieces (
    recording TEXT COLLATE "C" NOT NULL REFERENCES recordings (id),
    track_sid TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    began BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    gaps TEXT COLLATE "C" NOT NULL,
    waits BIGINT NOT NULL,
    PRIMARY KEY (recording, track_sid, epoch)
);

CREATE INDEX recording_pieces_waiting ON recording_pieces (recording, track_sid) WHERE waits = 1;

-- Objects that no row points to any more, or not yet. One that is doomed may be gone.
CREATE TABLE unused_objects (
    object TEXT COLLATE "C" PRIMARY KEY,
    since BIGINT NOT NULL,
    doomed BIGINT NOT NULL
);
