package gobuild

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/provenance"
)

func TestFlagsOfAConfiguration(t *testing.T) {
	tests := []struct {
		flags []string
		want  string // of the recipe, "" with refused set
		fact  string
		hint  string
	}{
		{flags: []string{"-trimpath", "-v", "-mod=readonly", "--buildvcs=true", "-p=4", "-p", "8", "-a"}},
		{flags: []string{"-tags", "a b,a"}, want: "-tags=a,b"},
		{flags: []string{"--tags=a", "-ldflags", "-s -w"}, want: "-tags=a -ldflags=-s -w"},
		{flags: []string{"-gcflags=all=-N -l", "-asmflags=-D X=1"}, want: "-gcflags=all=-N -l -asmflags=-D X=1"},
		{flags: []string{"-ldflags=-X main.v=1 -X=main.w=2 -X 'main.x=a b' --s=true"}, want: "-ldflags=-X main.v=1 -X=main.w=2 -X 'main.x=a b' --s=true"},
		{flags: []string{"-toolexec=/bin/sh"}, fact: "-toolexec=/bin/sh", hint: "runs a program"},
		{flags: []string{"--toolexec", "/bin/sh"}, fact: "-toolexec", hint: "runs a program"},
		{flags: []string{"-overlay=x.json"}, fact: "-overlay", hint: "other files"},
		{flags: []string{"-modfile=x"}, fact: "-modfile", hint: "go.mod"},
		{flags: []string{"-o=x"}, fact: "-o=x", hint: "binary names"},
		{flags: []string{"-mod=mod"}, fact: "-mod=mod", hint: "tidy"},
		{flags: []string{"-mod=vendor"}, fact: "-mod=vendor", hint: "remove it"},
		{flags: []string{"-trimpath=false"}, fact: "-trimpath=false", hint: "always"},
		{flags: []string{"-buildvcs=false"}, fact: "-buildvcs=false", hint: "commit"},
		{flags: []string{"-race"}, fact: "-race", hint: "cgo"},
		{flags: []string{"-C", "/"}, fact: "-C", hint: "supported are"},
		{flags: []string{"./cmd/other"}, fact: "./cmd/other", hint: "supported are"},
		{flags: []string{"-tags"}, fact: "no value", hint: "-tags=VALUE"},
		{flags: []string{"-tags=a;b"}, fact: `"a;b"`, hint: "letters"},
		{flags: []string{"-tags=a", "-tags=b"}, fact: "-tags is set twice", hint: "one value"},
		{flags: []string{"-ldflags=-s", "-ldflags=-w"}, fact: "-ldflags is set twice", hint: "one value"},
		{flags: []string{"-ldflags=-extld=/bin/sh"}, fact: "-extld", hint: "runs a program"},
		{flags: []string{"-ldflags=-linkmode external"}, fact: `"external"`, hint: "C compiler"},
		{flags: []string{"-ldflags=-linkmode=external"}, fact: `"external"`, hint: "C compiler"},
		{flags: []string{"-ldflags=-X nodot=1"}, fact: `"nodot=1"`, hint: ""},
		{flags: []string{"-ldflags=-s '-w"}, fact: "open quote", hint: "close"},
		{flags: []string{"-ldflags=-s main.x=y"}, fact: `"main.x=y" is no flag`, hint: "quote"},
		{flags: []string{"-ldflags=-tmpdir /x"}, fact: "-tmpdir", hint: "remove"},
		{flags: []string{"-gcflags=all=-o=/x"}, fact: "-gcflags flag -o", hint: "remove"},
		{flags: []string{"-gcflags=all"}, fact: `"all" has no flags`, hint: "all=-l"},
		{flags: []string{"-gcflags=-importcfg=x"}, fact: "-importcfg", hint: "remove"},
		{flags: []string{"-asmflags=all=-trimpath=/x"}, fact: "-trimpath", hint: "always"},
		{flags: []string{"-asmflags=-I /x"}, fact: "-I", hint: "remove"},
	}
	for _, test := range tests {
		var f recipeFlags
		r := f.add(test.flags, "readonly")
		switch got := strings.Join(f.argv(), " "); {
		case r == nil && test.fact == "":
			if got != test.want {
				t.Errorf("%q: recipe has %q, want %q", test.flags, got, test.want)
			}
		case r == nil:
			t.Errorf("%q: accepted as %q, want it refused", test.flags, got)
		case test.fact == "" || !strings.Contains(r.fact, test.fact) || !strings.Contains(r.hint, test.hint) || r.hint == "":
			t.Errorf("%q: refused with %q, hint %q", test.flags, r.fact, r.hint)
		}
	}
}

