package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// The manual is generated from the commands and committed; this says when it is out
// of date.
func TestManualIsCurrent(t *testing.T) {
	const file = "../../docs/manual.md"
	app := newProgram([]string{"rollproof"}, nil, strings.NewReader(""), io.Discard, io.Discard).app()
	app.Version = ""
	text, err := app.ToMarkdown()
	if err != nil {
		t.Fatal(err)
	}
	text = strings.TrimSpace(text) + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != text {
		t.Errorf("%s is out of date: make golden", file)
	}
}
