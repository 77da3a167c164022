package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A history turns lines of osqueryd's results log into rows.
type history struct {
	lines   *lines
	o       Options
	columns layout
	absent  layout // of a snapshot without a row about the file
	query   string // the name of the query that the first line is about
}

func newHistory(l *lines, o Options) *history {
	l.in.kind = osqueryLog
	h := &history{lines: l, o: o, columns: osqueryLog.layout(o, l.in.digests)}
	h.absent = h.columns
	for _, f := range []field{filePath, sha256sum} {
		h.absent.names[f], h.absent.needed[f] = nil, false
	}
	return h
}

// rows returns what a line of the log says: one row of an event, or every row of a
// snapshot that counts.
func (h *history) rows(line object) ([]row, error) {
	if err := h.oneQuery(line); err != nil {
		return nil, err
	}
	action, err := line.text("action", false)
	if err != nil {
		return nil, err
	}
	around, err := surroundings(line)
	if err != nil {
		return nil, err
	}
	switch {
	case action == "snapshot" && line.has("snapshot"):
		return h.snapshot(line["snapshot"], around)
	case (action == "added" || action == "removed" || action == "snapshot") && line.has("columns"):
		e := states
		if action == "removed" {
			e = removes
		}
		r, err := h.row(line["columns"], around, e)
		return []row{r}, err
	case line.has("diffResults"):
		return nil, errors.New("diffResults, the batch format of osqueryd; expected events or snapshots")
	}
	return nil, fmt.Errorf("action %s with keys %s, expected added or removed with columns, or snapshot", shown(action), list(line.names(), ", "))
}

// oneQuery refuses a second query: a snapshot of it that is empty would read as if
// the file were not there.
func (h *history) oneQuery(line object) error {
	name, err := line.text("name", false)
	switch {
	case err != nil:
		return err
	case name == "":
		return errors.New("name of the query is empty")
	case h.query == "":
		h.query = name
	case h.query != name:
		return fmt.Errorf("query %s, earlier lines are of %s: expected the lines of one", shown(name), shown(h.query))
	}
	return nil
}

// surroundings returns what a line says beside its rows: host, time and decorations.
func surroundings(line object) (object, error) {
	around := object{}
	if raw, ok := line["decorations"]; ok {
		var err error
		if around, err = parse(raw); err != nil {
			return nil, fmt.Errorf("decorations: %w", err)
		}
	}
	for _, name := range []string{"hostIdentifier", "unixTime"} {
		raw, ok := line[name]
		if !ok {
			continue
		}
		if around.has(name) {
			return nil, fmt.Errorf("%s is a decoration, too", name)
		}
		around[name] = raw
	}
	return around, nil
}

// row reads one row; what a line says around it counts as columns of it.
func (h *history) row(raw json.RawMessage, around object, e event) (row, error) {
	columns, err := parse(raw)
	if err != nil {
		return row{}, err
	}
	for _, name := range around.names() {
		if columns.has(name) {
			return row{}, fmt.Errorf("column %s is in the row and around it", shown(name))
		}
	}
	maps.Copy(columns, around)
	return columns.row(h.columns, h.lines.number, e)
}

// snapshot returns the rows of a snapshot about the file that counts. If there are
// none, the endpoint does not have the file.
func (h *history) snapshot(raw json.RawMessage, around object) ([]row, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil || elements == nil {
		return nil, fmt.Errorf("snapshot is %s, expected an array of rows", shown(string(raw)))
	}
	var rows []row
	for _, element := range elements {
		r, err := h.row(element, around, states)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	if slices.ContainsFunc(rows, func(r row) bool { return h.o.Path == "" || r.text[filePath] == h.o.Path }) {
		return rows, nil
	}
	r, err := around.row(h.absent, h.lines.number, states)
	return append(rows, r), err
}
