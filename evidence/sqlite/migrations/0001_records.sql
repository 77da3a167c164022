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

-- One record of each act, and at most one unverified one before it.
CREATE UNIQUE INDEX record_act ON record (act, kind = 'unverified');
CREATE INDEX record_id ON record (id);
CREATE INDEX record_kind ON record (kind);
CREATE INDEX record_project ON record (project, version) WHERE project <> '';
CREATE INDEX record_change ON record (change_record) WHERE change_record <> '';
CREATE INDEX record_ring ON record (environment, ring) WHERE environment <> '';
CREATE INDEX record_rollout ON record (rollout) WHERE rollout <> '';
CREATE INDEX record_illegal ON record (idx) WHERE illegal <> '';
CREATE INDEX record_keyid ON record (keyid);
CREATE INDEX record_person ON record (person) WHERE person <> '';
CREATE INDEX record_recorded ON record (recorded);

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

-- The Merkle tree over the records: RFC 6962 hashes in the order of
-- golang.org/x/mod/sumdb/tlog's stored hashes.
CREATE TABLE hash (
	idx   INTEGER PRIMARY KEY CHECK (idx >= 0),
	value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT;

-- The words of a record, by its index.
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER record_next BEFORE INSERT ON record
	WHEN NEW.idx IS NOT (SELECT coalesce(max(idx), -1) + 1 FROM record)
	BEGIN SELECT RAISE(ABORT, 'append-only: a record takes the next index'); END;
CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only: no record is updated'); END;
CREATE TRIGGER record_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append-only: no record is deleted'); END;
CREATE TRIGGER envelope_update BEFORE UPDATE ON envelope BEGIN SELECT RAISE(ABORT, 'append-only: no envelope is updated'); END;
CREATE TRIGGER envelope_delete BEFORE DELETE ON envelope BEGIN SELECT RAISE(ABORT, 'append-only: no envelope is deleted'); END;
CREATE TRIGGER digest_update BEFORE UPDATE ON digest BEGIN SELECT RAISE(ABORT, 'append-only: no digest is updated'); END;
CREATE TRIGGER digest_delete BEFORE DELETE ON digest BEGIN SELECT RAISE(ABORT, 'append-only: no digest is deleted'); END;
CREATE TRIGGER target_update BEFORE UPDATE ON target BEGIN SELECT RAISE(ABORT, 'append-only: no target is updated'); END;
CREATE TRIGGER target_delete BEFORE DELETE ON target BEGIN SELECT RAISE(ABORT, 'append-only: no target is deleted'); END;
CREATE TRIGGER blob_update BEFORE UPDATE ON blob BEGIN SELECT RAISE(ABORT, 'append-only: no blob is updated'); END;
CREATE TRIGGER blob_delete BEFORE DELETE ON blob BEGIN SELECT RAISE(ABORT, 'append-only: no blob is deleted'); END;
CREATE TRIGGER hash_update BEFORE UPDATE ON hash BEGIN SELECT RAISE(ABORT, 'append-only: no hash is updated'); END;
CREATE TRIGGER hash_delete BEFORE DELETE ON hash BEGIN SELECT RAISE(ABORT, 'append-only: no hash is deleted'); END;
