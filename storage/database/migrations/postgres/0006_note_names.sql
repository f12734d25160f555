-- The name that the sender's token gave. Notes of before have none.
ALTER TABLE notes ADD COLUMN sender_name TEXT COLLATE "C" NOT NULL DEFAULT '';
