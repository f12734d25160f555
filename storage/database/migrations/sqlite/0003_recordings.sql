-- Recordings, each also the job of the one recorder that holds it under its epoch. Times are
-- microseconds since 1970.
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    consent INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('recording', 'finalizing', 'available', 'failed')),
    failure TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    stop_requested_at INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    recorder_node TEXT,
    recorder_boot TEXT,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX recordings_of_room ON recordings (room, id);
CREATE INDEX recordings_unfinished ON recordings (id) WHERE status IN ('recording', 'finalizing');
-- A room is recorded once at a time.
CREATE UNIQUE INDEX recordings_running ON recordings (room)
    WHERE status = 'recording' AND stop_requested_at IS NULL;

-- One file each. `gaps` is JSON as the API shows it.
CREATE TABLE recording_tracks (
    recording TEXT NOT NULL REFERENCES recordings (id),
    track_sid TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    participant_sid TEXT NOT NULL,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    object TEXT NOT NULL,
    gaps TEXT NOT NULL,
    PRIMARY KEY (recording, track_sid)
) STRICT, WITHOUT ROWID;
