package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// filled makes a closed store of five records, one of which has a blob.
func filled(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evidence.db")
	s, err := sqlite.Open(t.Context(), file, frozen)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := s.PutBlob(t.Context(), strings.NewReader("bin/age_0"))
	if err != nil {
		t.Fatal(err)
	}
	var records []evidence.Record
	for n := range 5 {
		records = append(records, storetest.Examine(t, storetest.Rollout(n)))
	}
	if _, err := evidence.Add(t.Context(), s, records, blob); err != nil {
		t.Fatal(err)
	}
	storetest.Sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// administer runs SQL as somebody who holds the file and obeys no one's pragmas.
func administer(t testing.TB, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// behindTriggers drops every trigger, runs SQL, and puts the triggers back as they
// were.
func behindTriggers(t testing.TB, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	var drop, restore []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		drop, restore = append(drop, "DROP TRIGGER "+name), append(restore, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(drop) == 0 {
		t.Fatal(err, len(drop))
	}
	administer(t, file, slices.Concat(drop, statements, restore)...)
}

// found opens a store as a stranger does, and returns what its verification finds.
func found(t testing.TB, file string) []string {
	t.Helper()
	s, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return storetest.Problems(t, s)
}

func mention(t testing.TB, problems []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
		t.Errorf("found %q, expected %q", problems, want)
	}
}

func TestChangedLayoutIsRefused(t *testing.T) {
	var attacks = map[string][]string{
		"dropped trigger":         {"DROP TRIGGER record_update"},
		"weakened trigger":        {"DROP TRIGGER record_delete", "CREATE TRIGGER record_delete BEFORE DELETE ON record BEGIN SELECT 1; END"},
		"added trigger":           {"CREATE TRIGGER later AFTER INSERT ON record BEGIN UPDATE record SET project = 'other' WHERE idx = NEW.idx; END"},
		"view for a table":        {"PRAGMA legacy_alter_table = 1", "ALTER TABLE target RENAME TO kept", "CREATE VIEW target AS SELECT * FROM kept"},
		"added view":              {"CREATE VIEW promotions AS SELECT * FROM record"},
		"added table":             {"CREATE TABLE extra (x)"},
		"added index":             {"CREATE INDEX extra ON record (role)"},
		"dropped index":           {"DROP INDEX record_act"},
		"added column":            {"ALTER TABLE record ADD COLUMN extra TEXT"},
		"loosened table":          {"PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'envelope'", "PRAGMA writable_schema = 0"},
		"other application":       {"PRAGMA application_id = 7"},
		"layout 0":                {"PRAGMA user_version = 0"},
		"virtual table":           {"CREATE VIRTUAL TABLE more USING fts5 (x)"},
		"statistics that mislead": {"ANALYZE"},
	}
	for name, statements := range attacks {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			administer(t, file, statements...)
			if s, err := sqlite.Open(t.Context(), file, frozen); !errors.Is(err, evidence.ErrForeignSchema) {
				t.Errorf("for writing: %v %v", s != nil, err)
			}
			if s, err := sqlite.OpenReadOnly(t.Context(), file); !errors.Is(err, evidence.ErrForeignSchema) {
				t.Errorf("for reading: %v %v", s != nil, err)
			}
		})
	}
}

func TestLayoutChangedWhileOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "evidence.db")
	s := openAt(t, file, frozen)
	storetest.Add(t, s, storetest.Rollout(0))
	administer(t, file, "CREATE TRIGGER later AFTER INSERT ON record BEGIN SELECT 1; END")
	if _, err := evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(1))}); !errors.Is(err, evidence.ErrForeignSchema) {
		t.Errorf("got %v", err)
	}
	administer(t, file, "DROP TRIGGER later")
	storetest.Add(t, s, storetest.Rollout(1))
}

func TestNewerLayoutIsAClearError(t *testing.T) {
	file := filled(t)
	administer(t, file, "PRAGMA user_version = 99", "CREATE TABLE later (x)")
	if _, err := sqlite.Open(t.Context(), file, frozen); !errors.Is(err, evidence.ErrNewerSchema) {
		t.Errorf("for writing: %v", err)
	}
	if _, err := sqlite.OpenReadOnly(t.Context(), file); !errors.Is(err, evidence.ErrNewerSchema) {
		t.Errorf("for reading: %v", err)
	}
}

