package provenance

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

func facts() Facts {
	return Facts{
		Parameters: ExternalParameters{Project: "age", Version: "v1.2.1", Module: "filippo.io/age"},
		SourceURI:  "https://filippo.io/age", GitCommit: strings.Repeat("a", 40), GitTree: strings.Repeat("b", 40),
		Toolchain: "go1.26.8", Tool: "v0.1.0",
		Recipes: []Recipe{recipe()},
		Modules: []Module{
			{"golang.org/x/crypto", "v0.24.0", "h1:mnl8DM0o513X8fdIkmyFE/5hTYxbwYOjDS/+rK6qpRI="},
			{"filippo.io/edwards25519", "v1.1.0", "h1:FNf4tywRC1HmFuKW5xopWpigGjJKiJSV0Cqo0cJWDaA="},
			{"filippo.io/edwards25519", "v1.1.0", "h1:FNf4tywRC1HmFuKW5xopWpigGjJKiJSV0Cqo0cJWDaA="},
		},
		Binaries:   []evidence.Subject{evidence.FileSubject("bin/age_v1.2.1_linux_amd64", strings.Repeat("c", 64))},
		Byproducts: []Resource{{Name: "checksums.txt", Digest: evidence.DigestSet{"sha256": strings.Repeat("d", 64)}}},
	}
}

func recipe() Recipe {
	return Recipe{
		Binary: "bin/age_v1.2.1_linux_amd64",
		Argv:   []string{"go", "build", "-trimpath", "-buildvcs=true", "-mod=readonly", "-ldflags=-s -w", "-o", "bin/age_v1.2.1_linux_amd64", "./cmd/age"},
		Env:    []string{"CGO_ENABLED=0", "GOAMD64=v1", "GOARCH=amd64", "GOENV=off", "GOOS=linux"},
	}
}

func TestRoundTrip(t *testing.T) {
	s, err := New(facts())
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	deps := read.Predicate.BuildDefinition.ResolvedDependencies
	if len(deps) != 4 {
		t.Fatalf("%d dependencies, expected source, toolchain and two modules: %+v", len(deps), deps)
	}
	if deps[2].URI != "pkg:golang/filippo.io/edwards25519@v1.1.0" || len(deps[2].Digest["dirHash"]) != 64 {
		t.Errorf("module %+v", deps[2])
	}
	f := facts()
	f.Modules[0], f.Modules[2] = f.Modules[2], f.Modules[0]
	s2, _ := New(f)
	if again, _ := Encode(s2); !bytes.Equal(again, data) {
		t.Error("another order of the facts gives other bytes")
	}
}

func TestReadRefuses(t *testing.T) {
	s, err := New(facts())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Statement){
		"predicate type": func(s *Statement) { s.PredicateType = "https://slsa.dev/provenance/v0.2" },
		"build type":     func(s *Statement) { s.Predicate.BuildDefinition.BuildType += "#2" },
		"type":           func(s *Statement) { s.Type = "https://in-toto.io/Statement/v0.1" },
		"no subjects":    func(s *Statement) { s.Subject = nil },
	} {
		bad := s
		change(&bad)
		data, err := envelope.Encode(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(data); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	data, _ := Encode(s)
	unknown := bytes.Replace(data, []byte(`"runDetails": {`), []byte(`"runDetails": {"metadata": {},`), 1)
	if _, err := Read(unknown); err == nil || !strings.Contains(err.Error(), `unknown field "metadata"`) {
		t.Errorf("unknown field: %v", err)
	}
}

func TestModuleSums(t *testing.T) {
	for _, sum := range []string{"h1:", "h2:mnl8DM0o513X8fdIkmyFE/5hTYxbwYOjDS/+rK6qpRI=", "h1:AAAA", "h1:mnl8DM0o513X8fdIkmyFE/5hTYxbwYOjDS/+rK6qpRI"} {
		if hash, err := DirHash(sum); err == nil {
			t.Errorf("%s gives %s", sum, hash)
		}
	}
}

func TestRecipeIsDataNotACommand(t *testing.T) {
	good := recipe()
	settings, err := good.Settings()
	if err != nil {
		t.Fatal(err)
	}
	if settings["-trimpath"] != "true" || settings["GOOS"] != "linux" || settings["-ldflags"] != "" {
		t.Errorf("settings %v", settings)
	}
	with := func(flags ...string) []string {
		return append(append([]string{"go", "build"}, flags...), "-o", good.Binary, "./cmd/age")
	}
	for name, argv := range map[string][]string{
		"toolexec":       with("-trimpath", "-toolexec=/bin/sh"),
		"overlay":        with("-overlay=x.json"),
		"modfile":        with("-modfile=x"),
		"trimpath value": with("-trimpath=false"),
		"flag twice":     with("-tags=a", "-tags=b"),
		"space form":     with("-tags", "a"),
		"output":         {"go", "build", "-trimpath", "-o", "/usr/bin/age", "./cmd/age"},
		"package flag":   {"go", "build", "-trimpath", "-o", good.Binary, "-a"},
		"another tool":   {"sh", "-c", "x", "-o", good.Binary, "."},
		"go run":         {"go", "run", "-trimpath", "-o", good.Binary, "."},
		"short":          {"go", "build"},
	} {
		if _, err := (Recipe{Binary: good.Binary, Argv: argv}).Parse(); err == nil {
			t.Errorf("%s: %q parsed", name, argv)
		}
	}
	for name, env := range map[string][]string{
		"unsorted": {"GOOS=linux", "GOARCH=amd64"}, "twice": {"GOOS=a", "GOOS=b"}, "no value": {"GOOS"}, "no name": {"=x"},
	} {
		if _, err := (Recipe{Env: env}).Variables(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
