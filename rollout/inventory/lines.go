package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A lines is one JSON object a line.
type lines struct {
	in     *input
	scan   *bufio.Scanner
	number int    // of the line read last
	first  object // read to find out the format, until it was used
	rows   func(object) ([]row, error)
	queue  []row
}

func (in *input) openLines(r io.Reader, o Options) error {
	l := &lines{in: in, scan: bufio.NewScanner(r)}
	l.scan.Buffer(nil, MaxLine)
	in.source = l
	var err error
	if l.first, err = l.object(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if in.format == "" {
		if in.format, err = guess(l.first, o, in.digests); err != nil {
			return err
		}
	}
	if in.format == Osquery {
		l.rows = newHistory(l, o).rows
		return nil
	}
	in.kind = ours
	columns := ours.layout(o, in.digests)
	l.rows = func(object object) ([]row, error) {
		r, err := object.row(columns, l.number, states)
		return []row{r}, err
	}
	return nil
}

// guess tells a log of osqueryd from our own lines.
func guess(first object, o Options, digests bool) (Format, error) {
	if first.has("hostIdentifier") {
		return Osquery, nil
	}
	if _, err := ours.layout(o, digests).choose(first.has, first.names); err != nil {
		_, noLog := layout{names: [fields][]string{{"hostIdentifier"}}, needed: [fields]bool{id: true}}.choose(first.has, first.names)
		return "", noFormat([]trial{{JSONLines, err}, {Osquery, noLog}})
	}
	return JSONLines, nil
}

// object reads the next line that is not blank.
func (l *lines) object() (object, error) {
	for l.scan.Scan() {
		if l.number++; l.number > MaxRows {
			return nil, malformed("more than %d lines", MaxRows)
		}
		if line := bytes.TrimSpace(l.scan.Bytes()); len(line) > 0 {
			o, err := parse(line)
			if err != nil {
				return nil, l.in.malformed(l.number, "%w", err)
			}
			return o, nil
		}
	}
	switch err := l.scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, l.in.tooLong(l.number + 1)
	case err != nil:
		return nil, err
	}
	return nil, io.EOF
}

func (l *lines) next() (row, error) {
	for len(l.queue) == 0 {
		o := l.first
		l.first = nil
		if o == nil {
			var err error
			if o, err = l.object(); err != nil {
				return row{}, err
			}
		}
		rows, err := l.rows(o)
		if err != nil {
			return row{}, l.in.malformed(l.number, "%w", err)
		}
		l.queue = rows
	}
	r := l.queue[0]
	l.queue = l.queue[1:]
	return r, nil
}

// An array is a JSON array of objects.
type array struct {
	in      *input
	json    *json.Decoder
	window  *window
	columns layout
	number  int // of the element read last
}

func (in *input) openArray(r io.Reader, o Options) error {
	w := newWindow(r)
	in.format, in.kind, in.unit = Osquery, osqueryRows, "row"
	a := &array{in: in, json: json.NewDecoder(w), window: w, columns: osqueryRows.layout(o, in.digests)}
	in.source = a
	_, err := a.json.Token() // the bracket that made it an array
	return err
}

func (a *array) next() (row, error) {
	a.window.move(a.json.InputOffset())
	if !a.json.More() {
		return row{}, a.end()
	}
	a.number++
	var element json.RawMessage
	if err := a.json.Decode(&element); err != nil {
		return row{}, a.failed(err)
	}
	o, err := parse(element)
	if err != nil {
		return row{}, a.in.malformed(a.number, "%w", err)
	}
	r, err := o.row(a.columns, a.number, states)
	if err != nil {
		return row{}, a.in.malformed(a.number, "%w", err)
	}
	return r, nil
}

// end returns io.EOF if the array is closed and nothing follows.
func (a *array) end() error {
	if _, err := a.json.Token(); err != nil {
		return a.failed(err)
	}
	a.window.move(a.json.InputOffset())
	_, err := a.json.Token()
	if err == nil {
		return malformed("more after the end of the array")
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return a.failed(err)
}

func (a *array) failed(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errTooLong):
		return a.in.tooLong(a.number)
	case errors.As(err, &syntax):
		return a.in.malformed(a.number, "%w", notJSON(err))
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}
