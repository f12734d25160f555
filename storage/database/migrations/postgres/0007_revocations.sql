-- Whose tokens for a room are refused if they were issued before a time. An empty identity means
-- everybody's: no participant has one.
CREATE TABLE revocations (
    room TEXT COLLATE "C" NOT NULL,
    identity TEXT COLLATE "C" NOT NULL,
    issued_before BIGINT NOT NULL,
    PRIMARY KEY (room, identity)
);

CREATE INDEX revocations_by_age ON revocations (issued_before);
