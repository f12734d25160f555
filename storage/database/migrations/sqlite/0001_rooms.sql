-- The last epoch granted to anybody, for any room: what makes an epoch higher than every earlier one.
CREATE TABLE epochs (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO epochs (id, last) VALUES (1, 0);

-- Who owns which room. `settings` is the CreateRoomRequest of a room that the API created: such a
-- room comes back after a restart, one that began with a join doesn't.
CREATE TABLE rooms (
    name TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    settings BLOB
) STRICT, WITHOUT ROWID;