func TestNoDatabase(t *testing.T) {
	dir := t.TempDir()
	text, empty := filepath.Join(dir, "text.db"), filepath.Join(dir, "empty.db")
	for file, content := range map[string]string{text: strings.Repeat("no database ", 1000), empty: ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sqlite.Open(t.Context(), text, frozen); !errors.Is(err, evidence.ErrForeignSchema) {
		t.Errorf("text: %v", err)
	}
	if _, err := sqlite.OpenReadOnly(t.Context(), empty); !errors.Is(err, evidence.ErrOlderSchema) {
		t.Errorf("empty: %v", err)
	}
	if _, err := sqlite.OpenReadOnly(t.Context(), filepath.Join(dir, "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("reading made a file")
	}
}

// A file name is a name, whatever SQLite's URIs make of its characters.
func TestFileNames(t *testing.T) {
	for _, name := range []string{"a b.db", "what?mode=memory.db", "100%25.db", "a#b.db", "ü.db", "semi;colon&.db"} {
		file := filepath.Join(t.TempDir(), name)
		storetest.Add(t, openAt(t, file, frozen), storetest.Rollout(0))
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadOnlyStoreIsNotWritten(t *testing.T) {
	file := filled(t)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := evidence.Add(t.Context(), s, []evidence.Record{storetest.Examine(t, storetest.Rollout(9))}); !errors.Is(err, evidence.ErrReadOnly) {
		t.Errorf("add: %v", err)
	}
	if _, err := s.PutBlob(t.Context(), strings.NewReader("x")); !errors.Is(err, evidence.ErrReadOnly) {
		t.Errorf("blob: %v", err)
	}
	storetest.Sound(t, s)
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed, %v", err)
	}
}

// Whoever obeys the triggers can only add.
func TestTriggersRefuse(t *testing.T) {
	file := filled(t)
	db, err := sql.Open("sqlite", file+"?_pragma=recursive_triggers(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	row := "SELECT * FROM record WHERE idx = 2"
	for _, statement := range []string{
		"UPDATE record SET project = 'other'", "DELETE FROM record WHERE idx = 4", "INSERT OR REPLACE INTO record " + row, "REPLACE INTO envelope VALUES (2, x'00')",
		"UPDATE envelope SET bytes = x'00'", "DELETE FROM envelope", "UPDATE digest SET record = 0", "DELETE FROM digest", "UPDATE target SET value = ''", "DELETE FROM target",
		"UPDATE blob SET size = 0", "DELETE FROM blob", "UPDATE tree SET hashes = zeroblob(32)", "DELETE FROM tree",
		"UPDATE OR REPLACE record SET idx = 3 WHERE idx = 2", "INSERT INTO record " + row + " ON CONFLICT DO UPDATE SET project = ''",
	} {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("%s: done", statement)
		}
	}
	if problems := found(t, file); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestAlteredRecordsAreNamed(t *testing.T) {
	for name, attack := range map[string]struct {
		statements []string
		want       string
	}{
		"deleted":           {[]string{"DELETE FROM record WHERE idx = 2"}, "record 2: index: expected a record, found none"},
		"deleted with all":  {[]string{"DELETE FROM digest WHERE record = 2", "DELETE FROM target WHERE record = 2", "DELETE FROM envelope WHERE record = 2", "DELETE FROM record WHERE idx = 2"}, "record 2: index"},
		"no envelope":       {[]string{"DELETE FROM envelope WHERE record = 3"}, "record 3: envelope"},
		"exchanged":         {[]string{"UPDATE envelope SET bytes = (SELECT bytes FROM envelope WHERE record = 0) WHERE record = 1"}, "record 1: id"},
		"replaced":          {[]string{"INSERT OR REPLACE INTO envelope SELECT 1, bytes FROM envelope WHERE record = 2"}, "record 1: act"},
		"reordered":         {[]string{"UPDATE record SET idx = 99 WHERE idx = 1", "UPDATE record SET idx = 1 WHERE idx = 2", "UPDATE record SET idx = 2 WHERE idx = 99"}, "record 1: id"},
		"digest removed":    {[]string{"DELETE FROM digest WHERE record = 2"}, "record 2: digest"},
		"digest added":      {[]string{"INSERT INTO digest VALUES (x'00', 2)"}, "record 2: digest"},
		"digest of nobody":  {[]string{"INSERT INTO digest VALUES (x'00', 50)"}, "record 50: digest"},
		"target removed":    {[]string{"DELETE FROM target WHERE record = 2 AND value = 'runner'"}, "record 2: target"},
		"target added":      {[]string{"INSERT INTO target VALUES ('windows', 2)"}, "record 2: target"},
		"target of nobody":  {[]string{"INSERT INTO target VALUES ('windows', 50)"}, "record 50: target"},
		"words removed":     {[]string{"DELETE FROM words WHERE rowid = 2"}, "record 2: words"},
		"words of nobody":   {[]string{"INSERT INTO words (rowid, text) VALUES (50, 'CHG-1')"}, "record 50: words"},
		"envelope of none":  {[]string{"INSERT INTO envelope VALUES (50, x'00')"}, "record 50: envelope"},
		"blob of nobody":    {[]string{"INSERT INTO blob VALUES (50, randomblob(32), 1)"}, "record 50: blob"},
		"blob of no one":    {[]string{"INSERT INTO blob SELECT 1, digest, size FROM blob"}, "expected a subject of the record"},
		"blob's size":       {[]string{"UPDATE blob SET size = 1"}, "record 0: blob"},
		"date goes back":    {[]string{"UPDATE record SET recorded = recorded - 3600000 WHERE idx = 3"}, "record 3: "},
		"dates out of line": {[]string{"UPDATE record SET recorded = recorded + 3600000 WHERE idx = 3"}, "record 4: recorded"},
		"tree's leaf":       {[]string{"UPDATE tree SET hashes = randomblob(32) WHERE record = 2"}, "record 2: leaf"},
		"tree's node":       {[]string{"UPDATE tree SET hashes = CAST(substr(hashes, 1, 32) || randomblob(32) AS BLOB) WHERE record = 1"}, "record 1: tree: expected"},
		"tree's top":        {[]string{"UPDATE tree SET hashes = substr(hashes, 1, 64) WHERE record = 3"}, "record 3: tree: expected"},
		"tree's more":       {[]string{"INSERT INTO tree VALUES (50, randomblob(32))"}, "record 50: tree"},
		"tree's row":        {[]string{"DELETE FROM tree WHERE record = 3"}, "record 3: tree: expected"},
		"made verified":     {[]string{"UPDATE record SET keyid = '' WHERE idx = 1"}, "record 1: keyid"},
		"unverified":        {[]string{"UPDATE record SET kind = 'unverified' WHERE idx = 1"}, "record 1: leaf"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			behindTriggers(t, file, append([]string{"PRAGMA foreign_keys = 0"}, attack.statements...)...)
			mention(t, found(t, file), attack.want)
		})
	}
}

// A row that somebody put in without a signature that counts is named by verify, for
// it follows from its envelope in every column.
func TestInsertedRecords(t *testing.T) {
	stranger, ada := storetest.NewSigner("stranger"), storetest.NewSigner("ada")
	subjects := []evidence.Subject{storetest.Subject("forged")}
	foreign := storetest.Envelope(stranger, storetest.RolloutType, subjects, storetest.Story{})
	claimed := bytes.ReplaceAll(foreign, []byte(stranger.Public().KeyID()), []byte(ada.Public().KeyID()))
	granted := storetest.Envelope(ada, storetest.UnknownType, subjects, storetest.Story{})
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"by a stranger":         {foreign, "record 5: signer"},
		"in ada's name":         {claimed, "record 5: signature"},
		"by ada, not her right": {granted, "record 5: signer"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			s := openAt(t, file, frozen)
			record, err := storetest.Intake().Derive(tc.data)
			if err != nil {
				t.Fatal(err)
			}
			record.Signer.Person, record.Signer.Role = "ada", "attest"
			if _, err := evidence.Add(t.Context(), s, []evidence.Record{record}); err != nil {
				t.Fatal(err)
			}
			mention(t, storetest.Problems(t, s), tc.want)
		})
	}
}

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
			case "proved", "recorded":
				want = "checksum" // no envelope says it
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
