package inventory

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A table is a CSV (RFC 4180, with LF or CRLF) whose first record names columns, or
// a list of one id a line.
type table struct {
	in      *input
	csv     *csv.Reader
	window  *window
	width   int         // cells in each record
	columns [fields]int // -1 for none
	head    []string    // the first record of a list, until it was read
}

func (in *input) openTable(r io.Reader, o Options) error {
	w := newWindow(r)
	t := &table{in: in, csv: csv.NewReader(w), window: w}
	t.csv.FieldsPerRecord = -1
	in.source = t
	head, _, err := t.record()
	switch {
	case errors.Is(err, io.EOF):
		return malformed("empty, expected a header or JSON")
	case err != nil:
		return err
	}
	t.width = len(head)
	if !in.digests && o.Format == "" && isList(head, o) {
		t.head, t.columns = head, [fields]int{id: 0, target: -1, filePath: -1, sha256sum: -1, seenAt: -1}
		return nil
	}
	t.csv.ReuseRecord = true
	return t.resolve(head, o)
}

// tables are the kinds of CSV.
var tables = []struct {
	format Format
	kind   kind
}{{CSV, ours}, {Jamf, jamf}, {Intune, intune}}

// isList reports whether a file with this first record is a list of ids: one cell,
// of rows that need no other, that is no name of a column of ids.
func isList(head []string, o Options) bool {
	if len(head) != 1 || o.Target == "" || len(o.Columns) > 0 {
		return false
	}
	first := strings.TrimSpace(head[0])
	for _, k := range []kind{ours, osqueryRows, osqueryLog, jamf, intune} {
		if slices.ContainsFunc(k.names[id], func(name string) bool { return strings.EqualFold(name, first) }) {
			return false
		}
	}
	return true
}

// resolve finds the columns, and the format where none was given.
func (t *table) resolve(head []string, o Options) error {
	head, err := t.header(head)
	if err != nil {
		return err
	}
	var fits []Format
	var tried []trial
	for _, k := range tables {
		if o.Format != "" && o.Format != k.format {
			continue
		}
		columns, err := k.kind.layout(o, t.in.digests).choose(
			func(name string) bool { return slices.Contains(head, name) },
			func() []string { return head })
		if err != nil {
			tried = append(tried, trial{k.format, err})
			continue
		}
		fits = append(fits, k.format)
		t.in.format, t.in.kind = k.format, k.kind
		for f, name := range columns {
			t.columns[f] = -1
			if name != "" {
				t.columns[f] = slices.Index(head, name)
			}
		}
	}
	switch {
	case len(fits) > 1:
		return malformed("columns fit both %s and %s: name the format", fits[0], fits[1])
	case len(fits) == 0 && o.Format != "":
		return t.in.malformed(1, "%w", tried[0].err)
	case len(fits) == 0:
		return noFormat(tried)
	}
	return nil
}

// header returns the names of the columns, without spaces around. Two that differ
// in case alone would be two for us and one for people: they are refused. Those
// without a name can't be asked for.
func (t *table) header(head []string) ([]string, error) {
	names := make([]string, len(head))
	places := map[string]int{}
	for i, name := range head {
		names[i] = strings.TrimSpace(name)
		folded := strings.ToLower(strings.ToUpper(names[i]))
		if place := places[folded]; place > 0 && folded != "" {
			return nil, t.in.malformed(1, "column %s twice, in places %d and %d", shown(names[i]), place, i+1)
		}
		places[folded] = i + 1
	}
	return names, nil
}

// record reads the cells of the next record, and the line it begins on.
func (t *table) record() ([]string, int, error) {
	t.window.move(t.csv.InputOffset())
	cells, err := t.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return nil, 0, malformed("a record of more than %d bytes", MaxLine)
	case errors.As(err, &parse):
		return nil, 0, t.in.malformed(parse.StartLine, "%w", parse.Err)
	case err != nil:
		return nil, 0, err
	}
	line, _ := t.csv.FieldPos(0)
	for _, cell := range cells {
		if !utf8.ValidString(cell) {
			return nil, 0, t.in.malformed(line, "cell %s is not UTF-8", shown(cell))
		}
	}
	return cells, line, nil
}

func (t *table) next() (row, error) {
	cells, line := t.head, 1
	t.head = nil
	if cells == nil {
		var err error
		if cells, line, err = t.record(); err != nil {
			return row{}, err
		}
	}
	if len(cells) != t.width {
		return row{}, t.in.malformed(line, "%d cells, expected %d as on the first line", len(cells), t.width)
	}
	r := row{number: line}
	for f, i := range t.columns {
		if i >= 0 {
			r.text[f], r.has[f] = strings.TrimSpace(cells[i]), true
		}
	}
	return r, nil
}
