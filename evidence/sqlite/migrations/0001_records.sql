-- A record: what its envelope says, who signed it, and when it came. Times are
-- milliseconds since 1970 in UTC; a fact that a statement does not have is ''.
CREATE TABLE record (
	idx              INTEGER PRIMARY KEY CHECK (idx >= 0),
	id               BLOB NOT NULL CHECK (length(id) = 32),
	act              BLOB NOT NULL CHECK (length(act) = 32),
	recorded         INTEGER NOT NULL,
	proved           INTEGER,
	claimed          INTEGER,
	statement_type   TEXT NOT NULL,
	predicate_type   TEXT NOT NULL,
	keyid            TEXT NOT NULL,
	person           TEXT NOT NULL,
	role             TEXT NOT NULL,
	identity_issuer  TEXT NOT NULL,
	identity_subject TEXT NOT NULL,
	kind             TEXT NOT NULL,
	project          TEXT NOT NULL,
	version          TEXT NOT NULL,
	change_record    TEXT NOT NULL,
	environment      TEXT NOT NULL,
	ring             TEXT NOT NULL,
	target_ring      TEXT NOT NULL,
	rollout_status   TEXT NOT NULL,
	approval_state   TEXT NOT NULL,
	execution_status TEXT NOT NULL,
	rollout          TEXT NOT NULL,
	request          TEXT NOT NULL,
	approval         TEXT NOT NULL,
	execution        TEXT NOT NULL,
	seen_origin      TEXT,
	seen_size        INTEGER,
	seen_root        BLOB,
	illegal          TEXT NOT NULL,
	digests          INTEGER NOT NULL, -- rows of the table digest
	targets          INTEGER NOT NULL, -- rows of the table target
	checksum         BLOB NOT NULL CHECK (length(checksum) = 32)
) STRICT;

-- One record of each act and signer, and at most one unverified one of each act.
CREATE UNIQUE INDEX record_act ON record (act, CASE kind WHEN 'unverified' THEN 0 ELSE keyid END);
CREATE INDEX record_id ON record (id);

-- By what records are found. The index of a record stands behind each value, so that
-- one value's records come in the order of the log.
CREATE INDEX record_kind ON record (kind);
CREATE INDEX record_project ON record (project);
CREATE INDEX record_keyid ON record (keyid);
CREATE INDEX record_person ON record (person) WHERE person <> '';
CREATE INDEX record_version ON record (version) WHERE version <> '';
CREATE INDEX record_change ON record (change_record) WHERE change_record <> '';
CREATE INDEX record_environment ON record (environment) WHERE environment <> '';
CREATE INDEX record_ring ON record (ring) WHERE ring <> '';
CREATE INDEX record_target_ring ON record (target_ring) WHERE target_ring <> '';
CREATE INDEX record_status ON record (rollout_status) WHERE rollout_status <> '';
CREATE INDEX record_approval ON record (approval_state) WHERE approval_state <> '';
CREATE INDEX record_execution ON record (execution_status) WHERE execution_status <> '';
CREATE INDEX record_rollout ON record (rollout) WHERE rollout <> '';
CREATE INDEX record_recorded ON record (recorded);
CREATE INDEX record_illegal ON record (idx) WHERE illegal <> '';

-- The exact bytes, apart from what is searched.
CREATE TABLE envelope (
	record INTEGER PRIMARY KEY REFERENCES record (idx),
	bytes  BLOB NOT NULL
) STRICT;

