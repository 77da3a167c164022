-- The combinations of facts with few values that records have: a search for several of
-- them learns here that no record has them all, and otherwise walks the records of each
-- combination in the order of the log.
CREATE TABLE class (
	kind             TEXT NOT NULL,
	project          TEXT NOT NULL,
	environment      TEXT NOT NULL,
	ring             TEXT NOT NULL,
	target_ring      TEXT NOT NULL,
	rollout_status   TEXT NOT NULL,
	approval_state   TEXT NOT NULL,
	execution_status TEXT NOT NULL,
	PRIMARY KEY (kind, project, environment, ring, target_ring, rollout_status, approval_state, execution_status)
) STRICT, WITHOUT ROWID;

INSERT INTO class SELECT DISTINCT kind, project, environment, ring, target_ring, rollout_status, approval_state, execution_status FROM record;

CREATE INDEX record_class ON record (kind, project, environment, ring, target_ring, rollout_status, approval_state, execution_status);

CREATE TRIGGER class_update BEFORE UPDATE ON class BEGIN SELECT RAISE(ABORT, 'append-only: no class is updated'); END;
CREATE TRIGGER class_delete BEFORE DELETE ON class BEGIN SELECT RAISE(ABORT, 'append-only: no class is deleted'); END;
