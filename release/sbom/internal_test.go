package sbom

import (
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/package-url/packageurl-go"
)

func TestModuleLocation(t *testing.T) {
	for _, test := range []struct{ path, version, want string }{
		{"github.com/spf13/cobra", "v1.8.0", "git+https://github.com/spf13/cobra@v1.8.0"},
		{"github.com/Masterminds/semver/v3", "v3.2.1", "git+https://github.com/Masterminds/semver@v3.2.1"},
		{"github.com/example/app/sub/dir", "v0.4.0", "git+https://github.com/example/app@sub/dir/v0.4.0"},
		{"github.com/example/app/sub/v2", "v2.4.0", "git+https://github.com/example/app@sub/v2.4.0"},
		{"github.com/example/app", "v2.4.0+incompatible", "git+https://github.com/example/app@v2.4.0"},
		{"github.com/example/app", "v0.0.0-20240102030405-0123456789ab", "git+https://github.com/example/app@0123456789ab"},
		{"github.com/example/app", "v1.2.4-0.20240102030405-0123456789ab+incompatible", "git+https://github.com/example/app@0123456789ab"},
		{"github.com/example/app", "(devel)", "https://github.com/example/app"},
		{"github.com/example", "v1.0.0", "https://github.com/example"},
		{"gitlab.com/example/app", "v1.0.0", "git+https://gitlab.com/example/app@v1.0.0"},
		{"gitlab.com/example/app/v2", "v2.0.0", "git+https://gitlab.com/example/app@v2.0.0"},
		{"gitlab.com/example/group/app", "v1.0.0", "https://gitlab.com/example/group/app"},
		{"codeberg.org/example/app", "v1.0.0", "git+https://codeberg.org/example/app@v1.0.0"},
		{"bitbucket.org/example/app", "v1.0.0", "git+https://bitbucket.org/example/app@v1.0.0"},
		{"golang.org/x/sys", "v0.21.0", "git+https://go.googlesource.com/sys@v0.21.0"},
		{"golang.org/x/tools/gopls", "v0.21.0", "git+https://go.googlesource.com/tools@gopls/v0.21.0"},
		{"gopkg.in/yaml.v3", "v3.0.1", "https://gopkg.in/yaml.v3"},
		{"filippo.io/age", "v1.2.1", "https://filippo.io/age"},
		{"github.com.example.org/a/b", "v1.0.0", "https://github.com.example.org/a/b"},
	} {
		if got := moduleLocation(test.path, test.version); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.path, test.version, got, test.want)
		}
	}
}

func TestSourceLocation(t *testing.T) {
	for _, test := range []struct{ uri, want string }{
		{"https://github.com/example/app", "git+https://github.com/example/app@c0ffee"},
		{"https://github.com/example/app/", "git+https://github.com/example/app@c0ffee"},
		{"git+https://git.example.com/app", "git+https://git.example.com/app@c0ffee"},
		{"git+ssh://git.example.com/app", "git+ssh://git.example.com/app@c0ffee"},
		{"https://filippo.io/age", "https://filippo.io/age"},
		{"https://github.com/example/app/tree/main", "https://github.com/example/app/tree/main"},
	} {
		if got := sourceLocation(Source{URI: test.uri, GitCommit: "c0ffee"}); got != test.want {
			t.Errorf("%s: %s, want %s", test.uri, got, test.want)
		}
	}
	if got := sourceLocation(Source{URI: "https://github.com/example/app", GitCommit: "c0ffee", Dirty: true}); got != "https://github.com/example/app" {
		t.Errorf("a dirty tree is at %s, which it is not", got)
	}
}

