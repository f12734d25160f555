-- Recordings, each also the job of the one recorder that holds it under its epoch. Times are
-- microseconds since 1970.
CREATE TABLE recordings (
    id TEXT COLLATE "C" PRIMARY KEY,
    room TEXT COLLATE "C" NOT NULL,
    requested_by TEXT COLLATE "C" NOT NULL,
    consent BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('recording', 'finalizing', 'available', 'failed')),
    failure TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    stop_requested_at BIGINT,
    epoch BIGINT NOT NULL DEFAULT 0,
    recorder_node TEXT COLLATE "C",
    recorder_boot TEXT COLLATE "C",
    lease_until BIGINT
);

CREATE INDEX recordings_of_room ON recordings (room, id);
CREATE INDEX recordings_unfinished ON recordings (id) WHERE status IN ('recording', 'finalizing');
-- A room is recorded once at a time.
CREATE UNIQUE INDEX recordings_running ON recordings (room)
    WHERE status = 'recording' AND stop_requested_at IS NULL;

-- One file each. `gaps` is JSON as the API shows it.
CREATE TABLE recording_tracks (
    recording TEXT COLLATE "C" NOT NULL REFERENCES recordings (id),
    track_sid TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    participant_sid TEXT COLLATE "C" NOT NULL,
    identity TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    gaps TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (recording, track_sid)
);
