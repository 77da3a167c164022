package httpapi

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/release/archive"
)

// The access log is a file access.log of JSON lines, with up to four older ones
// (access.log.1 is the youngest), of at most 8 MiB each. What credentials have read is
// counted in reads-<day>.json, of which the last 400 days are kept.
const (
	logName  = "access.log"
	logSize  = 8 << 20
	logFiles = 4
	readDays = 400
	maxText  = 512
)

// A logLine is one request that was refused, or made by nobody in particular.
type logLine struct {
	Time    string `json:"time"`
	Address string `json:"address"`
	Method  string `json:"method"`
	Host    string `json:"host"`
	Path    string `json:"path"`
	Caller  string `json:"caller,omitempty"`
	Status  int    `json:"status"`
	Reason  string `json:"reason,omitempty"`
}

// A Log is the access log of a server. It never fails a request: what cannot be written
// is told once.
type Log struct {
	dir  string
	now  func() time.Time
	tell func(error)

	mu    sync.Mutex
	file  *os.File
	size  int64
	day   string
	reads map[string]map[string]int64 // by credential, by route
	dirty bool
	saved time.Time
	told  bool
}

// OpenLog opens the access log in a directory, which it makes. tell is called with the
// first error of writing to it, and with what goes wrong inside of the server.
func OpenLog(dir string, now func() time.Time, tell func(error)) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &Log{dir: dir, now: now, tell: tell, reads: map[string]map[string]int64{}}
	return l, l.open()
}

func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// text bounds and escapes what somebody else wrote.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return archive.Printable(strings.ToValidUTF8(s, "\uFFFD"))
}

// refused writes a line about a request that did not get through.
func (l *Log) refused(r *http.Request, c access.Caller, status int, reason string) {
	path := r.URL.Path
	if access.InURL(r) {
		path = "(a credential)"
	}
	l.write(logLine{l.now().UTC().Format(time.RFC3339), addressOf(r), text(r.Method), text(r.Host), text(path), text(c.Credential), status, text(reason)})
}

// served counts what a credential reads; of nobody in particular a line is written.
func (l *Log) served(r *http.Request, pattern string, c access.Caller, address string) {
	if c.Anonymous() {
		if pattern != "GET /healthz" && pattern != "GET /readyz" {
			l.write(logLine{l.now().UTC().Format(time.RFC3339), address, text(r.Method), text(r.Host), text(r.URL.Path), "", 0, ""})
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UTC()
	if day := now.Format(time.DateOnly); day != l.day {
		l.fail(l.turn(day))
	}
	if l.reads[c.Credential] == nil {
		l.reads[c.Credential] = map[string]int64{}
	}
	l.reads[c.Credential][pattern]++
	l.dirty = true
	if now.Sub(l.saved) > time.Minute {
		l.fail(l.save(now))
	}
}

func (l *Log) write(line logLine) {
	data, err := json.Marshal(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.size+int64(len(data)) >= logSize {
		err = l.rotate()
	}
	if err == nil {
		var n int
		n, err = l.file.Write(append(data, '\n'))
		l.size += int64(n)
	}
	l.fail(err)
}

func (l *Log) fail(err error) {
	if err != nil && !l.told {
		l.told = true
		l.tell(err)
	}
}

// rotate moves every file on by one; the oldest goes.
func (l *Log) rotate() error {
	name := filepath.Join(l.dir, logName)
	err := l.file.Close()
	for n := logFiles; n > 0 && err == nil; n-- {
		from := name
		if n > 1 {
			from += "." + strconv.Itoa(n-1)
		}
		if err = os.Rename(from, name+"."+strconv.Itoa(n)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, l.open())
}

// A digest is what was read on one day.
type digest struct {
	Day   string                      `json:"day"` // UTC
	Reads map[string]map[string]int64 `json:"reads"`
}

func (l *Log) digestFile(day string) string { return filepath.Join(l.dir, "reads-"+day+".json") }

// turn ends a day and begins another one, with what was counted on it before.
func (l *Log) turn(day string) error {
	err := l.save(l.now())
	l.day, l.reads = day, map[string]map[string]int64{}
	var before digest
	data, missing := os.ReadFile(l.digestFile(day))
	if missing == nil && json.Unmarshal(data, &before) == nil && before.Day == day && before.Reads != nil {
		l.reads = before.Reads
	}
	old, globbing := filepath.Glob(filepath.Join(l.dir, "reads-*.json"))
	for len(old) > readDays {
		err = errors.Join(err, os.Remove(old[0]))
		old = old[1:]
	}
	return errors.Join(err, globbing)
}

// save writes the day's digest anew.
func (l *Log) save(now time.Time) error {
	if !l.dirty || l.day == "" {
		return nil
	}
	data, err := json.MarshalIndent(digest{l.day, l.reads}, "", "  ")
	if err != nil {
		return err
	}
	name := l.digestFile(l.day)
	if err := os.WriteFile(name+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	l.saved, l.dirty = now, false
	return os.Rename(name+".new", name)
}

// Flush writes what was counted.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.save(l.now())
}

// Close ends the log.
func (l *Log) Close() error { return errors.Join(l.Flush(), l.file.Close()) }

// errors is where net/http says what goes wrong; much of it is other people's doing.
func (l *Log) errors() *log.Logger { return log.New(discard{}, "", 0) }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