func TestGoLocation(t *testing.T) {
	for version, want := range map[string]string{
		"go1.26.8":               "git+https://go.googlesource.com/go@go1.26.8",
		"go1.27rc1":              "git+https://go.googlesource.com/go@go1.27rc1",
		"go1.27-devel_0123abcd":  "https://go.dev",
		"go1.26.8-custom":        "https://go.dev",
		"go1.26.8 X:nogreenteag": "https://go.dev",
	} {
		if got := goLocation(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

func TestSupplier(t *testing.T) {
	for path, want := range map[string]string{
		"github.com/Masterminds/semver/v3": "github.com/Masterminds (https://github.com/Masterminds)",
		"gitlab.com/a/b/c":                 "gitlab.com/a (https://gitlab.com/a)",
		"golang.org/x/sys":                 "The Go Authors (https://go.dev)",
		"filippo.io/age":                   "filippo.io (https://filippo.io)",
		"example":                          "example (https://example)",
	} {
		if got := supplierOf(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for want, s := range map[string]Supplier{
		"github.com/example (https://github.com/example)": {},
		"github.com/example (ada@example.com)":            {Email: "ada@example.com"},
		"Example GmbH":                                    {Name: "Example GmbH"},
		"Example GmbH (https://example.com)":              {Name: "Example GmbH", URL: "https://example.com"},
		"Example GmbH (mail@example.com)":                 {Name: "Example GmbH", URL: "https://example.com", Email: "mail@example.com"},
	} {
		if got := s.text("github.com/example/app"); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
}

// TestPURL compares with what the purl library parses, but for the case, which
// that library lowers.
func TestPURL(t *testing.T) {
	for _, test := range []struct{ path, version, subpath, want string }{
		{"github.com/Masterminds/semver/v3", "v3.2.1", "", "pkg:golang/github.com/Masterminds/semver/v3@v3.2.1"},
		{"example.com/a", "v2.0.0+incompatible", "", "pkg:golang/example.com/a@v2.0.0%2Bincompatible"},
		{"git.sr.ht/~ada/x", "v1.0.0", "cmd/x", "pkg:golang/git.sr.ht/~ada/x@v1.0.0#cmd/x"},
		{"std", "1.26.8", "", "pkg:golang/std@1.26.8"},
		{"example.com/a", "", "", "pkg:golang/example.com/a"},
		{"example.com/a", "sub/v1.0.0", "", "pkg:golang/example.com/a@sub%2Fv1.0.0"},
	} {
		got := modulePURL(test.path, test.version, nil, test.subpath)
		if got != test.want {
			t.Errorf("%s %s: %s, want %s", test.path, test.version, got, test.want)
		}
		p, err := packageurl.FromString(got)
		if err != nil || strings.TrimPrefix(p.Namespace+"/"+p.Name, "/") != strings.ToLower(test.path) || p.Version != test.version || p.Subpath != test.subpath {
			t.Errorf("%s is read as %+v, %v", got, p, err)
		}
	}
}

func TestIdentifiersFollowTheGrammar(t *testing.T) {
	grammar := regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`)
	seen := map[string]Linked{}
	for _, m := range []Linked{
		{Path: "example.com/a/b", Version: "v1.0.0"},
		{Path: "example.com/a-b", Version: "v1.0.0"},
		{Path: "example.com/a_b", Version: "v1.0.0"},
		{Path: "example.com/A/b", Version: "v1.0.0"},
		{Path: "example.com/a/b", Version: "v1.0.0+incompatible"},
		{Path: "example.com/a/b", Version: "v1.0.0", Sum: "h1:x"},
		{Path: "example.com/a/b", Version: "v1.0.0", Replace: Replacement{Path: "./b", Version: "(devel)"}},
		{Path: "example.com/a/b", Version: "v1.0.0", Replace: Replacement{Path: "example.com/a/b", Version: "v1.0.1"}},
		{Path: "example.com/" + strings.Repeat("é~", 300), Version: "v1.0.0"},
		{Path: "example.com/" + strings.Repeat("é~", 301), Version: "v1.0.0"},
	} {
		id := moduleIdentity(m).id
		if other, ok := seen[id]; ok || !grammar.MatchString(id) || len(id) > 250 {
			t.Errorf("%s names %+v, and %+v", id, m, other)
		}
		seen[id] = m
	}
}

func TestParseExpression(t *testing.T) {
	for text, want := range map[string][]string{
		"MIT":                            {"MIT"},
		"Apache-2.0 AND MIT":             {"Apache-2.0", "MIT"},
		"GPL-2.0+":                       {"GPL-2.0+"},
		"(ISC OR MIT) AND Zlib":          {"(ISC OR MIT)", "Zlib"},
		"ISC OR MIT":                     {"ISC OR MIT"},
		"ISC AND MIT OR Zlib":            {"ISC AND MIT OR Zlib"},
		"GPL-2.0-only WITH Foo-1.0 OR X": {"GPL-2.0-only WITH Foo-1.0 OR X"},
		"((MIT)) AND LicenseRef-0":       {"((MIT))", "LicenseRef-0"},
	} {
		if got, err := parseExpression(text); err != nil || !slices.Equal(got.terms, want) {
			t.Errorf("%q: %q, %v, want %q", text, got.terms, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                "expected a license identifier",
		" ":               "expected a license identifier",
		"MIT ISC":         "unexpected",
		"MIT AND":         "expected a license identifier",
		"AND":             "expected a license identifier",
		"MIT and ISC":     "unexpected",
		"(MIT":            "not closed",
		"MIT)":            "unexpected",
		"MIT  OR ISC":     "is not written as",
		"( MIT )":         "is not written as",
		"NOASSERTION":     "expected a license identifier",
		"MIT WITH":        "expected an exception",
		"MIT WITH (X)":    "expected an exception",
		"MIT\nAND ISC":    "expected a license identifier",
		"DocumentRef-x:y": "expected a license identifier",
		strings.Repeat("(", 100) + "MIT" + strings.Repeat(")", 100): "nested parentheses",
		strings.Repeat("MIT AND ", 20_000) + "MIT":                  "at most 65536",
	} {
		if _, err := parseExpression(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %.200v, want one with %q", text, err, want)
		}
	}
}

func TestConjunction(t *testing.T) {
	for want, texts := range map[string][]string{
		"MIT":                                 {"MIT", "MIT"},
		"Apache-2.0 AND BSD-3-Clause AND MIT": {"MIT AND Apache-2.0", "BSD-3-Clause", "MIT"},
		"(ISC OR MIT) AND MIT":                {"MIT", "ISC OR MIT"},
		"ISC OR MIT":                          {"ISC OR MIT", "ISC OR MIT"},
		"((ISC) OR MIT) AND Zlib":             {"Zlib", "(ISC) OR MIT"},
	} {
		var all []expression
		for _, text := range texts {
			e, err := parseExpression(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		got := conjunction(all)
		if got != want {
			t.Errorf("%q: %q, want %q", texts, got, want)
		}
		if _, err := parseExpression(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

func TestNearestName(t *testing.T) {
	for name, want := range map[string]string{
		"versionInfos": "versionInfo", "VERSION_INFO": "versionInfo", "SPDX_ID": "SPDXID", "licenceDeclared": "licenseDeclared", "checksum": "checksums",
		strings.Repeat("x", 10_000): "packages",
	} {
		err := explain([]byte(`{"`+name+`": 1}`), nil)
		if err == nil || len(err.Error()) > 300 || want != "packages" && !strings.Contains(err.Error(), strconv.Quote(want)) {
			t.Errorf("%.40s: %.400v, want %q", name, err, want)
		}
	}
}

// TestFieldNames holds the list of known names and the types together.
func TestFieldNames(t *testing.T) {
	var names []string
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			names = append(names, name)
			walk(typ.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[document]())
	slices.Sort(names)
	if names = slices.Compact(names); !slices.Equal(names, fieldNames) {
		t.Errorf("fieldNames is %q, the types have %q", fieldNames, names)
	}
}

func TestFromBuildInfo(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Path: "example.com/app/cmd/app", Main: debug.Module{Path: "example.com/app", Version: "v1.0.0"},
		Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "arm64"}, {Key: "GOOS", Value: "linux"}},
		Deps: []*debug.Module{
			{Path: "example.com/z", Version: "v1.0.0", Sum: "h1:z"},
			{Path: "example.com/dir", Version: "v0.0.0", Replace: &debug.Module{Path: "./dir", Version: "(devel)"}},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.1.0", Sum: "h1:n"}},
		},
	}
	want := Binary{
		OS: "linux", Arch: "arm64", GoVersion: "go1.26.8", MainPackage: "example.com/app/cmd/app", MainVersion: "v1.0.0",
		Modules: []Linked{
			{Path: "example.com/dir", Version: "v0.0.0", Replace: Replacement{Path: "./dir", Version: "(devel)"}},
			{Path: "example.com/old", Version: "v1.0.0", Replace: Replacement{"example.com/new", "v1.1.0", "h1:n"}},
			{Path: "example.com/z", Version: "v1.0.0", Sum: "h1:z"},
		},
	}
	if got := FromBuildInfo(info); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
