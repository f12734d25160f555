-- Whose tokens for a room are refused if they were issued before a time. An empty identity means
-- everybody's: no participant has one.
CREATE TABLE revocations (
    room TEXT NOT NULL,
    identity TEXT NOT NULL,
    issued_before INTEGER NOT NULL,
    PRIMARY KEY (room, identity)
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_by_age ON revocations (issued_before);
