package rollout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/schemas"
)

// everyStatement is one legal act of each type, by predicate type.
func everyStatement(t testing.TB) (map[string]Act, *world) {
	t.Helper()
	st := newStage(t)
	w := st.world
	w.signPolicy(DefaultRules())
	w.succeeded()
	hold := w.do(act(w, "policy", must[evidence.Statement[Hold]](t)(w.s.HoldRing(w.head("policy"), w.ring("pilot"), "incident"))))
	w.do(act(w, "policy-2", must[evidence.Statement[Lift]](t)(w.s.Lift(w.head("policy-2"), w.s.Holds()[0], "over"))))
	acts := map[string]Act{}
	for _, a := range w.acts {
		acts[a.PredicateType] = a
	}
	st.everyDecision()
	w.everyErasure()
	for _, a := range w.acts {
		if _, seen := acts[a.PredicateType]; !seen {
			acts[a.PredicateType] = a
		}
	}
	if acts[HoldType].Digest != hold.Digest || len(acts) != len(readers) {
		t.Fatalf("%d types", len(acts))
	}
	return acts, w
}

// A store takes the acts by these entries, and finds them by their facts.
func TestCatalog(t *testing.T) {
	_, err := evidence.NewCatalog(CatalogEntries()...)
	ok(t, err)
	acts, w := everyStatement(t)
	for _, e := range CatalogEntries() {
		a := acts[e.PredicateType]
		ok(t, schemas.ValidateStatement(a.Statement))
		f, err := e.Facts(a.Statement)
		ok(t, err)
		if f.Project != "age" || f.NamedKeyID != a.KeyID || f.NamedPerson == "" || f.Claimed.IsZero() {
			t.Errorf("%s: %+v", e.PredicateType, f)
		}
	}
	f, err := CatalogEntries()[slices.Index(PredicateTypes(), StatusType)].Facts(acts[StatusType].Statement)
	ok(t, err)
	if f.RolloutStatus != "succeeded" || f.Rollout != w.s.Rollouts()[0] || f.Ring != "pilot" || f.ChangeRecord != "CHG-1" || !slices.Equal(f.DeploymentTargets, []string{"linux-runner", "mac-laptop"}) {
		t.Errorf("%+v", f)
	}
}

// Every flipped byte of every kind of act is refused: by its digest where the digest
// is known, and by reading or judging it where somebody with a good key signed it.
func TestEveryByteCounts(t *testing.T) {
	acts, w := everyStatement(t)
	for _, predicateType := range PredicateTypes() {
		a := acts[predicateType]
		for i := range a.Statement {
			payload := slices.Clone(a.Statement)
			payload[i] ^= 1
			known := a
			known.Statement, known.Index = payload, int64(len(w.acts))
			known.Digest[0] ^= 1 // so that it is not one that was applied
			if r := w.s.Judge(known); r == nil || !strings.Contains(r.Reason, "the statement is") {
				t.Fatalf("%s: byte %d: %v", predicateType, i, r)
			}
			d, err := readers[predicateType](payload)
			if err != nil {
				continue
			}
			again, err := envelope.Encode(evidence.NewStatement(predicateType, d.subjects(), d))
			if err != nil || !bytes.Equal(again, payload) {
				t.Fatalf("%s: byte %d: read as something else: %v", predicateType, i, err)
			}
		}
	}
}

// Names and texts that a rollout must not have, well signed.
func TestHostileNames(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	for _, name := range []string{
		"CHG\u202e1", "CHG\u200b1", "CHG\x001", "CHG\n1", "СHG-1" /* Cyrillic С */, "CHG 1", "CHG/1", "../1", "-CHG", ".", "con", strings.Repeat("C", 51), "CHG\x1b[2J",
	} {
		c := pilot()
		c.ChangeRecord = name
		if _, err := NewRollout(w.head("operator"), packageOf(t, "v1.0.0"), w.s, c); err == nil || !strings.Contains(err.Error(), "change record") || strings.ContainsAny(err.Error(), "\x00\n\x1b\u202e\u200b") {
			t.Errorf("%q: %v", name, err)
		}
		c = pilot()
		c.Ring = name
		if _, err := NewRollout(w.head("operator"), packageOf(t, "v1.0.0"), w.s, c); err == nil {
			t.Errorf("ring %q", name)
		}
		if _, err := w.s.HoldTarget(w.head("policy"), name+"\u202e", "x"); err == nil {
			t.Errorf("target %q", name)
		}
	}
	for _, text := range []string{"", " ", strings.Repeat("x", 2001), "\xff"} {
		if _, err := w.s.HoldTarget(w.head("policy"), "mac-laptop", text); err == nil {
			t.Errorf("reason %q", text)
		}
	}
}

