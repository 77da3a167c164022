package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// MaxDocument is the size in bytes of the largest document that is encoded or
// decoded.
const MaxDocument = 16 << 20

// maxDepth is how deep objects and arrays of a document may nest.
const maxDepth = 32

// Encode returns the one exact encoding of a document or payload.
func Encode(v any) ([]byte, error) {
	return encode(v, "  ", true)
}

func encode(v any, indent string, finalLF bool) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if buf.Len() > MaxDocument {
		return nil, fmt.Errorf("document of %d bytes, the limit is %d", buf.Len(), MaxDocument)
	}
	if !finalLF {
		buf.Truncate(buf.Len() - 1)
	}
	return buf.Bytes(), nil
}

// Decode reads a document or payload into v, a pointer to its Go type. It refuses
// whatever Encode would not have written: unknown, duplicate, case-folded or
// reordered keys, other white space, invalid UTF-8, loose base64, and documents
// over [MaxDocument] bytes.
func Decode(data []byte, v any) error {
	return decode(data, v, func() ([]byte, error) { return Encode(v) })
}

func decodeCompact(data []byte, v any) error {
	return decode(data, v, func() ([]byte, error) { return encode(v, "", false) })
}

func decode(data []byte, v any, again func() ([]byte, error)) error {
	switch {
	case len(data) > MaxDocument:
		return fmt.Errorf("document of %d bytes, the limit is %d", len(data), MaxDocument)
	case !utf8.Valid(data):
		return errors.New("not valid UTF-8")
	}
	if closed(reflect.TypeOf(v)) && reencodes(data, v, again) {
		return nil
	}
	reflect.ValueOf(v).Elem().SetZero()
	if err := checkObject(data, v); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	exact, err := again()
	if err != nil {
		return err
	}
	if !bytes.Equal(exact, data) {
		return inexact(exact, data)
	}
	return nil
}

// reencodes reports whether data is what encoding v writes. For a closed type that is
// all there is to show; the walk over its tokens is only for the message.
func reencodes(data []byte, v any, again func() ([]byte, error)) bool {
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, v) != nil {
		return false
	}
	exact, err := again()
	return err == nil && bytes.Equal(exact, data)
}

// inexact says where data leaves its exact encoding.
func inexact(exact, data []byte) error {
	i := 0
	for i < len(exact) && i < len(data) && exact[i] == data[i] {
		i++
	}
	return fmt.Errorf("not in its exact encoding from byte %d on: expected %q, found %q", i, around(exact, i), around(data, i))
}

func around(b []byte, i int) []byte {
	return b[i:min(i+24, len(b))]
}
