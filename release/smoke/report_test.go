package smoke_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/smoke"
)

// The statement names exactly what was run, and how.
func TestStatement(t *testing.T) {
	isolated(t)
	for word, want := range map[string]string{"--version": "PASSED", "exit3": "FAILED"} {
		r, got := run(t, smoke.Command{Args: []string{word}})
		s, err := smoke.NewStatement(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Subject) != 1 || s.Subject[0].Name != binaryOf(host) || s.Subject[0].Digest["sha256"] != got.SHA256 {
			t.Errorf("%s: subjects %+v", word, s.Subject)
		}
		p := s.Predicate
		passed, failed := []string{binaryOf(host)}, []string{}
		if want == "FAILED" {
			passed, failed = failed, passed
		}
		if p.Result != want || !slices.Equal(p.PassedTests, passed) || !slices.Equal(p.FailedTests, failed) || len(p.WarnedTests) != 0 {
			t.Errorf("%s: %+v", word, p)
		}
		if len(p.Configuration) != 2 || p.Configuration[0].Digest["sha256"] != evidence.SHA256(p.Configuration[0].Content) || "sha256:"+p.Configuration[1].Digest["sha256"] != r.ManifestDigest {
			t.Errorf("%s: configuration %+v", word, p.Configuration)
		}
		if c := decode[smoke.Command](t, p.Configuration[0].Content); c.Args[0] != word || c.TimeLimit != smoke.DefaultTimeLimit {
			t.Errorf("%s: command %+v", word, c)
		}
		bundle, err := evidence.Sign(newKey(t), s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(bundle.Payload), `"predicateType": "https://in-toto.io/attestation/test-result/v0.1"`) || !json.Valid(bundle.Payload) {
			t.Errorf("%s: payload %s", word, bundle.Payload)
		}
	}
}

// Nothing is stated about a dry run.
func TestDryRunIsNotStated(t *testing.T) {
	c, v := open(t, packaged(t, t.TempDir(), true, nil))
	r, got := runIn(t, c, v, smoke.Command{})
	if got.Result != smoke.Pass || !r.DryRun {
		t.Errorf("%+v", r)
	}
	if _, err := smoke.NewStatement(r); err == nil || !strings.Contains(err.Error(), "dry run") {
		t.Errorf("a statement about a dry run: %v", err)
	}
}

// A binary for this machine that could not be started is not made up for by others.
func TestHostPassed(t *testing.T) {
	for want, reports := range map[bool][]smoke.Report{
		true:  {{Passed: 1}, {Passed: 2, NotChecked: 4, OtherPlatforms: 4}},
		false: {{}, {NotChecked: 4, OtherPlatforms: 4}, {Passed: 1, NotChecked: 2, OtherPlatforms: 1}, {Passed: 1, Failed: 1}},
	} {
		for _, r := range reports {
			if got := r.HostPassed(); got != want {
				t.Errorf("%+v: %t", r, got)
			}
		}
	}
}
