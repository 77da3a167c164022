package sqlite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
)

// logged makes a closed store of five records with an identity and checkpoints of 3 and
// 5 records; it returns the second one, as an outsider keeps it.
func logged(t testing.TB) (file string, kept []byte) {
	t.Helper()
	file = filled(t)
	s, err := sqlite.Open(t.Context(), file, frozen)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.InitLog(t.Context(), storetest.Identity()); err != nil {
		t.Fatal(err)
	}
	storetest.SaveCheckpoint(t, s, 3)
	kept = storetest.SaveCheckpoint(t, s, 5)
	storetest.Sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file, kept
}

func TestTriggersOfLog(t *testing.T) {
	file, _ := logged(t)
	for _, statement := range []string{
		"UPDATE log SET origin = 'other'", "DELETE FROM log", "INSERT OR REPLACE INTO log SELECT one, 'other', key, checksum FROM log",
		"INSERT INTO log SELECT 2, origin, key, checksum FROM log",
		"UPDATE checkpoint SET size = 4", "DELETE FROM checkpoint", "REPLACE INTO checkpoint SELECT 0, 4, note, checksum FROM checkpoint",
		"INSERT INTO checkpoint SELECT 7, size, note, checksum FROM checkpoint WHERE idx = 0",
	} {
		if err := try(file, statement); err == nil {
			t.Errorf("%s: done", statement)
		}
	}
	if problems := found(t, file); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestAlteredLogIsNamed(t *testing.T) {
	for name, attack := range map[string]struct{ statement, want string }{
		"another origin":         {"UPDATE log SET origin = 'example.com/other-4f1c0a9b2d3e5f60'", "store: log identity: "},
		"another key":            {"UPDATE log SET key = randomblob(32)", "store: checkpoint 0: expected a checkpoint that the log has signed"},
		"no identity":            {"DELETE FROM log", "store: checkpoint 1: expected a checkpoint that the log has signed"},
		"identity's checksum":    {"UPDATE log SET checksum = randomblob(32)", "store: log identity: "},
		"size of a checkpoint":   {"UPDATE checkpoint SET size = 4 WHERE idx = 1", "store: checkpoint 1: expected size 5, found 4"},
		"text of a checkpoint":   {"UPDATE checkpoint SET note = CAST(replace(note, char(10) || '5' || char(10), char(10) || '4' || char(10)) AS BLOB) WHERE idx = 1", "store: checkpoint 1: expected a checkpoint that the log has signed"},
		"checkpoint's checksum":  {"UPDATE checkpoint SET checksum = randomblob(32) WHERE idx = 0", "store: checkpoint 0: expected checksum"},
		"checkpoint removed":     {"DELETE FROM checkpoint WHERE idx = 0", "store: checkpoint 0: expected a checkpoint, found none"},
		"no checkpoint":          {"UPDATE checkpoint SET note = x'00' WHERE idx = 0", "store: checkpoint 0: expected a checkpoint"},
		"checkpoints exchanged":  {"UPDATE checkpoint SET idx = 1 - idx + 10; UPDATE checkpoint SET idx = idx - 10", "store: checkpoint 0: expected checksum"},
		"record taken from end":  {"DELETE FROM digest WHERE record = 4; DELETE FROM target WHERE record = 4; DELETE FROM words WHERE rowid = 4; DELETE FROM tree WHERE record = 4; DELETE FROM envelope WHERE record = 4; DELETE FROM record WHERE idx = 4", "store: checkpoint 1: expected 5 records at least, found 4"},
		"tree against the roots": {"UPDATE tree SET hashes = randomblob(32) WHERE record = 2", "record 2: tree"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := logged(t)
			behindTriggers(t, file, "PRAGMA foreign_keys = 0", attack.statement)
			mention(t, found(t, file), attack.want)
		})
	}
}

// Every byte of a saved checkpoint counts.
func TestFlippedCheckpoint(t *testing.T) {
	file, kept := logged(t)
	for at := 1; at <= len(kept); at += 13 {
		flip := "UPDATE checkpoint SET note = CAST(substr(note, 1, %[1]d - 1) || char(unicode(CAST(substr(note, %[1]d, 1) AS TEXT)) %[2]s 1) || substr(note, %[1]d + 1) AS BLOB) WHERE idx = 1"
		if kept[at-1] >= 0x7f {
			continue // part of a longer character
		}
		behindTriggers(t, file, fmt.Sprintf(flip, at, "+"))
		mention(t, found(t, file), "store: checkpoint 1: ")
		behindTriggers(t, file, fmt.Sprintf(flip, at, "-"))
	}
	if problems := found(t, file); len(problems) > 0 {
		t.Error(problems)
	}
}

// rebuild makes a log of its own of these rollouts, as somebody does who holds file and
// log key: it is sound in itself.
func rebuild(t *testing.T, rollouts ...int) *sqlite.Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), "evidence.db"), frozen)
	if err := s.InitLog(t.Context(), storetest.Identity()); err != nil {
		t.Fatal(err)
	}
	for _, n := range rollouts {
		storetest.Add(t, s, storetest.Rollout(n))
	}
	storetest.SaveCheckpoint(t, s, int64(len(rollouts)))
	storetest.Sound(t, s)
	return s
}

// What is rebuilt and signed again is told from the log by a checkpoint that somebody
// else has kept, and by nothing else.
func TestRebuiltLog(t *testing.T) {
	_, kept := logged(t)
	old, err := translog.Open(kept, storetest.Origin, storetest.Identity().Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		rollouts []int
		same     bool
	}{
		"the log":           {[]int{0, 1, 2, 3, 4}, true},
		"the log, longer":   {[]int{0, 1, 2, 3, 4, 5, 6}, true},
		"record left out":   {[]int{0, 1, 3, 4, 5}, false},
		"records exchanged": {[]int{0, 2, 1, 3, 4}, false},
		"record put in":     {[]int{0, 1, 7, 2, 3, 4}, false},
		"backup restored":   {[]int{0, 1, 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := storetest.Tree(t.Context(), rebuild(t, tc.rollouts...), old.Size)
			if same := err == nil && tree == old.Tree; same != tc.same {
				t.Errorf("of the kept checkpoint: %v, %v, expected %v", same, err, tc.same)
			}
		})
	}
}

// A store that is given another log's row does not take that log's checkpoints for its
// own: the tree of its records has another root.
func TestForeignCheckpoint(t *testing.T) {
	s := rebuild(t, 0, 1, 2)
	_, kept := logged(t)
	err := s.Append(t.Context(), func(tx evidence.Tx) error { return tx.SaveCheckpoint(t.Context(), 5, kept) })
	if err != nil {
		t.Fatal(err)
	}
	mention(t, storetest.Problems(t, s), "store: checkpoint 1: expected 5 records at least, found 3")
	storetest.Add(t, s, storetest.Rollout(8), storetest.Rollout(9))
	problems := storetest.Problems(t, s)
	mention(t, problems, "store: checkpoint 1: expected root ")
	if note, err := s.Checkpoint(t.Context()); err != nil || !bytes.Equal(note, kept) || len(problems) != 1 || !strings.Contains(problems[0], "of 5 records") {
		t.Errorf("%q, %v", problems, err)
	}
}
