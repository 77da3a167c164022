package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"
)

// checkObject walks the tokens of data beside the type of v and refuses what
// encoding/json would let pass: duplicate and unknown keys, keys in another case,
// deep nesting, and anything after the document. It is what gives a good message;
// the comparison of bytes in decode is what is relied upon.
func checkObject(data []byte, v any) error {
	w := walker{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("not a JSON object")
	}
	if err := w.value(reflect.TypeOf(v), "", 0); err != nil {
		return err
	}
	if _, err := w.dec.Token(); err != io.EOF {
		return errors.New("data after the JSON object")
	}
	return nil
}

type walker struct{ dec *json.Decoder }

func (w walker) value(t reflect.Type, path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: nested more than %d deep", path, maxDepth)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tok, err := w.dec.Token()
	if err != nil {
		return malformed(err)
	}
	switch tok {
	case json.Delim('{'):
		return w.object(t, path, depth)
	case json.Delim('['):
		return w.array(t, path, depth)
	}
	return nil
}

func (w walker) object(t reflect.Type, path string, depth int) error {
	fields := fieldsOf(t)
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return malformed(err)
		}
		key := tok.(string)
		at := path + "." + key
		if seen[key] {
			return fmt.Errorf("%s: duplicate key", strings.TrimPrefix(at, "."))
		}
		seen[key] = true
		next, err := keyType(t, fields, key, strings.TrimPrefix(path, "."))
		if err != nil {
			return err
		}
		if err := w.value(next, at, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return malformed(err)
}

func (w walker) array(t reflect.Type, path string, depth int) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		if err := w.value(elem, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return malformed(err)
}

// keyType returns the type below key, or an error with the nearest known name when
// t is a struct that has no such field.
func keyType(t reflect.Type, fields map[string]reflect.Type, key, path string) (reflect.Type, error) {
	if fields == nil {
		if t != nil && t.Kind() == reflect.Map {
			return t.Elem(), nil
		}
		return nil, nil
	}
	if next, ok := fields[key]; ok {
		return next, nil
	}
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	msg := fmt.Sprintf("unknown field %q", key)
	if path != "" {
		msg = path + ": " + msg
	}
	if near := Nearest(key, known); near != "" {
		msg += fmt.Sprintf(", the nearest known is %q", near)
	}
	return nil, errors.New(msg)
}

// fieldsOf maps the JSON names of a struct's fields to their types. It is nil for
// what is no struct, or decodes itself.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if f.IsExported() && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

func malformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object ends too early")
	}
	return err
}

// closedTypes caches closed.
var closedTypes sync.Map

// closed reports whether every byte of a document of this type follows from its
// decoded value. A part that is kept as it came (json.RawMessage) or has no type (an
// interface) could hide a key that stands twice, or deep nesting, and so could a type
// that holds itself.
func closed(t reflect.Type) bool {
	if known, ok := closedTypes.Load(t); ok {
		return known.(bool)
	}
	result := closedWithin(t, 0)
	closedTypes.Store(t, result)
	return result
}

func closedWithin(t reflect.Type, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return t != reflect.TypeFor[json.RawMessage]() && closedWithin(t.Elem(), depth+1)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return true
		}
		for i := range t.NumField() {
			if !closedWithin(t.Field(i).Type, depth+1) {
				return false
			}
		}
	}
	return true
}
