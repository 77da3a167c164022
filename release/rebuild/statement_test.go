package rebuild_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/rebuild"
	"github.com/rollproof/rollproof/schemas"
)

var when = time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))

func statement(t *testing.T) rebuild.Statement {
	t.Helper()
	p := relabel(t, nothing)
	report := run(t, p.options())
	wantResult(t, report, rebuild.Match)
	s, err := rebuild.NewStatement(report, rebuild.Actor{KeyID: newKey(t, 2).Public().KeyID(), Person: "grace"}, when)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatement(t *testing.T) {
	s := statement(t)
	if _, err := evidence.NewCatalog(rebuild.CatalogEntries()...); err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Sign(newKey(t, 2), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := schemas.ValidateStatement(bundle.Payload); err != nil {
		t.Error(err)
	}
	facts, err := rebuild.CatalogEntries()[0].Facts(bundle.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if facts.Project != "tiny" || facts.Version != tag || facts.NamedPerson != "grace" || facts.NamedKeyID != newKey(t, 2).Public().KeyID() ||
		!facts.Claimed.Equal(time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC)) || facts.Text[len(facts.Text)-1] != "match" {
		t.Errorf("%+v", facts)
	}
	if s.Subject[0].Name != binaryFile || s.Subject[0].Digest["sha256"] != s.Predicate.Targets[0].Rebuilt {
		t.Errorf("%+v", s)
	}
}

// A statement that contradicts itself is none, whoever signed it.
func TestContradictingStatements(t *testing.T) {
	good := statement(t)
	for name, change := range map[string]func(*rebuild.Statement){
		"match of other bytes":    func(s *rebuild.Statement) { s.Predicate.Targets[0].Rebuilt = strings.Repeat("0", 64) },
		"match without a rebuild": func(s *rebuild.Statement) { s.Predicate.Targets[0].Rebuilt = "" },
		"match of what was not checked": func(s *rebuild.Statement) {
			s.Predicate.Targets[0].Result, s.Predicate.Targets[0].Rebuilt = rebuild.NotChecked, ""
		},
		"difference of the same bytes": func(s *rebuild.Statement) {
			s.Predicate.Targets[0].Result, s.Predicate.Result = rebuild.Differs, rebuild.Differs
		},
		"a subject nobody rebuilt": func(s *rebuild.Statement) {
			s.Subject = append(s.Subject, evidence.FileSubject("bin/other", strings.Repeat("0", 64)))
		},
		"another subject":       func(s *rebuild.Statement) { s.Subject[0].Name = "bin/other" },
		"another digest":        func(s *rebuild.Statement) { s.Subject[0] = evidence.FileSubject(binaryFile, strings.Repeat("0", 64)) },
		"a second digest":       func(s *rebuild.Statement) { s.Subject[0].Digest["sha512"] = "00" },
		"a time zone":           func(s *rebuild.Statement) { s.Predicate.RebuiltAt = "2026-03-04T05:06:07+01:00" },
		"no project":            func(s *rebuild.Statement) { s.Predicate.Release.Project = "../x" },
		"incomplete, all match": func(s *rebuild.Statement) { s.Predicate.Result = rebuild.Incomplete },
	} {
		payload, err := envelope.Encode(good)
		if err != nil {
			t.Fatal(err)
		}
		s, err := evidence.DecodeStatement[rebuild.Predicate](payload, rebuild.PredicateType)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		bad, err := envelope.Encode(s)
		if err != nil || bytes.Equal(bad, payload) {
			t.Fatal(err)
		}
		if _, err := rebuild.CatalogEntries()[0].Facts(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
