// Package schemas holds the JSON Schema of every document that rollproof writes.
//
// The schema of the document with identifier
// https://github.com/rollproof/rollproof/schemas/<name>/v<N> is the file
// <name>/v<N>.json of this directory (JSON Schema draft 2020-12). For a predicate
// type it describes the predicate. A change of meaning is a new version; an old
// version stays.
package schemas

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

// Prefix begins every identifier.
const Prefix = "https://github.com/rollproof/rollproof/schemas/"

//go:embed */*.json
var files embed.FS

// An UnknownError says that there is no schema of an identifier.
type UnknownError struct {
	ID string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("no schema %q in this version", e.ID) }

// IDs returns every identifier, sorted.
func IDs() []string {
	paths, err := fs.Glob(files, "*/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for i, p := range paths {
		paths[i] = Prefix + strings.TrimSuffix(p, ".json")
	}
	slices.Sort(paths)
	return paths
}

// Lookup returns the schema document of an identifier, or [*UnknownError].
func Lookup(id string) ([]byte, error) {
	name, ours := strings.CutPrefix(id, Prefix)
	data, err := files.ReadFile(name + ".json")
	if !ours || err != nil {
		return nil, &UnknownError{id}
	}
	return data, nil
}

// resolved caches compiled schemas by identifier.
var resolved sync.Map

func compile(id string) (*jsonschema.Resolved, error) {
	if r, ok := resolved.Load(id); ok {
		return r.(*jsonschema.Resolved), nil
	}
	data, err := Lookup(id)
	if err != nil {
		return nil, err
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("schema %s: %w", id, err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", id, err)
	}
	resolved.Store(id, r)
	return r, nil
}

// Validate checks a JSON document against the schema of an identifier. A document
// with a top-level "schema" must name that identifier. Errors are
// [*UnknownError] or say which part of the document does not fit.
func Validate(id string, document []byte) error {
	r, err := compile(id)
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return err
	}
	if err := r.Validate(v); err != nil {
		return fmt.Errorf("does not fit %s: %w", id, err)
	}
	return nil
}

// ValidateStatement checks the predicate of an in-toto statement against the schema
// of its predicate type.
func ValidateStatement(statement []byte) error {
	var s struct {
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &s); err != nil {
		return err
	}
	return Validate(s.PredicateType, s.Predicate)
}