// What a head or a rollout must be is checked without a schema too, so that whoever
// makes one hears it in words.
func TestHeadsAndBeginnings(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	for words, change := range map[string]func(*Head){
		"names no key":                       func(h *Head) { h.Actor.KeyID = "" },
		`names "Ada" as its signer`:          func(h *Head) { h.Actor.Person = "Ada" },
		"names trust version 0":              func(h *Head) { h.Trust.Version = 0 },
		`with digest ""`:                     func(h *Head) { h.Trust.Digest = "" },
		`a checkpoint of origin "" and size`: func(h *Head) { h.Seen = &evidence.Checkpoint{} },
		"claimed 0001-01-01T00:00:00Z":       func(h *Head) { h.Claimed = time.Time{} },
	} {
		h := w.head("operator")
		change(&h)
		if _, err := NewRollout(h, packageOf(t, "v1.0.0"), w.s, pilot()); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	c := pilot()
	c.Status = StatusSucceeded
	if _, err := NewRollout(w.head("operator"), packageOf(t, "v1.0.0"), w.s, c); err == nil || !strings.Contains(err.Error(), `begins planned or staged, not "succeeded"`) {
		t.Error(err)
	}
}

// Evidence that names nothing proves nothing.
func TestEmptiedEvidence(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	for words, empty := range map[string]func(*Rollout){
		"properties/targets: minItems":      func(r *Rollout) { r.Targets = []Target{} },
		"properties/sha256":                 func(r *Rollout) { r.Targets[0].SHA256 = "" },
		"properties/verification: minItems": func(r *Rollout) { r.Verification = []release.Check{} },
		"the rollout's id is":               func(r *Rollout) { r.Manifest = evidence.Digest{} },
		"the predicate demands":             nil,
	} {
		st := w.newRollout("operator", "v1.0.0", pilot())
		st.Predicate.Targets = slices.Clone(st.Predicate.Targets)
		if empty == nil {
			st.Subject = st.Subject[:1]
		} else {
			empty(&st.Predicate)
			st.Subject = st.Predicate.subjects()
		}
		w.deny(act(w, "operator", st), CodeEvidence, words)
	}
}

// Documents that another tool, or a hand, might bring.
func TestHostileStatements(t *testing.T) {
	acts, _ := everyStatement(t)
	a := acts[RolloutType]
	for name, payload := range map[string][]byte{
		"an array": []byte("[]\n"), "nothing": nil, "a text": []byte("\"x\"\n"), "null": []byte("null\n"), "cut off": a.Statement[:len(a.Statement)/2],
		"no final LF":    a.Statement[:len(a.Statement)-1],
		"a second one":   append(slices.Clone(a.Statement), a.Statement...),
		"unknown field":  changed(t, a.Statement, `"actor"`, `"quorum": 0,`+"\n    "+`"actor"`),
		"duplicate":      changed(t, a.Statement, `"ring": "pilot",`, `"ring": "pilot",`+"\n    "+`"ring": "pilot",`),
		"another case":   changed(t, a.Statement, `"ring"`, `"Ring"`),
		"another id":     changed(t, a.Statement, `"id": "CHG-1-`, `"id": "CHG-2-`),
		"no targets":     changed(t, a.Statement, `"targets": [`, `"targets": null, "x": [`),
		"own status":     changed(t, a.Statement, `"status": "staged"`, `"status": "succeeded"`),
		"failing check":  changed(t, a.Statement, `"result": "pass"`, `"result": "fail"`),
		"unchecked":      changed(t, a.Statement, `"result": "pass"`, `"result": "not-checked"`),
		"local time":     changed(t, a.Statement, `Z",`, `+00:00",`),
		"another binary": changed(t, a.Statement, `"name": "bin/age_v1.0.0_linux_amd64"`, `"name": "bin/age_v1.0.0_linux_arm64"`),
		"no keyid":       changed(t, a.Statement, keyid("operator"), ""),
		"trust 0":        changed(t, a.Statement, `"version": 1,`, `"version": 0,`),
	} {
		if _, err := readers[RolloutType](payload); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// Go types and schemas name the same fields.
func TestSchemasDescribeTheirTypes(t *testing.T) {
	for id, v := range map[string]any{
		PolicyType: Policy{}, RolloutType: Rollout{}, StatusType: StatusChange{}, PopulationType: Population{},
		ObservationType: Observation{}, HoldType: Hold{}, LiftType: Lift{}, EraseType: Erase{}, LegalHoldType: LegalHold{}, LegalHoldLiftType: LegalHoldLift{}, ReadinessSchema: Readiness{},
	} {
		text := must[[]byte](t)(schemas.Lookup(id))
		var s map[string]any
		ok(t, json.Unmarshal(text, &s))
		compareSchema(t, strings.TrimPrefix(id, evidence.Namespace), s, s, reflect.TypeOf(v))
	}
}

func compareSchema(t *testing.T, at string, root, s map[string]any, typ reflect.Type) {
	t.Helper()
	if ref, is := s["$ref"].(string); is {
		s = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if options, is := s["anyOf"].([]any); is {
		s = options[0].(map[string]any)
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ.Kind() == reflect.Slice:
		compareSchema(t, at+"[]", root, s["items"].(map[string]any), typ.Elem())
	case s["type"] == "object":
		properties, names := s["properties"].(map[string]any), []string{}
		for _, field := range reflect.VisibleFields(typ) {
			if field.Anonymous {
				continue
			}
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
			p, there := properties[name].(map[string]any)
			if required := slices.Contains(s["required"].([]any), any(name)); !there || required != (options != "omitempty") {
				t.Errorf("%s.%s: in the schema %t, required %t", at, name, there, required)
				continue
			}
			compareSchema(t, at+"."+name, root, p, field.Type)
		}
		if len(properties) != len(names) || s["additionalProperties"] != false {
			t.Errorf("%s: the schema has %d fields, the type %d", at, len(properties), len(names))
		}
	case typ.Kind() == reflect.Struct && typ.String() != "time.Time":
		t.Errorf("%s: %s is no object", at, typ)
	}
}

// Whatever is read has one exact encoding, and no act, however it reads, makes the
// state panic or changes it without being legal.
func FuzzActsReadOneWay(f *testing.F) {
	acts, w := everyStatement(f)
	for _, predicateType := range PredicateTypes() {
		f.Add(acts[predicateType].Statement)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, predicateType := range PredicateTypes() {
			d, err := readers[predicateType](payload)
			if err != nil {
				continue
			}
			again, err := envelope.Encode(evidence.NewStatement(predicateType, d.subjects(), d))
			if err != nil || !bytes.Equal(again, payload) {
				t.Fatalf("read as %s, encoded as\n%s", payload, again)
			}
			a := Act{int64(len(w.acts)), evidence.DigestOf(payload), evidence.Digest{}, predicateType, d.head().Actor.KeyID, payload, w.now, nil}
			s := w.replay(w.acts)
			r := s.Apply(a)
			if _, before := w.s.judged[a.Digest]; r != nil && !before && !reflect.DeepEqual(s.core, w.s.core) {
				t.Fatalf("refused (%s), and the state is another", r.Reason)
			}
		}
	})
}

// A list that is read is the normalised one.
func FuzzEndpointsReadOneWay(f *testing.F) {
	f.Add([]byte(`{"target":"t","id":"a","sha256":"","seenAt":"2026-03-02T12:00:00Z"}` + "\n"))
	f.Add([]byte("a\nb\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ids, err := ParseIDs(data); err == nil {
			if again, err := FormatIDs(ids); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("ids: %q, %v", again, err)
			}
		}
		list, err := ParseEndpoints(data)
		if err != nil {
			return
		}
		var targets []string
		for _, e := range list {
			targets = append(targets, e.Target)
		}
		if again, err := FormatEndpoints(list, targets); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("endpoints: %q, %v", again, err)
		}
	})
}

