package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// Whatever is searched for is words, and never a query of the index's own language:
// nothing fails, and nothing is found that has other words.
func FuzzTextIsOnlyWords(f *testing.F) {
	s := openAt(f, filepath.Join(f.TempDir(), "evidence.db"), frozen)
	storetest.Add(f, s, storetest.Rollout(0))
	for _, text := range []string{"CHG-0", "pilot*", `"`, `" OR "`, "text:pilot", "NOT pilot", "NEAR(a b)", "{text}: pilot", "-pilot", "^pilot", "a\x00b", "*", "\"\"*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		page, err := s.Search(t.Context(), evidence.Query{Text: text + " nowhere"})
		if err != nil || len(page.Records) > 0 {
			t.Errorf("%q: %d records, %v", text, len(page.Records), err)
		}
		if _, err := s.Search(t.Context(), evidence.Query{Text: text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A prefix names the record or nothing.
func FuzzPrefixNamesOneRecord(f *testing.F) {
	s := openAt(f, filepath.Join(f.TempDir(), "evidence.db"), frozen)
	record := storetest.Add(f, s, storetest.Rollout(0))[0].Record
	for _, text := range []string{"", "sha256:", record.Act.Hex()[:8], record.ID.String(), "zzzzzzzz", "%%%%%%%%", record.Act.Hex() + "00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		if index, err := s.Find(t.Context(), prefix); index != 0 || err != nil && !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("%q: %d, %v", prefix, index, err)
		}
	})
}