func TestVariablesOfABuild(t *testing.T) {
	for entry, want := range map[string]string{
		"CGO_ENABLED=0": "follow", "GOAMD64=v3": "follow", "GOARM64=v9.0,lse": "follow", "GOARM=6,softfloat": "follow",
		"GOFLAGS=": "drop", "GO111MODULE=on": "drop", "GOWORK=off": "drop", "GOTOOLCHAIN=local": "drop", "LC_ALL=C": "drop",
		"CGO_ENABLED=1": "CGO_ENABLED=0", "GOAMD64=v9": "", "GOOS=linux": "goos", "GOFLAGS=-toolexec=x": "under flags",
		"GOTOOLCHAIN=go1.99": "on PATH", "GOPROXY=https://proxy.example.com": "go env", "GOEXPERIMENT=arenas": "experiments",
		"PATH=/x": "", "CC=gcc": "", "LD_PRELOAD=x.so": "", "GIT_DIR=/x": "", "HOME=/x": "", "GOROOT=/x": "", "novalue": "NAME=VALUE",
	} {
		follow, r := followEnv(entry)
		switch want {
		case "follow", "drop":
			if r != nil || follow != (want == "follow") {
				t.Errorf("%s: follow %v, refusal %v; want %s", entry, follow, r, want)
			}
		default:
			if r == nil || r.hint == "" || !strings.Contains(r.hint, want) {
				t.Errorf("%s: refusal %v, want a hint with %q", entry, r, want)
			}
		}
	}
}

// testScope has one variable that is set and one that is secret.
func testScope(entries ...string) scope {
	c := commit{id: strings.Repeat("a", 40), time: time.Unix(1700000000, 0).UTC()}
	env := &fileEnv{
		entries: entries, allowed: []string{"ALLOWED"}, fields: templateFields("tool", "v1.2.3", c),
		caller: func(name string) string { return map[string]string{"ALLOWED": "yes", "SECRET": canary}[name] },
	}
	return env.scope(len(entries)).on(release.Platform{OS: "linux", Arch: "amd64"})
}

const canary = "canary-91ab"

func TestTemplates(t *testing.T) {
	s := testScope("ONE=1", "TWO={{ .Env.ONE }}2", "BAD={{ .Date }}", "LOOP={{ .Env.LATER }}", "LATER=x", "ONE=3")
	for text, want := range map[string]string{
		"plain": "plain",
		"{{.Version}} {{ .Tag }} {{ .ProjectName }} {{.Os}}/{{.Arch}}":     "1.2.3 v1.2.3 tool linux/amd64",
		"{{ .ShortCommit }} {{ .CommitDate }} {{ .CommitTimestamp }}":      "aaaaaaa 2023-11-14T22:13:20Z 1700000000",
		`{{ if eq .Os "linux" }}yes{{ else }}no{{ end }}{{/* x */}}`:       "yes",
		`{{ if and (ne .Os "") (not false) }}{{ toupper .Arch }}{{ end }}`: "AMD64",
		`{{ trimprefix .Tag "v" }}{{ replace .Version "." "_" }}`:          "1.2.31_2_3",
		"{{ .Env.ONE }}{{ .Env.TWO }}{{ .Env.ALLOWED }}":                   "312yes",
	} {
		if value, refusal, _ := s.expand(text); value != want || refusal != "" {
			t.Errorf("%s: %q, %q; want %q", text, value, refusal, want)
		}
	}
	for text, want := range map[string][2]string{
		"{{ .Date }}":                                 {".Date", ".CommitDate"},
		"{{ .Now.Year }}":                             {".Now.Year", ".CommitDate"},
		"{{ .Timestamp }}":                            {".Timestamp", ".CommitTimestamp"},
		`{{ time "2006" }}`:                           {"function time", ".CommitDate"},
		"{{ .Env.SECRET }}":                           {"SECRET", "--allow-env SECRET"},
		"{{ .Env.BAD }}":                              {".Date", ""},
		"{{ .Env.LOOP }}":                             {"LATER", ""},
		"{{ .Env }}":                                  {".Env is not supported", ""},
		`{{ index .Env "SECRET" }}`:                   {"function index", ".Env.NAME"},
		`{{ with .Env }}{{ .SECRET }}{{ end }}`:       {"{{with", ""},
		"{{ range 1000000000 }}x{{ end }}":            {"{{range", ""},
		"{{ $x := .Env }}{{ $x.SECRET }}":             {"$x", ""},
		"{{ . }}":                                     {"element . ", ""},
		`{{ printf "%1000000000d" 1 }}`:               {"function printf", ""},
		`{{ readFile "/etc/passwd" }}`:                {"function readFile", ""},
		`{{ define "x" }}{{ end }}{{ template "x" }}`: {"template", ""},
		"{{ .Version.Major }}":                        {".Version.Major", ""},
		"{{ .Version":                                 {"unclosed action", ""},
		"{{ .Versoin }}":                              {".Versoin", ".Version"},
	} {
		value, refusal, hint := s.expand(text)
		if !strings.Contains(refusal, want[0]) || !strings.Contains(hint, want[1]) || refusal == "" || hint == "" || value != "" {
			t.Errorf("%s: %q, refusal %q, hint %q; want %q", text, value, refusal, hint, want)
		}
	}
	long := `{{ replace (replace (replace .Commit "a" "` + strings.Repeat("a", 4000) + `") "a" "aaaa") "a" "aaaa" }}`
	if _, refusal, _ := s.expand(long); !strings.Contains(refusal, "more than") {
		t.Errorf("a template that grows: %q", refusal)
	}
}