// A directory that is read is the one that its bundle makes.
func FuzzDirectoriesReadOneWay(f *testing.F) {
	files := must[map[string][]byte](f)(Files(sample(f)))
	f.Add(files[EvidenceFile], files[MarkdownFile], files[BundleFile], files[ChecksumsFile])
	f.Fuzz(func(t *testing.T, json, md, bundle, sums []byte) {
		in := map[string][]byte{EvidenceFile: json, MarkdownFile: md, BundleFile: bundle, ChecksumsFile: sums}
		d, err := ReadFiles(in)
		if err != nil {
			return
		}
		if again, err := Files(d.Bundle); err != nil || !reflect.DeepEqual(again, in) {
			t.Fatalf("another directory: %v", err)
		}
	})
}

// The committed seeds are those that the package makes.
func TestCorpusIsCurrent(t *testing.T) {
	acts, _ := everyStatement(t)
	for _, predicateType := range PredicateTypes() {
		name := strings.ReplaceAll(strings.TrimPrefix(predicateType, evidence.Namespace), "/", "-")
		path := filepath.Join("testdata", "fuzz", "FuzzActsReadOneWay", name)
		want := fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", acts[predicateType].Statement)
		if *update {
			ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
			ok(t, os.WriteFile(path, want, 0o644))
		}
		if have := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(have, want) {
			t.Errorf("%s is not current", path)
		}
	}
}
