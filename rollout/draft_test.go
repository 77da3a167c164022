package rollout_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rollproof/rollproof/rollout"
)

func draft(text string) (rollout.Rules, error) {
	var section struct {
		Policy rollout.Rules `yaml:"policy"`
	}
	err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&section)
	return section.Policy, err
}

// What a draft leaves out is strict: no quorum is not quorum 0.
func TestDraftsAreStrictWhereTheySayNothing(t *testing.T) {
	r, err := draft(`
policy:
  change_record_pattern: "CHG-[0-9]+"
  rings:
    - name: pilot
      soak: 2h
      windows:
        allow:
          - days: [mon, tue]
            time_zone: Europe/Berlin
        freezes:
          - {from: "2026-12-20", to: "2027-01-02", reason: year end}
    - name: production
      quorum: 0
      groups: []
      uses: [file, agent, browser]
      max_browser: 1
`)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	pilot, production := r.Rings[0], r.Rings[1]
	if pilot.Quorum != 2 || pilot.Coverage != 100 || pilot.Soak != "2h" || pilot.Staleness != "24h" || pilot.Environment != "production" || !r.ChangeRecordRequired {
		t.Errorf("pilot %+v", pilot)
	}
	if production.Quorum != 0 || production.MaxBrowser != 1 {
		t.Errorf("production %+v", production)
	}
	if w := pilot.Windows.Allow[0]; w.From != "00:00" || w.To != "24:00" || w.Dates == nil || pilot.Windows.Freezes[0].TimeZone != "UTC" {
		t.Errorf("windows %+v", pilot.Windows)
	}
	if _, err := draft("policy:\n  rings:\n    - name: pilot\n      quorumm: 0\n"); err == nil || !strings.Contains(err.Error(), "quorumm") {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := draft("policy:\n  rings:\n    - name: pilot\n      quorum: many\n"); err == nil {
		t.Error("a quorum of many")
	}
	if empty, err := draft("policy: {}\n"); err != nil || empty.Digest() != rollout.DefaultRules().Digest() {
		t.Errorf("an empty draft is not the default: %v", err)
	}
}