// Each entry uses the one before it twice: without memory this takes 2^60 steps.
func TestVariablesAreEvaluatedOnce(t *testing.T) {
	entries := []string{"V=x"}
	for range 60 {
		entries = append(entries, "V={{ if .Env.V }}{{ .Env.V }}{{ end }}")
	}
	if value, refusal, _ := testScope(entries...).expand("{{ .Env.V }}"); value != "x" || refusal != "" {
		t.Errorf("%q, %q", value, refusal)
	}
}

// No template reads a variable that was not allowed, and none depends on anything
// but its scope.
func FuzzTemplateTellsNoSecret(f *testing.F) {
	for _, seed := range []string{
		"{{ .Env.ALLOWED }}", "{{ .Env.SECRET }}", `{{ index .Env "SECRET" }}`, `{{ if eq .Os "linux" }}{{ .Tag }}{{ else }}x{{ end }}`,
		`{{ replace .Version "." "-" | toupper }}`, "{{ range .Env }}{{ . }}{{ end }}", `{{ block "x" . }}{{ .SECRET }}{{ end }}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, refusal, _ := testScope("SET=" + text).expand(text)
		second, _, _ := testScope("SET=" + text).expand(text)
		if first != second || refusal != "" && first != "" {
			t.Errorf("%q and %q, refusal %q", first, second, refusal)
		}
		if strings.Contains(first, canary) && !strings.Contains(text, canary) || len(first) > max(maxExpanded, len(text)) {
			t.Errorf("%d bytes come out: %.200s", len(first), first)
		}
	})
}

// Flags that are accepted make a recipe that the provenance's reader takes for
// data, and ask no tool to run or read anything.
func FuzzAcceptedFlagsRunNothing(f *testing.F) {
	for _, seed := range []string{
		"-tags\na,b\n-ldflags\n-s -w -X 'main.x=a b'", "--toolexec=x", "-gcflags=all=-N -l\n-asmflags=-e",
		"-ldflags=-linkmode\nexternal", "-ldflags=\"-extld\" x", "-tags=a\n-o\nx",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var flags recipeFlags
		if flags.add(strings.Split(text, "\n"), "readonly") != nil {
			return
		}
		u := unit{dir: "cmd/x", binary: "x", platform: release.Platform{OS: "linux", Arch: "amd64"}, flags: flags.argv()}
		target := u.target(&module{path: "example.com/x"}, "v1")
		recipe := provenance.Recipe{Binary: target.Argv[len(target.Argv)-2], Argv: target.Argv, Env: target.Env}
		parsed, err := recipe.Parse()
		if err != nil {
			t.Fatal(err)
		}
		args, _ := splitQuoted(parsed.Ldflags)
		for i, arg := range args {
			name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if i > 0 && slices.Contains([]string{"-X", "-extldflags", "-buildid"}, normalFlag(args[i-1])) {
				continue // a value
			}
			if slices.Contains([]string{"extld", "extar", "tmpdir", "L", "I", "o", "importcfg", "plugin"}, name) || value == "external" && name == "linkmode" {
				t.Errorf("accepted %q", parsed.Ldflags)
			}
		}
	})
}

// A configuration is read whole or refused, in one line.
func FuzzConfigurationIsReadOrRefused(f *testing.F) {
	for _, seed := range []string{
		"version: 2\nproject_name: x\n", "version: 1\n", "version: 2\nbuilds:\n  - main: .\n    hooks: x\n", "version: 2\nversion: 2\n",
		"version: 2\na: &a [*a]\n", "{version: 2}", "---\nversion: 2\n---\nversion: 2\n", "version: 2\n<<: {version: 1}\n", "\xff", "- x\n", "version: 2\nbuilds: {}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfiguration("x.yaml", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindUsage || e.Hint == "" || strings.ContainsAny(e.Msg, "\n\r") {
				t.Errorf("error is %q", err)
			}
			return
		}
		if c.project.Version != 2 || !slices.Contains(c.sections, "version") || !bytes.Contains(data, []byte("2")) {
			t.Errorf("read as %+v", c)
		}
	})
}

func TestHooksThatMayBeLeftOut(t *testing.T) {
	for command, want := range map[string]bool{
		"": true, "go mod tidy": true, "go  mod tidy -v": true, "go mod download": true, "go generate ./...": true,
		"go vet ./...": true, "go test -race ./...": true,
		"go mod vendor": false, "go run ./gen": false, "go testing": false, "go build -o x": false, "make": false,
		"go mod tidy && make x": false, "go mod tidy; make x": false, "go test ./... | tee log": false, "go vet `make x`": false,
		"go generate $(make x)": false, "go generate {{ .Env.X }}": false, "sh -c 'go vet'": false, "gofmt -w .": false,
	} {
		if got := reasonToSkip(command) != ""; got != want {
			t.Errorf("%q: left out %v, want %v", command, got, want)
		}
	}
}
