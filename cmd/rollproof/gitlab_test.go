package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A gitlabJob is what is run of a job, and of the hidden jobs that it extends.
type gitlabJob struct {
	Extends      string   `yaml:"extends"`
	Stage        string   `yaml:"stage"`
	Environment  string   `yaml:"environment"`
	Needs        []string `yaml:"needs"`
	BeforeScript []string `yaml:"before_script"`
	Script       []string `yaml:"script"`
	Artifacts    struct {
		Paths []string `yaml:"paths"`
	} `yaml:"artifacts"`
}

// A gitlab runs the jobs of .gitlab-ci.yml, one after the other as the test says.
type gitlab struct {
	*ciHost
	file      string // with the inputs filled in
	variables map[string]string
}

func newGitLab(h *ciHost, inputs map[string]string) *gitlab {
	h.t.Helper()
	data, err := os.ReadFile("../../.gitlab-ci.yml")
	check(h.t, err)
	_, file, ok := strings.Cut(string(data), "\n---\n")
	if !ok {
		h.t.Fatal("no inputs before ---")
	}
	for _, name := range []string{"request", "version", "ring", "mode"} {
		file = strings.ReplaceAll(file, "$[[ inputs."+name+" ]]", inputs[name])
	}
	if strings.Contains(file, "$[[") {
		h.t.Fatal("an input that this test does not know")
	}
	g := &gitlab{h, file, map[string]string{
		"CI_COMMIT_TAG": "v1.4.2", "CI_PROJECT_NAME": "hello", "CI_PROJECT_ID": "7", "CI_API_V4_URL": "https://gitlab.example.com/api/v4", "CI_JOB_TOKEN": "token", "CI_JOB_ID": "1",
	}}
	for name, value := range h.context {
		if v, ok := strings.CutPrefix(name, "vars."); ok {
			g.variables[v] = value
		}
	}
	return g
}

// job runs one job with what the jobs that it needs have left.
func (g *gitlab) job(name string) error {
	g.t.Helper()
	var global struct {
		Variables map[string]string `yaml:"variables"`
	}
	check(g.t, yaml.Unmarshal([]byte(g.file), &global))
	jobs := map[string]gitlabJob{}
	var all map[string]any
	check(g.t, yaml.Unmarshal([]byte(g.file), &all))
	for n, v := range all {
		if slices.Contains([]string{"variables", "stages", "default"}, n) {
			continue
		}
		text, err := yaml.Marshal(v)
		check(g.t, err)
		var j gitlabJob
		check(g.t, yaml.Unmarshal(text, &j))
		jobs[n] = j
	}
	j, ok := jobs[name]
	if !ok {
		g.t.Fatalf("there is no job %s", name)
	}
	for base := j.Extends; base != ""; base = jobs[base].Extends {
		if j.BeforeScript == nil {
			j.BeforeScript = jobs[base].BeforeScript
		}
	}
	return g.runJob(name, j, global.Variables)
}

func (g *gitlab) runJob(name string, j gitlabJob, variables map[string]string) error {
	r := &jobRun{ciHost: g.ciHost, work: g.t.TempDir(), temp: g.t.TempDir()}
	if err := r.command("git", "clone", "-q", "--no-hardlinks", r.repo, "."); err != nil {
		return err
	}
	for _, need := range j.Needs {
		check(g.t, os.CopyFS(r.work, os.DirFS(filepath.Join(g.dir, "artifacts", need))))
	}
	env := maps.Clone(variables)
	maps.Copy(env, g.variables)
	environment := strings.ReplaceAll(j.Environment, "$RING", env["RING"])
	for key, value := range g.context {
		if v, ok := strings.CutPrefix(key, "secrets."+environment+"."); ok && environment != "" {
			env[v] = value
		}
	}
	env["HOST"], env["CI_BUILDS_DIR"], env["PATH"] = g.dir, r.temp, os.Getenv("PATH")
	err := r.bash(strings.Join(slices.Concat(j.BeforeScript, j.Script), "\n"), env)
	into := filepath.Join(g.dir, "artifacts", name)
	check(g.t, os.MkdirAll(into, 0o755))
	for _, pattern := range j.Artifacts.Paths {
		found, globErr := filepath.Glob(filepath.Join(r.work, pattern))
		check(g.t, globErr)
		for _, file := range found {
			relative, relErr := filepath.Rel(r.work, file)
			check(g.t, relErr)
			check(g.t, keepArtifact(file, filepath.Join(into, relative)))
		}
	}
	return err
}

