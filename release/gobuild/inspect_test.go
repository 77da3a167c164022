//go:build unix

package gobuild_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rollproof/rollproof/release/gobuild"
)

// Each script stands in for a go build that does something else than the plan
// says; $GO is the real one, $STAGE where the binary is expected.
func TestBinaryMustAgreeWithThePlan(t *testing.T) {
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	other := newRepo(t, with(hello(), map[string]string{"LICENSE": "another commit\n"}), "v1.0.0")
	foreign := newRepo(t, with(hello(), map[string]string{"go.mod": "module example.com/foreign\n\ngo 1.24\n"}), "v1.0.0")
	tests := map[string]struct{ script, text string }{
		"no version stamp":    {`exec "$GO" "${@:1:4}" -buildvcs=false "${@:5}"`, "vcs."},
		"another commit":      {`cd '` + other.dir + `'; exec "$GO" "$@"`, "vcs.revision"},
		"another module":      {`cd '` + foreign.dir + `'; exec "$GO" "$@"`, "vcs.revision"},
		"changed source":      {`echo >> cmd/hello/main.go; exec "$GO" "$@"`, `vcs.modified is "true", want "false"`},
		"another tag":         {`git tag v1.9.9; exec "$GO" "$@"`, `version is "v1.9.9", want "v1.0.0"`},
		"paths kept":          {`shift 2; exec "$GO" build "$@"`, "-trimpath"},
		"instruction set":     {`export GOAMD64=v2 GOARM64=v8.1; exec "$GO" "$@"`, "64"},
		"platform":            {`export GOOS=plan9; exec "$GO" "$@"`, "GOOS"},
		"build tags":          {`exec "$GO" "${@:1:4}" -tags=evil "${@:5}"`, "-tags"},
		"another main":        {`mkdir cmd/x; cp cmd/hello/main.go cmd/x; for last; do :; done; "$GO" build -trimpath -o "$STAGE" ./cmd/x && mv "$STAGE"/x "$STAGE"/hello`, "vcs.modified"},
		"no Go binary at all": {`cp /bin/sh "$STAGE"/hello`, "build info cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, hello(), "v1.0.0")
			bin := t.TempDir()
			// The output directory is the argument after -o.
			writeFile(t, filepath.Join(bin, "go"), fmt.Sprintf(
				"#!/bin/bash\nGO='%s'\n[ \"$1\" = build ] || exec \"$GO\" \"$@\"\nfor a; do [ \"$p\" = -o ] && STAGE=$a; p=$a; done\n%s\n", real, test.script), 0o755)
			opts := r.options()
			opts.Env = append(slices.Clone(opts.Env), "PATH="+bin+":"+os.Getenv("PATH"))
			_, err := tryBuild(t, opts)
			kind := gobuild.KindTampered
			if test.text == "build info cannot be read" {
				kind = gobuild.KindFailed
			}
			wantError(t, err, kind, test.text)
		})
	}
}
