package schemas

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the index again")

// The index is generated from the schemas and committed.
func TestIndexIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Schemas\n\nThe JSON Schema of every document that rollproof writes; `rollproof schemas show ID` prints one.\nIdentifiers begin with `" + Prefix + "`.\n\n| schema | document | |\n|---|---|---|\n")
	for _, id := range IDs() {
		data, err := Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Title, Description string }
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(id, Prefix)
		fmt.Fprintf(&b, "| [%s](%s.json) | %s | %s |\n", name, name, s.Title, s.Description)
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error("README.md is out of date: make golden")
	}
}

func TestEverySchemaCompiles(t *testing.T) {
	if len(IDs()) == 0 {
		t.Fatal("no schemas")
	}
	for _, id := range IDs() {
		data, err := Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			ID          string `json:"$id"`
			Title       string `json:"title"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(data, &s); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if s.ID != id || s.Title == "" || s.Description == "" {
			t.Errorf("%s: $id %q, title %q", id, s.ID, s.Title)
		}
		if _, err := compile(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestUnknownSchema(t *testing.T) {
	var unknown *UnknownError
	for _, id := range []string{"", "verdict/v1", Prefix + "verdict/v9", Prefix + "../schemas", strings.ToUpper(Prefix) + "verdict/v1"} {
		if err := Validate(id, []byte("{}")); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := ValidateStatement([]byte(`{"predicateType":"https://example.com/other","predicate":{}}`)); !errors.As(err, &unknown) {
		t.Errorf("foreign statement: %v", err)
	}
}

// Every schema refuses an empty object and a field that it does not name.
func TestSchemasAreClosed(t *testing.T) {
	for _, id := range IDs() {
		if Validate(id, []byte("{}")) == nil {
			t.Errorf("%s: accepts {}", id)
		}
	}
	good := `{"error":{"code":3,"message":"m","hint":""}}`
	if err := Validate(Prefix+"error/v1", []byte(good)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`{"error":{"code":0,"message":"m","hint":""}}`, `{"error":{"code":3,"message":"","hint":""}}`, `{"error":{"code":3,"message":"m","hint":"","x":1}}`, `{"error":null}`} {
		if Validate(Prefix+"error/v1", []byte(bad)) == nil {
			t.Errorf("accepts %s", bad)
		}
	}
}