// keepArtifact copies a file or a directory, with modes, as GitLab does.
func keepArtifact(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode())
}

// run runs jobs until one fails, and returns its name.
func (g *gitlab) run(jobs ...string) string {
	for _, name := range jobs {
		if g.job(name) != nil {
			return name
		}
	}
	return ""
}

// A pipeline of a tag publishes what verifies; changed binaries are not signed and
// changed packages not published.
func (s ciSetup) testGitLabRelease(t *testing.T) {
	h := s.host(t, nil)
	h.context["secrets.release.ROLLPROOF_RELEASE_KEY"] = s.key(t, "releaser")
	g := newGitLab(h, nil)
	if failed := g.run("build", "sign", "verify", "publish"); failed != "" {
		t.Fatalf("%s failed:\n%s", failed, h.log)
	}
	a := &attested{t: t, pin: h.context["vars.ROLLPROOF_PIN"]}
	if code, v, _ := a.verify(filepath.Join(h.dir, "uploaded", "hello-v1.4.2.zip")); code != 0 {
		t.Errorf("exit code %d, %+v", code, v)
	}
	var created map[string]any
	readYAML(t, filepath.Join(h.dir, "uploaded", "release.json"), &created)
	if created["tag_name"] != "v1.4.2" {
		t.Errorf("release %v", created)
	}

	binary := filepath.Join(h.dir, "artifacts", "build", "unsigned", "hello-v1.4.2-dry-run", helloBinary)
	check(t, os.WriteFile(binary, []byte("x"), 0o755))
	g.file = strings.Replace(g.file, " --fresh-cache", "", 1) // it ran above, and takes its time
	if failed := g.run("sign"); failed != "sign" {
		t.Error("binaries that differ were signed")
	}
	changeZip(t, filepath.Join(h.dir, "artifacts", "sign", "signed", "hello-v1.4.2.zip"), "installers.json")
	if failed := g.run("verify"); failed != "verify" {
		t.Error("a changed package was verified")
	}
}

// What is approved is executed, by the rules of its own ring.
func (p promotionHost) testGitLabPromotion(t *testing.T) {
	first := p.again(t)
	check(t, os.MkdirAll(filepath.Join(first.dir, "uploaded"), 0o755))
	check(t, os.Rename(filepath.Join(first.dir, "releases", "v1.4.2", "hello-v1.4.2.zip"), filepath.Join(first.dir, "uploaded", "hello-v1.4.2.zip")))
	for name, tc := range map[string]struct {
		approved bool
		mode     string
		soft     string // rings
		ring     string
		fails    string // job
		executed int
	}{
		"approved":              {true, "fail-closed", "", "production", "", 1},
		"not approved":          {false, "fail-closed", "", "production", "judge", 0},
		"not approved, soft":    {false, "soft-fail", "production", "production", "", 0},
		"soft where it may not": {false, "soft-fail", "pilot", "production", "judge", 0},
		"another ring's rules":  {true, "soft-fail", "pilot", "pilot", "judge", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := first.again(t)
			if tc.approved {
				p.approve()
			}
			p.context["vars.ROLLPROOF_SOFT_FAIL_RINGS"] = tc.soft
			g := newGitLab(p.ciHost, map[string]string{"request": p.request, "version": "v1.4.2", "ring": tc.ring, "mode": tc.mode})
			if failed := g.run("judge", "deploy"); failed != tc.fails {
				t.Errorf("%q failed, expected %q\n%s", failed, tc.fails, p.log)
			}
			if n := p.executions(); n != tc.executed {
				t.Errorf("%d executions are recorded, expected %d", n, tc.executed)
			}
		})
	}
}
