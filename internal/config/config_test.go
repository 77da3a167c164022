package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollproof/rollproof/release"
)

// The example of docs/configuration.md is read as it stands.
func TestDocumentedExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatal("docs/configuration.md has no example")
	}
	got, err := Parse(m[1])
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Name:     "age",
		Supplier: release.Supplier{Name: "Example Corp", Email: "release@example.com", URL: "https://example.com"},
		Source:   "https://git.example.com/tools/age",
		DeploymentTargets: []release.TargetSetting{{
			ID: "github-actions-linux-amd64-runner", Surface: "ci-runner", OS: "linux", Arch: "amd64", Binary: "age",
			Channel: "github-actions", Tool: "actions/setup", InstallPath: "/usr/local/bin/age",
			RolloutGate:      "rollproof release verify-package passes on the runner image",
			RollbackSteps:    []string{"put the previous image back"},
			RequiredEvidence: []string{"release-evidence", "rollout", "observation"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text, problem, nearest string
		line                   int
	}{
		"unknown key":          {"name: age\nsuplier: {}\n", "suplier", "supplier", 2},
		"unknown nested key":   {"supplier:\n  nmae: x\n", "nmae", "name", 2},
		"unknown in a list":    {"deployment_targets:\n  - id: x\n    chanel: y\n", "chanel", "channel", 3},
		"duplicate key":        {"name: a\nname: b\n", "name", "", 2},
		"wrong type":           {"supplier: text\n", "", "", 1},
		"two documents":        {"name: a\n---\nname: b\n", "more than one", "", 0},
		"bad name":             {"name: ../x\n", "name", "", 0},
		"source without URI":   {"source: example.com/x\n", "URI", "", 0},
		"bad target id":        {"deployment_targets:\n  - id: a b\n", "deployment target", "", 0},
		"smoke time limit":     {"smoke:\n  time_limit: 0s\n", "time_limit", "", 0},
		"smoke pattern":        {"smoke:\n  output: '('\n", "RE2", "", 0},
		"unknown smoke key":    {"smoke:\n  exitcode: 3\n", "exitcode", "exit_code", 2},
		"not YAML":             {"name: [\n", "", "", 1},
		"huge":                 {strings.Repeat("#", MaxSize+1), "limit", "", 0},
		"supplier with quotes": {"supplier:\n  name: 'Example \"Corp\"'\n", "supplier", "", 0},
	} {
		_, err := Parse([]byte(tc.text))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *Error", name, err)
			continue
		}
		if !strings.Contains(e.Error(), tc.problem) || e.Nearest != tc.nearest || tc.line != 0 && e.Line != tc.line {
			t.Errorf("%s: %q, nearest %q, line %d; want %q, %q, %d", name, e.Error(), e.Nearest, e.Line, tc.problem, tc.nearest, tc.line)
		}
		if strings.Contains(e.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", name, e.Error())
		}
	}
}

func TestEmptyConfigurations(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n"} {
		if c, err := Parse([]byte(text)); err != nil || c.Name != "" {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add([]byte("name: age\nsupplier:\n  name: Example Corp\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Parse(data); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %q", data, err)
		}
	})
}
