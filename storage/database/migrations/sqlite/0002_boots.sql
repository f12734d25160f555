-- An owner is one life of a node: what an earlier life held is over.
ALTER TABLE rooms ADD COLUMN boot TEXT NOT NULL DEFAULT '0000000000000000';

CREATE INDEX rooms_saved ON rooms (name) WHERE settings IS NOT NULL;
CREATE INDEX rooms_by_node ON rooms (node);
