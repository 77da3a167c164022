package rollout

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

func TestPolicyNeedsItsThresholdOfPersons(t *testing.T) {
	w := newWorld(t)
	if p := w.s.Policy(); !p.Default || p.Rules.Digest() != DefaultRules().Digest() || !p.Previous().IsZero() {
		t.Fatalf("%+v", p)
	}
	rules := DefaultRules()
	rules.Rings[0].Quorum = 1
	sign := func(name string, before evidence.Digest, r Rules) Act {
		return act(w, name, must[evidence.Statement[Policy]](t)(NewPolicy(w.head(name), "age", before, r)))
	}
	none := evidence.Digest{}
	first := w.do(sign("policy-2", none, rules))
	if r := w.deny(sign("policy-2b", none, rules), CodeConflict, "owner has signed these rules already"); r.Already != first.Digest {
		t.Error("the first signature is not named")
	}
	other := DefaultRules()
	other.Rings[0].Quorum = 7
	w.do(sign("policy", none, other))
	if !w.s.Policy().Default {
		t.Fatal("two persons who signed different rules brought one of them")
	}
	if p := w.s.Proposals(); len(p) != 2 || p[0].Needed != 2 || len(p[0].Persons) != 1 {
		t.Errorf("proposals %+v", p)
	}
	w.do(sign("policy", none, rules))
	p := w.s.Policy()
	if p.Default || p.Digest != rules.Digest() || len(p.Acts) != 2 || len(w.s.Proposals()) != 0 {
		t.Fatalf("%+v", p)
	}
	w.deny(sign("policy-2", none, other), CodeConflict, "names none as the rules before, in force is "+rules.Digest().String())
	if r := w.deny(sign("policy-2", none, rules), CodeConflict, "are in force already"); r.Already.IsZero() {
		t.Error("the act that brought them is not named")
	}
	w.deny(sign("operator", p.Digest, other), CodeEvidence, "is an operator, not a policy key")
	w.do(sign("policy-2", p.Digest, other))
	w.do(sign("policy", p.Digest, other))
	if got := w.s.Policy().Rules.Rings[0].Quorum; got != 7 {
		t.Errorf("quorum %d", got)
	}
}

// A local draft, however it reads, changes no rule.
func TestOwnRulesChangeNothing(t *testing.T) {
	w := newWorld(t)
	id := w.succeeded()
	lax := DefaultRules()
	for i := range lax.Rings {
		lax.Rings[i].Soak, lax.Rings[i].Quorum, lax.Rings[i].Coverage = "0h", 0, 0
	}
	w.do(act(w, "policy", must[evidence.Statement[Policy]](t)(NewPolicy(w.head("policy"), "age", evidence.Digest{}, lax))))
	w.deny(act(w, "operator", must[evidence.Statement[Policy]](t)(NewPolicy(w.head("operator"), "age", evidence.Digest{}, lax))), CodeEvidence, "not a policy key")
	if r := w.s.Readiness(id, Integrity{Package: "pass", Directory: "pass"}, w.now); r.Grade != Incomplete || !r.DefaultPolicy {
		t.Errorf("%+v", r)
	}
}

