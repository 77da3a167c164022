package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A promotionHost is a host with a published package, and the store of a runner in which its
// promotion to production waits for an approval.
type promotionHost struct {
	*ciHost
	setup   ciSetup
	work    string // the store's directory is below
	request string // digest
}

// newPromotion tells the story up to the request.
func newPromotion(t *testing.T, s ciSetup) promotionHost {
	t.Helper()
	ours(t, "release", "package", "-C", s.repo, "--key", filepath.Join(s.start, "keys", "releaser.pem"), "--trust", filepath.Join(s.start, "trust"))
	h := s.host(t, map[string]string{"tag": "v1.4.2", "ring": "production", "mode": "fail-closed"})
	published := filepath.Join(h.dir, "releases", "v1.4.2")
	check(t, os.MkdirAll(published, 0o755))
	data, err := os.ReadFile(filepath.Join(s.repo, "dist", "hello-v1.4.2.zip"))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(published, "hello-v1.4.2.zip"), data, 0o644))
	bin := t.TempDir()
	check(t, os.Symlink(filepath.Join(s.released, "rollproof_v1.4.1_linux_"+runtime.GOARCH), filepath.Join(bin, "rollproof")))
	p := promotionHost{ciHost: h, setup: s, work: t.TempDir()}
	story, err := filepath.Abs("testdata/pipelines/story.sh")
	check(t, err)
	cmd := exec.Command("bash", story)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = p.work, &stderr
	cmd.Env = append(slices.Clone(h.env), "PATH="+bin+":"+os.Getenv("PATH"), "ZIP="+filepath.Join(published, "hello-v1.4.2.zip"),
		"KEYS="+filepath.Join(s.start, "keys"), "TRUST="+filepath.Join(s.start, "trust"), "PIN="+h.context["vars.ROLLPROOF_PIN"])
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	p.request = strings.TrimSpace(string(out))
	return p
}

// again is a copy of it, so that each run starts with the same store.
func (p promotionHost) again(t *testing.T) promotionHost {
	t.Helper()
	h := *p.ciHost
	h.t, h.dir, h.ended, h.context, h.log = t, t.TempDir(), map[string]string{}, maps.Clone(p.context), &bytes.Buffer{}
	check(t, os.CopyFS(h.dir, os.DirFS(p.dir)))
	c := promotionHost{&h, p.setup, t.TempDir(), p.request}
	check(t, os.CopyFS(c.work, os.DirFS(p.work)))
	h.context["vars.ROLLPROOF_STORE"] = c.store()
	h.context["inputs.request"] = p.request
	h.context["secrets.production.ROLLPROOF_OPERATOR_KEY"] = p.setup.key(t, "operator")
	return c
}

func (p promotionHost) store() string { return filepath.Join(p.work, ".rollproof", "evidence.db") }

func (p promotionHost) approve() {
	p.t.Helper()
	ours(p.t, "approval", "approve", p.request, "--reason", "read it", "--key", filepath.Join(p.setup.start, "keys", "approver-ada.pem"),
		"--sqlite", p.store(), "--pin", p.context["vars.ROLLPROOF_PIN"], "--trust", filepath.Join(p.setup.start, "trust"), "--trust-state", filepath.Join(p.t.TempDir(), "seen"))
}

