package pipelines

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A document is what the rules read of a workflow or an action; the rest stays unread.
type document struct {
	Permissions any            `yaml:"permissions"`
	Env         map[string]any `yaml:"env"`
	Jobs        map[string]job `yaml:"jobs"`
	Runs        struct {
		Steps []step `yaml:"steps"`
	} `yaml:"runs"`
}

type job struct {
	Permissions any            `yaml:"permissions"`
	Timeout     int            `yaml:"timeout-minutes"`
	Environment string         `yaml:"environment"`
	Env         map[string]any `yaml:"env"`
	Steps       []step         `yaml:"steps"`
}

type step struct {
	Uses string         `yaml:"uses"`
	Run  string         `yaml:"run"`
	Env  map[string]any `yaml:"env"`
	With map[string]any `yaml:"with"`
}

var (
	pinned  = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	release = regexp.MustCompile(`^\s*(?:- )?uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

// problems lists where a file breaks a rule.
func problems(text string) []string {
	var d document
	if err := yaml.Unmarshal([]byte(text), &d); err != nil {
		return []string{err.Error()}
	}
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for n, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "uses: ") && !strings.Contains(line, "uses: ./") && !release.MatchString(line) {
			say("line %d names an action without commit and release", n+1)
		}
	}
	if len(d.Jobs) > 0 && !slices.Contains([]string{"map[]", "map[contents:read]"}, fmt.Sprint(d.Permissions)) {
		say("permissions at the top are %v", d.Permissions)
	}
	if secret(d.Env) {
		say("a secret for every job")
	}
	for _, s := range d.Runs.Steps {
		list = append(list, s.problems("the action", false)...)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Jobs)) {
		list = append(list, d.Jobs[name].problems(name)...)
	}
	return list
}

func (j job) problems(name string) []string {
	var list []string
	if j.Timeout < 1 || j.Timeout > 60 {
		list = append(list, fmt.Sprintf("%s: timeout-minutes is %d", name, j.Timeout))
	}
	if secret(j.Env) {
		list = append(list, name+": a secret for every step")
	}
	rights, _ := j.Permissions.(map[string]any)
	if _, written := j.Permissions.(string); written {
		list = append(list, fmt.Sprintf("%s: permissions %v", name, j.Permissions))
	}
	for _, s := range j.Steps {
		list = append(list, s.problems(name, j.Environment != "")...)
		if rights["id-token"] != nil && (strings.HasPrefix(s.Uses, "actions/checkout@") || rights["contents"] != nil) {
			list = append(list, name+": a token of identity beside the commit's files")
		}
	}
	return list
}

func (s step) problems(job string, protected bool) []string {
	var list []string
	say := func(text string) { list = append(list, job+": "+text) }
	if s.Uses != "" && !strings.HasPrefix(s.Uses, "./.github/actions/") && !pinned.MatchString(s.Uses) {
		say("not pinned by commit: " + s.Uses)
	}
	if strings.Contains(s.Run, "${{") {
		say("an expression in what a shell runs: " + s.Run)
	}
	if (secret(s.Env) || secret(s.With)) && !protected {
		say("a secret outside of an environment")
	}
	if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
		say("a checkout that leaves its token behind")
	}
	if strings.HasPrefix(s.Uses, "actions/setup-go@") && s.With["cache"] != false {
		say("a build with a cache")
	}
	return list
}

func secret(values map[string]any) bool { return strings.Contains(fmt.Sprint(values), "secrets.") }

func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"workflows/*.y*ml", "actions/*/action.y*ml"} {
		found, err := filepath.Glob(filepath.Join("../../.github", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		all = append(all, found...)
	}
	return all
}

func TestFilesFollowTheRules(t *testing.T) {
	for _, file := range files(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems(string(text)) {
			t.Errorf("%s: %s", file, p)
		}
	}
}

// Each rule sees the mistake that it is for.
func TestRulesSeeMistakes(t *testing.T) {
	data, err := os.ReadFile("../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	checkout := regexp.MustCompile(`actions/checkout@[0-9a-f]{40} # v[0-9.]+`).FindString(good)
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"a tag":                {checkout, "actions/checkout@v7", "not pinned by commit"},
		"a short commit":       {checkout, checkout[:30], "not pinned by commit"},
		"no release":           {checkout, strings.Fields(checkout)[0], "without commit and release"},
		"rights at the top":    {"permissions: {}", "permissions: write-all", "permissions at the top"},
		"writing at the top":   {"permissions: {}", "permissions:\n  contents: write", "permissions at the top"},
		"no rights named":      {"permissions: {}\n", "", "permissions at the top"},
		"all rights in a job":  {"permissions:\n      contents: write", "permissions: write-all", "publish: permissions write-all"},
		"no time limit":        {"timeout-minutes: 15", "timeout-minutes: 360", "timeout-minutes is 360"},
		"an expression run":    {`gh release edit "$TAG"`, `gh release edit "${{ inputs.tag }}"`, "an expression in what a shell runs"},
		"a secret without":     {"    environment: release\n", "", "outside of an environment"},
		"a secret for a job":   {"    environment: release\n", "    environment: release\n    env:\n      KEY: ${{ secrets.ROLLPROOF_SIGNING_KEY }}\n", "for every step"},
		"a secret for all":     {"env:\n  TAG: ${{ inputs.tag }}", "env:\n  TAG: ${{ secrets.TAG }}", "for every job"},
		"a token left behind":  {"          persist-credentials: false\n", "", "leaves its token behind"},
		"a cache":              {"cache: false", "cache: true", "with a cache"},
		"identity and content": {"      id-token: write", "      id-token: write\n      contents: read", "a token of identity"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, tc.old, tc.replacement, 1)
			if bad == good {
				t.Fatalf("%q is not in the file", tc.old)
			}
			if got := strings.Join(problems(bad), "\n"); !strings.Contains(got, tc.want) {
				t.Errorf("expected %q, got %q", tc.want, got)
			}
		})
	}
}
