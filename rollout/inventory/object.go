package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// An object is a JSON object whose keys are told apart exactly, and are there once.
type object map[string]json.RawMessage

// parse reads one JSON object and nothing else.
func parse(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return nil, fmt.Errorf("%s is not a JSON object", shown(string(data)))
	}
	o := object{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := key.(string) // the decoder takes nothing else before a colon
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("key %s twice", shown(name))
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		o[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON object")
	}
	return o, nil
}

func notJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON: %s", printable(syntax.Error()))
	}
	return errors.New("not JSON: it ends too early")
}

// printable escapes the one character that messages of encoding/json may quote.
func printable(s string) string {
	quoted := fmt.Sprintf("%+q", s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func (o object) has(name string) bool { _, ok := o[name]; return ok }

func (o object) names() []string { return slices.Sorted(maps.Keys(o)) }

// text returns the string or the number called name, "" for null.
func (o object) text(name string, numbers bool) (string, error) {
	raw := o[name]
	var s string
	switch {
	case len(raw) > 0 && raw[0] == '"', string(raw) == "null":
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%s: %w", shown(name), notJSON(err))
		}
	case numbers && len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
		s = string(raw)
	default:
		return "", fmt.Errorf("%s is %s, expected a string", shown(name), shown(string(raw)))
	}
	return strings.TrimSpace(s), nil
}

// row picks what a layout names.
func (o object) row(l layout, number int, e event) (row, error) {
	columns, err := l.choose(o.has, o.names)
	if err != nil {
		return row{}, err
	}
	r := row{number: number, event: e}
	for f, name := range columns {
		if name == "" {
			continue
		}
		if r.text[f], err = o.text(name, field(f) == seenAt); err != nil {
			return row{}, err
		}
		r.has[f] = true
	}
	return r, nil
}
