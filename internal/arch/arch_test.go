// Package arch asserts the arrows between rollproof's packages.
package arch

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rollproof/rollproof"

// A pkg is what "go list -json" tells of one package.
type pkg struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
	Deps         []string
	Module       *struct{ Path string }
}

// load lists the packages of this module and everything that they reach.
func load(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,GoFiles,Deps,Module", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pkgs := map[string]pkg{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// room is the path below the module's root.
func room(path string) string { return strings.TrimPrefix(path, module+"/") }

// These rooms hold bytes and import nothing else of rollproof.
var bytesOnly = []string{"schemas", "evidence/envelope", "evidence/translog", "release/archive", "rollout/inventory"}

// These take plain facts and never import package release.
var belowRelease = []string{"release/archive", "release/sbom", "release/provenance", "release/vsa", "release/link"}

// Adapters implement an interface of the package above them; only cmd, other
// adapters and tests import them.
var adapters = []string{"release/gobuild", "release/dist", "release/rebuild", "release/fromdist", "evidence/sqlite", "evidence/keyless", "evidence/keys"}

func TestBytesOnlyRoomsImportNothingOfRollproof(t *testing.T) {
	pkgs := load(t)
	for _, r := range bytesOnly {
		for _, i := range pkgs[module+"/"+r].Imports {
			if ours(i) {
				t.Errorf("%s imports %s", r, room(i))
			}
		}
	}
}

func TestFactsNeverImportRelease(t *testing.T) {
	pkgs := load(t)
	for _, r := range belowRelease {
		if slices.Contains(pkgs[module+"/"+r].Deps, module+"/release") {
			t.Errorf("%s reaches package release", r)
		}
	}
}

func TestOnlyCommandsImportAdapters(t *testing.T) {
	for path, p := range load(t) {
		if !ours(path) || strings.HasPrefix(room(path), "cmd/") || slices.Contains(adapters, room(path)) {
			continue
		}
		for _, i := range p.Imports {
			if ours(i) && slices.Contains(adapters, room(i)) {
				t.Errorf("%s imports the adapter %s", room(path), room(i))
			}
		}
	}
}

// verifyImports is all that package verification may reach beside the standard
// library: a closed network audits this list.
var verifyImports = []string{
	"github.com/anchore/go-struct-converter",
	"github.com/google/jsonschema-go",
	"github.com/package-url/packageurl-go",
	"github.com/spdx/tools-golang",
	"golang.org/x/mod",  // module paths and versions
	"golang.org/x/text", // Unicode normal form of names in the trust root
	module,
}

var verifyRooms = []string{
	"evidence", "evidence/envelope", "evidence/trust", "schemas",
	"release", "release/archive", "release/provenance", "release/sbom",
}

func TestVerificationReachesLittle(t *testing.T) {
	pkgs := load(t)
	for _, path := range pkgs[module+"/release"].Deps {
		p := pkgs[path]
		switch {
		case path == "net/http" || path == "database/sql" || path == "os/exec": // crypto/x509 brings net, for its addresses
			t.Errorf("package verification reaches %s", path)
		case ours(path) && !slices.Contains(verifyRooms, room(path)):
			t.Errorf("package verification reaches %s", room(path))
		case !p.Standard && p.Module != nil && !slices.Contains(verifyImports, p.Module.Path):
			t.Errorf("package verification reaches module %s", p.Module.Path)
		}
	}
}

// onlyIn says which package alone may import a module's packages.
var onlyIn = map[string]string{
	"github.com/goreleaser/goreleaser/v2": "release/gobuild",
	"github.com/in-toto/in-toto-golang":   "release/link",
	"modernc.org/sqlite":                  "evidence/sqlite",
	"github.com/sigstore/sigstore-go":     "evidence/keyless",
	"github.com/google/licensecheck":      "release/sbom/license",
	"github.com/coreos/go-oidc":           "internal/access",
	"github.com/danielgtaylor/huma":       "internal/httpapi",
	"github.com/prometheus":               "internal/httpapi",
}

func TestHeavyModulesHaveOneRoom(t *testing.T) {
	for path, p := range load(t) {
		if !ours(path) {
			continue
		}
		for _, i := range p.Imports {
			for heavy, r := range onlyIn {
				if strings.HasPrefix(i, heavy) && room(path) != r {
					t.Errorf("%s imports %s, which belongs to %s", room(path), i, r)
				}
			}
		}
	}
}

// The domain knows nobody who presents it.
var presenters = []string{"internal/access", "internal/service", "internal/httpapi", "internal/console"}

func TestDomainImportsNoPresenter(t *testing.T) {
	pkgs := load(t)
	for path, p := range pkgs {
		if !ours(path) || strings.HasPrefix(room(path), "internal/") || strings.HasPrefix(room(path), "cmd/") {
			continue
		}
		for _, i := range p.Deps {
			if ours(i) && slices.Contains(presenters, room(i)) {
				t.Errorf("%s reaches %s", room(path), room(i))
			}
		}
	}
	// What the API and the console answer from speaks no HTTP, and knows no caller.
	for _, i := range pkgs[module+"/internal/service"].Deps {
		if i == "net/http" || ours(i) && slices.Contains(presenters, room(i)) {
			t.Errorf("internal/service reaches %s", i)
		}
	}
}

// Two presenters stand side by side, and only commands put them together.
func TestOnlyCommandsImportPresenters(t *testing.T) {
	for path, p := range load(t) {
		if !ours(path) || strings.HasPrefix(room(path), "cmd/") {
			continue
		}
		for _, i := range p.Imports {
			if r := room(i); ours(i) && (r == "internal/httpapi" || r == "internal/console") {
				t.Errorf("%s imports %s", room(path), r)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the list of linked modules again")

// Go runs the init of every linked package, so that what is linked costs start-up
// even when it is unused: a module comes into the program on purpose.
func TestLinkedModules(t *testing.T) {
	const golden = "testdata/linked-modules.txt"
	pkgs := load(t)
	var modules []string
	for _, path := range pkgs[module+"/cmd/rollproof"].Deps {
		if m := pkgs[path].Module; m != nil && m.Path != module {
			modules = append(modules, m.Path)
		}
	}
	slices.Sort(modules)
	got := strings.Join(slices.Compact(modules), "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	have, expected := strings.Fields(got), strings.Fields(string(want))
	for _, m := range have {
		if !slices.Contains(expected, m) {
			t.Errorf("%s is linked and not in %s", m, golden)
		}
	}
	for _, m := range expected {
		if !slices.Contains(have, m) {
			t.Errorf("%s is in %s and not linked", m, golden)
		}
	}
}

// Top-level directories are fixed.
var topLevel = []string{"cmd", "release", "rollout", "evidence", "schemas", "internal", "docs"}

var vague = regexp.MustCompile(`(^|/)(utils?|common|helpers?|misc|shared|types|models?|managers?)(\.go|/|$)`)

func TestRoomsHaveNames(t *testing.T) {
	for path, p := range load(t) {
		if !ours(path) {
			continue
		}
		if top, _, _ := strings.Cut(room(path), "/"); !slices.Contains(topLevel, top) {
			t.Errorf("%s lies in a top-level directory of its own", path)
		}
		for _, f := range append([]string{""}, p.GoFiles...) {
			if name := room(path) + "/" + f; vague.MatchString(name) {
				t.Errorf("%s: a name that says nothing", name)
			}
		}
	}
}

// The lower half of the house gets its clock, files and randomness as arguments.
func TestPureRoomsTouchNoMachine(t *testing.T) {
	pkgs := load(t)
	for _, r := range []string{
		"evidence", "evidence/envelope", "evidence/trust", "release", "release/archive", "release/sbom", "release/provenance", "release/osv", "release/upgrade", "release/vsa",
		"rollout", "rollout/inventory", "evidence/checkpoint", "evidence/export",
	} {
		for _, i := range pkgs[module+"/"+r].Imports {
			if slices.Contains([]string{"os", "os/exec", "net", "net/http", "crypto/rand", "math/rand", "math/rand/v2"}, i) {
				t.Errorf("%s imports %s", r, i)
			}
		}
	}
}

// modernc.org/sqlite works with exactly the libc that its own go.mod names.
func TestLibcIsSQLitesOwn(t *testing.T) {
	list := func(format, path string) string {
		t.Helper()
		out, err := exec.Command("go", "list", "-m", "-f", format, path).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	wants, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if have := list("{{.Version}}", "modernc.org/libc"); !strings.Contains(string(wants), "modernc.org/libc "+have+"\n") {
		t.Errorf("modernc.org/libc is %s, and modernc.org/sqlite's go.mod names another", have)
	}
}
