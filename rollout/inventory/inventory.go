package inventory

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of what is read. They hold while reading, so that no input, however long,
// takes more memory than they allow.
const (
	MaxRows = 2_000_000 // rows, log lines and rows of snapshots, those that do not count included
	MaxLine = 1 << 20   // bytes of a line, of a CSV record with its line ends, or of an element of a JSON array
	MaxID   = 256       // bytes of the id of an endpoint
)

// An Endpoint is what an inventory says about one endpoint and one target.
type Endpoint struct {
	ID     string    // 1 to MaxID bytes, printable, without spaces around
	Target string    // id of the deployment target
	SHA256 string    // of the installed file, 64 lower-case hex digits; "" where the endpoint does not have it
	SeenAt time.Time // UTC, whole seconds; zero where the source has none and no default was given
}

// A Format says how a source writes its rows.
type Format string

// The formats, see the package comment for their columns.
const (
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
	Osquery   Format = "osquery"
	Jamf      Format = "jamf"
	Intune    Format = "intune"
)

// Formats lists every format.
var Formats = []Format{CSV, JSONLines, Osquery, Jamf, Intune}

// Options say how to read a source. The zero value guesses the format, and wants a
// target in each row, a zone in each time and rows about one file.
type Options struct {
	Format   Format            // "" guesses from the content; it never guesses between two that fit
	Target   string            // for rows that name none
	SeenAt   time.Time         // for rows that have none: the source's own date of collection, never a guess
	Location *time.Location    // of times without a zone; with nil they are an error
	Columns  map[string]string // own mapping: id, target, path, sha256, seen_at to a column's name, exact case
	Path     string            // the installed path that counts, rows about others do not; "" = all rows must be about one
}

// A List is an inventory in its normal form.
type List struct {
	Format         Format     // as it was given or guessed
	Endpoints      []Endpoint // sorted by target, then by id (byte order), each pair once
	Newest, Oldest time.Time  // of Endpoints' SeenAt, a zero one included; zero for no endpoints
}

// Read returns the endpoints that r lists. What has no place in the format comes
// back as a [*FormatError], options that contradict themselves as an
// [*OptionError], and a failing r as its own error, wrapped.
func Read(r io.Reader, o Options) (List, error) {
	in, err := open(r, o, true)
	if err != nil {
		return List{}, err
	}
	c := collector{o: o, in: in, texts: map[string]string{}}
	if err := c.all(); err != nil {
		return List{}, err
	}
	endpoints, err := in.merge(c.found)
	if err != nil {
		return List{}, err
	}
	l := List{Format: in.format, Endpoints: endpoints}
	for i, e := range endpoints {
		if i == 0 || e.SeenAt.Before(l.Oldest) {
			l.Oldest = e.SeenAt
		}
		if i == 0 || e.SeenAt.After(l.Newest) {
			l.Newest = e.SeenAt
		}
	}
	return l, nil
}

// ReadIDs returns the ids that r lists per target, sorted, each once. Beside the
// formats of [Read], of which it needs ids and targets alone, it takes one id a
// line where o.Format is "" and o.Target is set. Errors are those of Read.
func ReadIDs(r io.Reader, o Options) (map[string][]string, error) {
	o.Path = ""
	in, err := open(r, o, false)
	if err != nil {
		return nil, err
	}
	c := collector{o: o, in: in, texts: map[string]string{}}
	if err := c.all(); err != nil {
		return nil, err
	}
	ids := map[string][]string{}
	for _, f := range c.found {
		ids[f.Target] = append(ids[f.Target], f.ID)
	}
	for target := range ids {
		slices.Sort(ids[target])
		ids[target] = slices.Compact(ids[target])
	}
	return ids, nil
}

// A collector checks rows one by one.
type collector struct {
	o       Options
	in      *input
	texts   map[string]string // targets and digests, so that each is kept once
	path    string            // of the rows so far
	pathRow int               // the first that had one
	found   []found
}

// A found is an endpoint and where it was.
type found struct {
	Endpoint
	number int
	event  event
}

func (c *collector) all() error {
	for rows := 0; ; rows++ {
		r, err := c.in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.in.failed(err)
		}
		if rows == MaxRows {
			return c.in.malformed(r.number, "more than %d rows", MaxRows)
		}
		if err := c.add(r); err != nil {
			return c.in.malformed(r.number, "%w", err)
		}
	}
}

// add checks a row and keeps what it says, unless it is about another file.
func (c *collector) add(r row) (err error) {
	counts, err := c.counts(r)
	if err != nil || !counts {
		return err
	}
	f := found{number: r.number, event: r.event}
	if f.ID, err = identifier(r.text[id]); err != nil {
		return err
	}
	f.ID = strings.Clone(f.ID) // a cell shares its memory with the whole record
	if f.Target, err = c.target(r.text[target]); err != nil {
		return err
	}
	if f.SHA256, err = c.in.kind.digest(r.text[sha256sum]); err != nil {
		return err
	}
	f.SHA256 = c.once(f.SHA256)
	if c.in.digests {
		if f.SeenAt, err = c.in.kind.moment(r.text[seenAt], c.o); err != nil {
			return err
		}
	}
	c.found = append(c.found, f)
	return nil
}

// counts reports whether a row is about the file that counts. A row that names
// neither path nor digest says that the file is not there, whichever it is.
func (c *collector) counts(r row) (bool, error) {
	path := r.text[filePath]
	switch {
	case !r.has[filePath] || path == "" && r.text[sha256sum] == "":
		return true, nil
	case path == "":
		return false, errors.New("sha256 of no path")
	case c.o.Path != "":
		return path == c.o.Path, nil
	case c.pathRow == 0:
		c.path, c.pathRow = strings.Clone(path), r.number
	case c.path != path:
		return false, fmt.Errorf("path %s, on %s %d it is %s: rows about several files need the path that counts",
			shown(path), c.in.unit, c.pathRow, shown(c.path))
	}
	return true, nil
}

func (c *collector) target(named string) (string, error) {
	switch {
	case named == "" && c.o.Target == "":
		return "", errors.New("no target")
	case named == "":
		return c.o.Target, nil
	case !isTarget(named):
		return "", badTarget(named)
	}
	return c.once(named), nil
}

// once returns one string for all equal ones.
func (c *collector) once(s string) string {
	if known, ok := c.texts[s]; ok {
		return known
	}
	s = strings.Clone(s)
	c.texts[s] = s
	return s
}
