-- Records whose files were removed and whose bytes were not, and the record that
-- ordered it.
CREATE TABLE blob_erasure (
	record     INTEGER PRIMARY KEY REFERENCES record (idx),
	ordered_by INTEGER NOT NULL REFERENCES record (idx) CHECK (ordered_by > record)
) STRICT;

CREATE TRIGGER blob_erasure_ordered BEFORE INSERT ON blob_erasure
	WHEN NOT EXISTS (SELECT 1 FROM record, digest WHERE record.idx = NEW.record AND digest.value IN (record.act, record.id) AND digest.record = NEW.ordered_by)
	BEGIN SELECT RAISE(ABORT, 'append-only: what orders an erasure names the record'); END;
CREATE TRIGGER blob_erasure_update BEFORE UPDATE ON blob_erasure BEGIN SELECT RAISE(ABORT, 'append-only: no erasure is updated'); END;
CREATE TRIGGER blob_erasure_delete BEFORE DELETE ON blob_erasure BEGIN SELECT RAISE(ABORT, 'append-only: no erasure is deleted'); END;
