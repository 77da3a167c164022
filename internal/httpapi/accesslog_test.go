package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/internal/access"
)

// A logbook is an access log with a clock that the test sets.
type logbook struct {
	*Log
	dir string
	now time.Time
}

func newLogbook(t *testing.T, dir string, now time.Time) *logbook {
	t.Helper()
	b := &logbook{dir: dir, now: now}
	l, err := OpenLog(dir, func() time.Time { return b.now }, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	b.Log = l
	t.Cleanup(func() { l.Close() })
	return b
}

func (b *logbook) digest(t *testing.T, day string) map[string]map[string]int64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, "reads-"+day+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var d digest
	if err := json.Unmarshal(data, &d); err != nil || d.Day != day {
		t.Fatalf("%s: %v", data, err)
	}
	return d.Reads
}

// Whoever asks without end fills no disk: the log is turned over, and its oldest part goes.
func TestAccessLogIsBounded(t *testing.T) {
	b := newLogbook(t, t.TempDir(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	r := httptest.NewRequest("GET", "/"+strings.Repeat("a", 5000), nil)
	for b.size = 0; len(b.files(t)) < logFiles+1; {
		b.size = logSize // as if so much had been written
		b.refused(r, access.Caller{}, 401, "no credential")
	}
	for range 3 {
		b.size = logSize
		b.refused(r, access.Caller{}, 401, "no credential")
	}
	files := b.files(t)
	if len(files) != logFiles+1 {
		t.Errorf("%d files: %v", len(files), files)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || len(data) == 0 || len(data) > 2*maxText {
			t.Errorf("%s: %d bytes, %v", f, len(data), err)
		}
	}
}

func (b *logbook) files(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(b.dir, "access.log*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What others write into a request is text in the log, one line each, and a credential in
// an address is not kept.
func TestAccessLogHoldsNoSecretAndNoMarkup(t *testing.T) {
	b := newLogbook(t, t.TempDir(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	r := httptest.NewRequest("GET", "/evidence", nil)
	r.URL.Path, r.Host, r.Method = "/a\n{\"status\":200}\x1b[2J\u202e", "evil\r\nhost", "GET\x07"
	b.refused(r, access.Caller{}, 421, "another\nname")
	secret := "rpt_aaaaaaaaaa_" + strings.Repeat("b", 52)
	b.refused(httptest.NewRequest("GET", "/evidence?token="+secret, nil), access.Caller{}, 400, "a credential in the address")
	b.refused(httptest.NewRequest("GET", "/"+secret, nil), access.Caller{}, 400, "a credential in the address")
	data, err := os.ReadFile(filepath.Join(b.dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n != 3 {
		t.Errorf("%d lines, expected 3:\n%s", n, data)
	}
	for _, bad := range []string{"\x1b", "\u202e", "\x07", "\r", strings.Repeat("b", 20)} {
		if strings.Contains(string(data), bad) {
			t.Errorf("the log has %q:\n%s", bad, data)
		}
	}
	for line := range strings.Lines(string(data)) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if strings.ContainsAny(l.Path+l.Host+l.Method+l.Reason, "\n\r\x1b\u202e\x07") {
			t.Errorf("after decoding: %#v", l)
		}
	}
}

// What a credential has read is counted by day, also over a restart, and for as many
// days as are kept.
func TestReadsAreCountedByDay(t *testing.T) {
	dir, begin := t.TempDir(), time.Date(2026, 3, 2, 23, 59, 0, 0, time.UTC)
	r := httptest.NewRequest("GET", "/api/v1/evidence", nil)
	ada := access.Caller{Credential: "token 1", Owner: "ada", Scopes: []access.Scope{access.Read}}
	b := newLogbook(t, dir, begin)
	for range 3 {
		b.served(r, "GET /evidence", ada, "127.0.0.1")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = newLogbook(t, dir, begin)
	b.served(r, "GET /evidence", ada, "127.0.0.1")
	b.now = begin.Add(2 * time.Minute)
	b.served(r, "GET /evidence", ada, "127.0.0.1")
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]int64{"2026-03-02": 4, "2026-03-03": 1} {
		if got := b.digest(t, day)["token 1"]["GET /evidence"]; got != want {
			t.Errorf("%s: %d reads, expected %d", day, got, want)
		}
	}
	for range readDays + 5 {
		b.now = b.now.AddDate(0, 0, 1)
		b.served(r, "GET /evidence", ada, "127.0.0.1")
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	list, err := filepath.Glob(filepath.Join(dir, "reads-*.json"))
	if err != nil || len(list) > readDays+1 || strings.Contains(list[0], "2026-03-02") {
		t.Errorf("%d days are kept, the first %s, %v", len(list), list[0], err)
	}
}