// executions counts what the store has recorded as executed.
func (p promotionHost) executions() int {
	p.t.Helper()
	var stdout bytes.Buffer
	args := []string{"rollproof", "evidence", "search", "--metadata-kind", "rollout-promotion-execution", "--sqlite", p.store(), "--jsonl"}
	if code := newProgram(args, os.Environ(), strings.NewReader(""), &stdout, io.Discard).run(p.t.Context()); code != 0 {
		p.t.Fatalf("search: exit code %d: %s", code, stdout.String())
	}
	n := 0
	for line := range strings.Lines(stdout.String()) {
		var record struct {
			Act string `json:"act"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Act != "" {
			n++
		}
	}
	return n
}

func (p promotionHost) handedOver() []string {
	found, _ := filepath.Glob(filepath.Join(p.dir, "artifacts", "handover-*", "*"))
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// What is approved is executed and handed over,
// and what is not stops, or goes on with a warning where that is allowed.
func (first promotionHost) testPromoteWorkflow(t *testing.T) {
	pilotSoft := func(p promotionHost) {
		p.context["inputs.mode"], p.context["vars.ROLLPROOF_SOFT_FAIL_RINGS"] = "soft-fail", "pilot"
	}
	soft := func(p promotionHost) {
		p.context["inputs.mode"], p.context["vars.ROLLPROOF_SOFT_FAIL_RINGS"] = "soft-fail", "pilot production"
	}
	damage := func(p promotionHost) {
		changeZip(p.t, filepath.Join(p.dir, "releases", "v1.4.2", "hello-v1.4.2.zip"), "installers.json")
	}
	const stopped, done = "map[deploy:skipped verify:failure]", "map[deploy:success verify:success]"
	for name, tc := range map[string]struct {
		change   []func(promotionHost)
		ended    string
		executed int
		handover string
		says     string
	}{
		"approved":                  {[]func(promotionHost){promotionHost.approve}, done, 1, "package.zip promotion", "executed: v1.4.2 is in ring production"},
		"approved, soft":            {[]func(promotionHost){promotionHost.approve, soft}, done, 1, "package.zip promotion", "executed: v1.4.2 is in ring production"},
		"not approved":              {nil, stopped, 0, "", "the request is pending"},
		"not approved, soft":        {[]func(promotionHost){soft}, done, 0, "package.zip", "handed over without an executed promotion"},
		"soft where it may not":     {[]func(promotionHost){pilotSoft}, stopped, 0, "", "not allowed in ring 'production'"},
		"damaged":                   {[]func(promotionHost){promotionHost.approve, damage}, stopped, 0, "", "installers.json"},
		"damaged, soft":             {[]func(promotionHost){promotionHost.approve, soft, damage}, done, 0, "package.zip", "the package was refused"},
		"another ring's rules":      {[]func(promotionHost){promotionHost.approve, pilotSoft, func(p promotionHost) { p.context["inputs.ring"] = "pilot" }}, stopped, 0, "", "the request is for ring production, not for pilot"},
		"a request as a command":    {[]func(promotionHost){func(p promotionHost) { p.context["inputs.request"] = "--help" }}, stopped, 0, "", "is no digest"},
		"a ring as a pattern, soft": {[]func(promotionHost){soft, func(p promotionHost) { p.context["inputs.ring"] = "*" }}, stopped, 0, "", "not allowed in ring"},
		"a mode of his own":         {[]func(promotionHost){promotionHost.approve, func(p promotionHost) { p.context["inputs.mode"] = "off" }}, stopped, 0, "", "expected fail-closed or soft-fail"},
		"another's key": {[]func(promotionHost){promotionHost.approve, func(p promotionHost) {
			p.context["secrets.production.ROLLPROOF_OPERATOR_KEY"] = p.setup.key(p.t, "observer")
		}}, "map[deploy:failure verify:success]", 0, "", "not an operator"},
		"the pilot's secret": {[]func(promotionHost){promotionHost.approve, func(p promotionHost) { delete(p.context, "secrets.production.ROLLPROOF_OPERATOR_KEY") }}, "map[deploy:failure verify:success]", 0, "", "key"},
	} {
		t.Run(name, func(t *testing.T) {
			p := first.again(t)
			for _, change := range tc.change {
				change(p)
			}
			p.run("promote.yml")
			p.says(tc.says)
			if got := strings.Join(p.handedOver(), " "); got != tc.handover || fmt.Sprint(p.ended) != tc.ended {
				t.Errorf("ended %v, handed over %q\n%s", p.ended, got, p.log)
			}
			if n := p.executions(); n != tc.executed {
				t.Errorf("%d executions are recorded, expected %d", n, tc.executed)
			}
		})
	}
}
