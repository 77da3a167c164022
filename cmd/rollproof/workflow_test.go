package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rollproof/rollproof/evidence"
)

// A ciHost runs the workflows of this repository on a repository, the way GitHub does:
// jobs in the order of their needs, each in a directory of its own; artifacts without
// modes; secrets for jobs of their environment alone. What a step runs is real; actions
// of others, and the service behind gh and curl, have a stand-in.
type ciHost struct {
	t       *testing.T
	dir     string // $HOST of the stand-ins
	repo    string
	sha     string
	env     []string
	context map[string]string // inputs.x, vars.x, github.x, secrets.ENVIRONMENT.x
	github  sigstore
	signer  string            // the workflow that GitHub attests for
	ended   map[string]string // success, failure or skipped, by job
	outputs map[string]string // needs.JOB.outputs.x
	log     *bytes.Buffer
}

type workflow struct {
	Env  map[string]string      `yaml:"env"`
	Jobs map[string]workflowJob `yaml:"jobs"`
}

type workflowJob struct {
	Needs       string            `yaml:"needs"`
	If          string            `yaml:"if"`
	Environment string            `yaml:"environment"`
	Permissions map[string]string `yaml:"permissions"`
	Outputs     map[string]string `yaml:"outputs"`
	Env         map[string]string `yaml:"env"`
	Steps       []workflowStep    `yaml:"steps"`
}

type workflowStep struct {
	ID   string            `yaml:"id"`
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	Env  map[string]string `yaml:"env"`
	With map[string]string `yaml:"with"`
}

type compositeAction struct {
	Inputs map[string]struct {
		Default string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Value string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Steps []workflowStep `yaml:"steps"`
	} `yaml:"runs"`
}

// readYAML reads a file, of which only what is run matters here.
func readYAML(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// run runs a workflow; ended then says how each job did.
func (h *ciHost) run(file string) {
	h.t.Helper()
	var w workflow
	readYAML(h.t, filepath.Join("../../.github/workflows", file), &w)
	h.outputs, h.log = map[string]string{}, &bytes.Buffer{}
	for len(h.ended) < len(w.Jobs) {
		for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
			j := w.Jobs[name]
			if _, done := h.ended[name]; done || j.Needs != "" && h.ended[j.Needs] == "" {
				continue
			}
			h.ended[name] = h.runJob(name, w, j)
		}
	}
}

// A jobRun is a job while it runs.
type jobRun struct {
	*ciHost
	job     workflowJob
	work    string // directory
	temp    string
	env     map[string]string
	path    []string
	context map[string]string // with steps.x.outputs.y, and the inputs of an action
}

func (h *ciHost) runJob(name string, w workflow, j workflowJob) string {
	r := &jobRun{ciHost: h, job: j, work: h.t.TempDir(), temp: h.t.TempDir(), env: map[string]string{}, context: maps.Clone(h.context)}
	maps.Copy(r.context, h.outputs)
	if j.Needs != "" && h.ended[j.Needs] != "success" || j.If != "" && r.value(j.If) != "true" {
		return "skipped"
	}
	for _, env := range []map[string]string{w.Env, j.Env} {
		for k, v := range env {
			r.env[k] = r.value(v)
		}
	}
	for _, s := range j.Steps {
		if err := r.step(s, ""); err != nil {
			fmt.Fprintf(h.log, "%s: %v\n", name, err)
			return "failure"
		}
	}
	for k, v := range j.Outputs {
		h.outputs["needs."+name+".outputs."+k] = r.value(v)
	}
	return "success"
}

var expression = regexp.MustCompile(`\$\{\{ (!?)([\w.-]+) \}\}`)

// value replaces expressions, of which these files have the simplest alone.
func (r *jobRun) value(text string) string {
	text = expression.ReplaceAllStringFunc(text, func(e string) string {
		m := expression.FindStringSubmatch(e)
		if m[1] == "!" {
			return fmt.Sprint(r.lookup(m[2]) != "true")
		}
		return r.lookup(m[2])
	})
	if strings.Contains(text, "${{") {
		r.t.Fatalf("an expression that this test cannot read: %s", text)
	}
	return text
}

func (r *jobRun) lookup(name string) string {
	if secret, ok := strings.CutPrefix(name, "secrets."); ok {
		return r.context["secrets."+r.value(r.job.Environment)+"."+secret]
	}
	v, known := r.context[name]
	if !known && !strings.HasPrefix(name, "vars.") {
		r.t.Fatalf("nothing is known of %s", name)
	}
	return v
}

// step runs one step; action is the directory of the composite action that it is in.
func (r *jobRun) step(s workflowStep, action string) error {
	with := map[string]string{}
	for k, v := range s.With {
		with[k] = r.value(v)
	}
	name, _, _ := strings.Cut(s.Uses, "@")
	switch name {
	case "":
		return r.shell(s, action)
	case "actions/checkout":
		return r.command("git", "clone", "-q", "--no-hardlinks", r.repo, ".")
	case "actions/setup-go":
		return nil
	case "actions/upload-artifact":
		return r.upload(with["name"], with["path"])
	case "actions/download-artifact":
		return os.CopyFS(filepath.Join(r.work, with["path"]), os.DirFS(filepath.Join(r.dir, "artifacts", with["name"])))
	case "actions/attest-build-provenance":
		return r.attestation(s.ID, with["subject-path"])
	}
	if !strings.HasPrefix(name, "./.github/actions/") {
		r.t.Fatalf("there is no stand-in for %s", name)
	}
	return r.composite(s.ID, filepath.Join(r.work, name), with)
}