-- The digests of a record's subjects: the bytes behind hex digits.
CREATE TABLE digest (
	value  BLOB NOT NULL,
	record INTEGER NOT NULL REFERENCES record (idx),
	PRIMARY KEY (value, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE target (
	value  TEXT NOT NULL,
	record INTEGER NOT NULL REFERENCES record (idx),
	PRIMARY KEY (value, record)
) STRICT, WITHOUT ROWID;

-- Files of the blob store that belong to a record.
CREATE TABLE blob (
	record INTEGER NOT NULL REFERENCES record (idx),
	digest BLOB NOT NULL CHECK (length(digest) = 32),
	size   INTEGER NOT NULL CHECK (size >= 0),
	PRIMARY KEY (record, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_digest ON blob (digest);

-- The Merkle tree over the records: the RFC 6962 hashes that a record completes, its
-- own first, then those of the subtrees that end with it, smallest first.
CREATE TABLE tree (
	record INTEGER PRIMARY KEY REFERENCES record (idx),
	hashes BLOB NOT NULL CHECK (length(hashes) >= 32 AND length(hashes) % 32 = 0)
) STRICT;

-- Which log this is: one row, or none yet.
CREATE TABLE log (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	origin   TEXT NOT NULL,
	key      BLOB NOT NULL CHECK (length(key) = 32),
	checksum BLOB NOT NULL CHECK (length(checksum) = 32)
) STRICT;

-- Signed checkpoints in the order in which they came.
CREATE TABLE checkpoint (
	idx      INTEGER PRIMARY KEY CHECK (idx >= 0),
	size     INTEGER NOT NULL CHECK (size >= 0),
	note     BLOB NOT NULL CHECK (length(note) > 0),
	checksum BLOB NOT NULL CHECK (length(checksum) = 32)
) STRICT;

CREATE INDEX checkpoint_size ON checkpoint (size);

-- Records whose bytes were removed, and the record that ordered it.
CREATE TABLE erasure (
	record     INTEGER PRIMARY KEY REFERENCES record (idx),
	ordered_by INTEGER NOT NULL REFERENCES record (idx) CHECK (ordered_by > record)
) STRICT;

-- The words of a record, by its index.
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER checkpoint_next BEFORE INSERT ON checkpoint
	WHEN NEW.idx IS NOT (SELECT coalesce(max(idx), -1) + 1 FROM checkpoint)
	BEGIN SELECT RAISE(ABORT, 'append-only: a checkpoint takes the next index'); END;
CREATE TRIGGER erasure_ordered BEFORE INSERT ON erasure
	WHEN NOT EXISTS (SELECT 1 FROM record, digest WHERE record.idx = NEW.record AND digest.value IN (record.act, record.id) AND digest.record = NEW.ordered_by)
	BEGIN SELECT RAISE(ABORT, 'append-only: what orders an erasure names the record'); END;
CREATE TRIGGER envelope_delete BEFORE DELETE ON envelope
	WHEN NOT EXISTS (SELECT 1 FROM erasure WHERE record = OLD.record)
	BEGIN SELECT RAISE(ABORT, 'append-only: no envelope is deleted without an erasure'); END;
CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only: no record is updated'); END;
CREATE TRIGGER record_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append-only: no record is deleted'); END;
CREATE TRIGGER envelope_update BEFORE UPDATE ON envelope BEGIN SELECT RAISE(ABORT, 'append-only: no envelope is updated'); END;
CREATE TRIGGER digest_update BEFORE UPDATE ON digest BEGIN SELECT RAISE(ABORT, 'append-only: no digest is updated'); END;
CREATE TRIGGER digest_delete BEFORE DELETE ON digest BEGIN SELECT RAISE(ABORT, 'append-only: no digest is deleted'); END;
CREATE TRIGGER target_update BEFORE UPDATE ON target BEGIN SELECT RAISE(ABORT, 'append-only: no target is updated'); END;
CREATE TRIGGER target_delete BEFORE DELETE ON target BEGIN SELECT RAISE(ABORT, 'append-only: no target is deleted'); END;
CREATE TRIGGER blob_update BEFORE UPDATE ON blob BEGIN SELECT RAISE(ABORT, 'append-only: no blob is updated'); END;
CREATE TRIGGER blob_delete BEFORE DELETE ON blob BEGIN SELECT RAISE(ABORT, 'append-only: no blob is deleted'); END;
CREATE TRIGGER tree_update BEFORE UPDATE ON tree BEGIN SELECT RAISE(ABORT, 'append-only: no hash is updated'); END;
CREATE TRIGGER tree_delete BEFORE DELETE ON tree BEGIN SELECT RAISE(ABORT, 'append-only: no hash is deleted'); END;
CREATE TRIGGER log_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'append-only: no log is updated'); END;
CREATE TRIGGER log_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'append-only: no log is deleted'); END;
CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'append-only: no checkpoint is updated'); END;
CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'append-only: no checkpoint is deleted'); END;
CREATE TRIGGER erasure_update BEFORE UPDATE ON erasure BEGIN SELECT RAISE(ABORT, 'append-only: no erasure is updated'); END;
CREATE TRIGGER erasure_delete BEFORE DELETE ON erasure BEGIN SELECT RAISE(ABORT, 'append-only: no erasure is deleted'); END;
