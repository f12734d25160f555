-- The last epoch granted to anybody, for any room: what makes an epoch higher than every earlier one.
CREATE TABLE epochs (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);

INSERT INTO epochs (id, last) VALUES (1, 0);

-- Who owns which room. `settings` is the CreateRoomRequest of a room that the API created: such a
-- room comes back after a restart, one that began with a join doesn't.
-- Text is compared by its bytes, as SQLite does, so that both stores page in one order.
CREATE TABLE rooms (
    name TEXT COLLATE "C" PRIMARY KEY,
    node TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    settings BYTEA
);