func (r *jobRun) composite(id, dir string, with map[string]string) error {
	var a compositeAction
	readYAML(r.t, filepath.Join(dir, "action.yml"), &a)
	inner := *r
	inner.context = maps.Clone(r.context)
	for name := range with {
		if _, ok := a.Inputs[name]; !ok {
			r.t.Fatalf("%s has no input %s", dir, name)
		}
	}
	for name, in := range a.Inputs {
		inner.context["inputs."+name] = in.Default
		if v, ok := with[name]; ok {
			inner.context["inputs."+name] = v
		}
	}
	for _, s := range a.Runs.Steps {
		if err := inner.step(s, dir); err != nil {
			return err
		}
	}
	r.path = inner.path
	for name, out := range a.Outputs {
		r.context["steps."+id+".outputs."+name] = inner.value(out.Value)
	}
	return nil
}

// shell runs a step's commands.
func (r *jobRun) shell(s workflowStep, action string) error {
	output, paths := filepath.Join(r.temp, "output"), filepath.Join(r.temp, "path")
	check(r.t, os.WriteFile(output, nil, 0o600))
	check(r.t, os.WriteFile(paths, nil, 0o600))
	env := maps.Clone(r.env)
	for k, v := range s.Env {
		env[k] = r.value(v)
	}
	maps.Copy(env, map[string]string{
		"GITHUB_OUTPUT": output, "GITHUB_PATH": paths, "GITHUB_SHA": r.sha, "GITHUB_ACTION_PATH": action, "RUNNER_TEMP": r.temp,
		"HOST": r.dir, "CONTENTS": r.job.Permissions["contents"],
		"PATH": strings.Join(append(slices.Clone(r.path), os.Getenv("PATH")), string(os.PathListSeparator)),
	})
	err := r.bash(s.Run, env)
	data, readErr := os.ReadFile(paths)
	check(r.t, readErr)
	r.path = append(strings.Fields(string(data)), r.path...)
	data, readErr = os.ReadFile(output)
	check(r.t, readErr)
	for _, line := range strings.Split(string(data), "\n") {
		if k, v, ok := strings.Cut(line, "="); ok && s.ID != "" {
			r.context["steps."+s.ID+".outputs."+k] = v
		}
	}
	return err
}

// bash runs a script as "shell: bash" does.
func (r *jobRun) bash(script string, env map[string]string) error {
	bin, err := filepath.Abs("testdata/pipelines/bin")
	check(r.t, err)
	env["PATH"] = bin + string(os.PathListSeparator) + env["PATH"]
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.work, slices.Clone(r.ciHost.env), r.log, r.log
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	fmt.Fprintf(r.log, "$ %s\n", script)
	return cmd.Run()
}

func (r *jobRun) command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.work, r.log, r.log
	return cmd.Run()
}

// upload keeps files as an artifact, which drops their modes.
func (r *jobRun) upload(name, pattern string) error {
	found, err := filepath.Glob(filepath.Join(r.work, pattern))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("no files at %s: %w", pattern, err)
	}
	into := filepath.Join(r.dir, "artifacts", name)
	check(r.t, os.MkdirAll(into, 0o755))
	for _, file := range found {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			check(r.t, os.CopyFS(into, os.DirFS(file)))
			continue
		}
		data, err := os.ReadFile(file)
		check(r.t, err)
		check(r.t, os.WriteFile(filepath.Join(into, filepath.Base(file)), data, 0o644))
	}
	return nil
}

// attestation attests files as GitHub does, for a job that may.
func (r *jobRun) attestation(id, patterns string) error {
	if r.job.Permissions["id-token"] != "write" || r.job.Permissions["attestations"] != "write" {
		return fmt.Errorf("no right to attest: %v", r.job.Permissions)
	}
	var subjects []evidence.Subject
	for _, pattern := range strings.Fields(patterns) {
		exclude, excluded := strings.CutPrefix(pattern, "!")
		found, err := filepath.Glob(filepath.Join(r.work, exclude))
		check(r.t, err)
		for _, file := range found {
			subject := evidence.FileSubject(filepath.Base(file), strings.TrimPrefix(digestOf(r.t, file), "sha256:"))
			if excluded {
				subjects = slices.DeleteFunc(subjects, func(s evidence.Subject) bool { return s.Name == subject.Name })
			} else {
				subjects = append(subjects, subject)
			}
		}
	}
	bundle := filepath.Join(r.temp, "attestation.json")
	r.context["steps."+id+".outputs.bundle-path"] = bundle
	return os.WriteFile(bundle, r.github.attest(r.t, githubIssuer, r.signer, subjects...), 0o600)
}