func TestRulesThatAreNone(t *testing.T) {
	ok(t, DefaultRules().Check())
	for words, change := range map[string]func(*Rules){
		"0 rings":                       func(r *Rules) { r.Rings = nil },
		"its name stands twice":         func(r *Rules) { r.Rings[1].Name = "pilot" },
		"expected letters":              func(r *Rules) { r.Rings[0].Name = "pi\u202elot" },
		"expected at most 32":           func(r *Rules) { r.Rings[0].Name = strings.Repeat("a", 33) },
		"environment":                   func(r *Rules) { r.Rings[0].Environment = "" },
		`soak "1.5h"`:                   func(r *Rules) { r.Rings[0].Soak = "1.5h" },
		`soak "-1h"`:                    func(r *Rules) { r.Rings[0].Soak = "-1h" },
		`soak "01h"`:                    func(r *Rules) { r.Rings[0].Soak = "01h" },
		`soak "99999d"`:                 func(r *Rules) { r.Rings[0].Soak = "99999d" },
		"let no observation count":      func(r *Rules) { r.Rings[0].Staleness = "0h" },
		"coverage 101":                  func(r *Rules) { r.Rings[0].Coverage = 101 },
		"coverage -1":                   func(r *Rules) { r.Rings[0].Coverage = -1 },
		"quorum -1":                     func(r *Rules) { r.Rings[0].Quorum = -1 },
		"rebuilds -1":                   func(r *Rules) { r.Rings[0].Rebuilds = -1 },
		"no use of keys counts":         func(r *Rules) { r.Rings[0].Uses = []string{} },
		`nearest known is "agent"`:      func(r *Rules) { r.Rings[0].Uses = []string{"agents"} },
		"in the order file":             func(r *Rules) { r.Rings[0].Uses = []string{"agent", "file"} },
		"browser keys do not count":     func(r *Rules) { r.Rings[0].MaxBrowser = 1 },
		"where browser keys count":      func(r *Rules) { r.Rings[0].Uses = []string{"browser"} },
		"needs 2 of its 1 persons":      func(r *Rules) { r.Rings[0].Groups = []Group{{"sre", []string{"ada"}, 2}} },
		`group "sre" stands twice`:      func(r *Rules) { r.Rings[0].Groups = []Group{{"sre", []string{"ada"}, 1}, {"sre", []string{"ada"}, 1}} },
		"group sre: expected at most":   func(r *Rules) { r.Rings[0].Groups = []Group{{"sre", []string{"grace", "ada"}, 1}} },
		`"Ada" is no id of a person`:    func(r *Rules) { r.Breakglass = []string{"Ada"} },
		"quorum 0, and groups sre":      func(r *Rules) { r.Rings[0].Groups, r.Rings[0].Quorum = []Group{{"sre", []string{"ada"}, 1}}, 0 },
		"missing closing )":             func(r *Rules) { r.ChangeRecordPattern = "(" },
		"unexpected ):":                 func(r *Rules) { r.ChangeRecordPattern = "x)|(.*" },
		"pattern of 0 bytes":            func(r *Rules) { r.ChangeRecordPattern = "" },
		`nearest known is "rollout/v1"`: func(r *Rules) { r.Formats = []string{"rollout/v2"} },
		"formats are not sorted":        func(r *Rules) { r.Formats = []string{"rollout/v1", "hold/v1"} },
		`exception 1: ring "x"`:         func(r *Rules) { r.Exceptions = []Exception{{"x", "t", "r"}} },
		"exception 1: no reason":        func(r *Rules) { r.Exceptions = []Exception{{"pilot", "t", " "}} },
		"expected HH:MM":                func(r *Rules) { r.Rings[0].Windows.Allow = []Window{{[]string{}, []string{}, "17:00", "09:00", "UTC"}} },
		"days tue, mon": func(r *Rules) {
			r.Rings[0].Windows.Deny = []Window{{[]string{"tue", "mon"}, []string{}, "09:00", "24:00", "UTC"}}
		},
		`date "2026-02-30"`: func(r *Rules) {
			r.Rings[0].Windows.Deny = []Window{{[]string{}, []string{"2026-02-30"}, "09:00", "24:00", "UTC"}}
		},
		`time zone "Local"`: func(r *Rules) {
			r.Rings[0].Windows.Allow = []Window{{[]string{}, []string{}, "09:00", "17:00", "Local"}}
		},
		`time zone "../etc/passwd"`: func(r *Rules) {
			r.Rings[0].Windows.Allow = []Window{{[]string{}, []string{}, "09:00", "17:00", "../etc/passwd"}}
		},
		"ends before it begins":          func(r *Rules) { r.Rings[0].Windows.Freezes = []Freeze{{"2026-03-02", "2026-03-01", "UTC", "x"}} },
		"exceptions are null":            func(r *Rules) { r.Exceptions = nil },
		"windows: a list is null":        func(r *Rules) { r.Rings[0].Windows.Deny = nil },
		"groups are null":                func(r *Rules) { r.Rings[0].Groups = nil },
		"formats are not sorted, or one": func(r *Rules) { r.Formats = nil },
	} {
		r := DefaultRules()
		change(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestWindows(t *testing.T) {
	berlin := Windows{
		Allow:   []Window{{[]string{"mon", "tue"}, []string{}, "09:00", "17:00", "Europe/Berlin"}, {[]string{}, []string{"2026-03-07"}, "00:00", "24:00", "+05:30"}},
		Deny:    []Window{{[]string{"mon"}, []string{}, "12:00", "13:00", "UTC"}},
		Freezes: []Freeze{{"2026-12-20", "2027-01-02", "-08:00", "holidays"}},
	}
	for at, open := range map[string]bool{
		"2026-03-02T07:59:59Z": false, "2026-03-02T08:00:00Z": true, "2026-03-02T15:59:59Z": true, "2026-03-02T16:00:00Z": false,
		"2026-03-30T07:00:00Z": true, // summer time
		"2026-03-02T12:30:00Z": false, "2026-03-03T12:30:00Z": true, "2026-03-04T12:00:00Z": false,
		"2026-03-06T18:30:00Z": true, "2026-03-06T18:29:59Z": false, "2026-03-07T18:30:00Z": false,
		"2026-12-21T10:00:00Z": false, "2027-01-04T09:00:00Z": true,
	} {
		when, err := time.Parse(time.RFC3339, at)
		ok(t, err)
		why, err := berlin.Closed(when, time.LoadLocation)
		ok(t, err)
		if (why == "") != open {
			t.Errorf("%s: %q", at, why)
		}
	}
	if _, err := berlin.Closed(day.AddDate(0, 0, 1), nil); err == nil {
		t.Error("a zone was found without a database")
	}
}

// Rules whose windows nobody can judge never come into force.
func TestUnknownTimeZone(t *testing.T) {
	w := newWorld(t)
	rules := DefaultRules()
	rules.Rings[0].Windows.Allow = []Window{{[]string{}, []string{}, "09:00", "17:00", "Europe/Atlantis"}}
	w.deny(act(w, "policy", must[evidence.Statement[Policy]](t)(NewPolicy(w.head("policy"), "age", evidence.Digest{}, rules))), CodeRule, "time zone Europe/Atlantis")
	w.s.options.Location = func(string) (*time.Location, error) { return nil, errors.New("no") }
	rules.Rings[0].Windows.Allow, rules.Rings[0].Windows.Freezes = []Window{}, []Freeze{{"2026-03-02", "2026-03-02", "Europe/Berlin", "x"}}
	w.deny(act(w, "policy", must[evidence.Statement[Policy]](t)(NewPolicy(w.head("policy"), "age", evidence.Digest{}, rules))), CodeRule, "time zone Europe/Berlin: no")
}

// A policy can end a format for new acts; it never locks itself out.
func TestFormatsThatCount(t *testing.T) {
	w := newWorld(t)
	rules := DefaultRules()
	rules.Formats = []string{"rollout/v1"}
	w.signPolicy(rules)
	st, _, err := w.s.NewPopulation(w.head("policy"), w.ring("pilot"), hosts)
	ok(t, err)
	w.deny(act(w, "policy", st), CodeRule, "accepts rollout/v1 for new acts, not population/v1")
	w.signPolicy(DefaultRules())
	w.populate("pilot")
}
