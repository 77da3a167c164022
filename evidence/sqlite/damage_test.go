package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// Every column of every fact: a change is found and named.
func TestEveryColumnIsChecked(t *testing.T) {
	file := filled(t)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT name, type FROM pragma_table_info('record')")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		types[name] = kind
	}
	if err := errors.Join(rows.Err(), rows.Close(), db.Close()); err != nil || len(types) < 30 {
		t.Fatal(err, types)
	}
	delete(types, "idx")
	for name, kind := range types {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			value, want := map[string]string{"TEXT": "'changed'", "INTEGER": "12345", "BLOB": "x'" + strings.Repeat("ab", 32) + "'"}[kind], name
			if strings.HasPrefix(name, "seen_") {
				behindTriggers(t, file, "UPDATE record SET seen_origin = 'changed', seen_size = 12345, seen_root = x'"+strings.Repeat("ab", 32)+"' WHERE idx = 3")
			} else {
				behindTriggers(t, file, fmt.Sprintf("UPDATE record SET %s = %s WHERE idx = 3", name, value))
			}
			switch name {
			case "proved", "recorded", "illegal":
				want = "checksum" // no envelope says it, and nobody judges these records
			case "identity_issuer", "identity_subject":
				want = "identity"
			}
			mention(t, found(t, file), "record 3: "+want)
		})
	}
}

// A flipped bit in an envelope is named, wherever it is.
func TestFlippedEnvelope(t *testing.T) {
	file := filled(t)
	size := len(storetest.Rollout(3))
	for at := 1; at <= size; at += size / 40 {
		behindTriggers(t, file, fmt.Sprintf("UPDATE envelope SET bytes = CAST(substr(bytes, 1, %[1]d - 1) || char(unicode(CAST(substr(bytes, %[1]d, 1) AS TEXT)) + 1) || substr(bytes, %[1]d + 1) AS BLOB) WHERE record = 3", at))
		problems := found(t, file)
		if len(problems) == 0 || !strings.HasPrefix(problems[0], "record 3: ") {
			t.Errorf("byte %d: %q", at, problems)
		}
		behindTriggers(t, file, fmt.Sprintf("UPDATE envelope SET bytes = CAST(substr(bytes, 1, %[1]d - 1) || char(unicode(CAST(substr(bytes, %[1]d, 1) AS TEXT)) - 1) || substr(bytes, %[1]d + 1) AS BLOB) WHERE record = 3", at))
	}
	if problems := found(t, file); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestDamagedBlobs(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"flipped":   func(f string) error { return os.WriteFile(f, []byte("bin/agf_0"), 0o600) },
		"cut":       func(f string) error { return os.WriteFile(f, []byte("bin/age_"), 0o600) },
		"longer":    func(f string) error { return os.WriteFile(f, []byte("bin/age_0\n"), 0o600) },
		"removed":   os.Remove,
		"directory": func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			digest := evidence.SHA256([]byte("bin/age_0"))
			blob := filepath.Join(filepath.Dir(file), "blobs", "sha256", digest[:2], digest)
			if err := os.Chmod(blob, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := damage(blob); err != nil {
				t.Fatal(err)
			}
			mention(t, found(t, file), "record 0: blob sha256:"+digest)
		})
	}
}

// A bit that the disk lost is found, or it lies where nothing is stored.
func TestFlippedDatabase(t *testing.T) {
	original, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "evidence.db")
	noticed, tries := 0, 0
	for at := 100; at < len(original); at += len(original) / 60 {
		tries++
		data := bytes.Clone(original)
		data[at] ^= 0x10
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.OpenReadOnly(t.Context(), file)
		if err != nil {
			noticed++
			continue
		}
		report, err := storetest.Intake().VerifyAll(t.Context(), s)
		if err != nil || len(report.Problems) > 0 {
			noticed++
		} else if size, _ := s.Len(t.Context()); size != 5 {
			t.Errorf("byte %d: %d records and no problem", at, size)
		}
		s.Close()
	}
	t.Logf("%d of %d flips noticed; the rest lie in unused space", noticed, tries)
	if noticed == 0 {
		t.Error("no flip was noticed")
	}
}

// Reading leaves also the write-ahead log of a process that died as it is.
func TestReadingDoesNotTidyUp(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "evidence.db")
	storetest.Add(t, openAt(t, file, frozen), storetest.Rollout(0), storetest.Rollout(1))
	copied := map[string][]byte{}
	other := t.TempDir()
	for _, name := range []string{"evidence.db", "evidence.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(data) == 0 {
			t.Fatal(err, len(data))
		}
		copied[name] = data
		if err := os.WriteFile(filepath.Join(other, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.OpenReadOnly(t.Context(), filepath.Join(other, "evidence.db"))
	if err != nil {
		t.Fatal(err)
	}
	if size, err := s.Len(t.Context()); err != nil || size != 2 {
		t.Errorf("%d records, %v", size, err)
	}
	storetest.Sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, before := range copied {
		if after, err := os.ReadFile(filepath.Join(other, name)); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s changed, %v", name, err)
		}
	}
}

// An index that hides a row, or shows another one, is no longer the table's.
func TestExchangedIndexes(t *testing.T) {
	file := filled(t)
	administer(t, file, "PRAGMA writable_schema = 1",
		"CREATE TEMP TABLE page AS SELECT name, rootpage FROM sqlite_schema WHERE name IN ('record_keyid', 'record_person')",
		"UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM page WHERE page.name <> sqlite_schema.name) WHERE name IN ('record_keyid', 'record_person')")
	mention(t, found(t, file), "store: database: expected ok")
}
