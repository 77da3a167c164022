package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
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

// try runs SQL as somebody who holds the file and obeys its triggers.
func try(file, statement string) error {
	db, err := sql.Open("sqlite", file+"?_pragma=recursive_triggers(1)")
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	return errors.Join(err, db.Close())
}

// Whoever obeys the triggers can only add.
func TestTriggersRefuse(t *testing.T) {
	file := filled(t)
	row := "SELECT * FROM record WHERE idx = 2"
	for _, statement := range []string{
		"UPDATE record SET project = 'other'", "DELETE FROM record WHERE idx = 4", "INSERT OR REPLACE INTO record " + row, "REPLACE INTO envelope VALUES (2, x'00')",
		"UPDATE envelope SET bytes = x'00'", "DELETE FROM envelope", "UPDATE digest SET record = 0", "DELETE FROM digest", "UPDATE target SET value = ''", "DELETE FROM target",
		"UPDATE blob SET size = 0", "DELETE FROM blob", "UPDATE tree SET hashes = zeroblob(32)", "DELETE FROM tree",
		"UPDATE OR REPLACE record SET idx = 3 WHERE idx = 2", "INSERT INTO record " + row + " ON CONFLICT DO UPDATE SET project = ''",
	} {
		if err := try(file, statement); err == nil {
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
