package rollout

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// What a search finds each act by.
func TestFactsOfDecisions(t *testing.T) {
	acts, _ := everyStatement(t)
	for predicateType, want := range map[string][3]string{
		PromotionRequestType: {"pending", "", ""}, RollbackRequestType: {"pending", "", ""}, ApprovalType: {"approved", "", ""}, DenialType: {"denied", "", ""},
		RevocationType: {"revoked", "", ""}, PromotionExecutionType: {"approved", "executed", "promoted"}, RollbackExecutionType: {"approved", "executed", "rolled_back"},
	} {
		a := acts[predicateType]
		f := must[evidence.Facts](t)(factsOf(predicateType, a.Statement))
		if got := [3]string{f.ApprovalState, f.ExecutionStatus, f.RolloutStatus}; got != want {
			t.Errorf("%s: %q, expected %q", predicateType, got, want)
		}
		if f.TargetRing != "staging" || f.Ring != "staging" || f.Environment != "production" {
			t.Errorf("%s: %+v", predicateType, f)
		}
		if own := []string{f.Request, f.Approval, f.Execution}; predicateType != RevocationType && !slices.Contains(own, a.Digest.String()) {
			t.Errorf("%s is not found by its own id: %q", predicateType, own)
		}
	}
	x := must[evidence.Facts](t)(factsOf(PromotionExecutionType, acts[PromotionExecutionType].Statement))
	if x.Request == "" || x.Rollout == "" || len(x.DeploymentTargets) != 2 || x.Version != "v1.0.0" || x.ChangeRecord != "CHG-11" {
		t.Errorf("%+v", x)
	}
}

// The files of an act are its payload, its bundle, and a page for people.
func TestActFiles(t *testing.T) {
	acts, _ := everyStatement(t)
	for predicateType, name := range actFiles {
		a := acts[predicateType]
		b := must[envelope.Bundle](t)(envelope.Sign(keyOf("asker"), evidence.PayloadType, a.Statement))
		files := must[map[string][]byte](t)(ActFiles(b))
		if !bytes.Equal(files[name+".json"], a.Statement) || !bytes.Equal(files[name+".json.sigstore.json"], must[[]byte](t)(b.Marshal())) {
			t.Errorf("%s: %d files", name, len(files))
		}
		page := string(files[name+".md"])
		switch predicateType {
		case ApprovalType, DenialType, RevocationType:
			if page != "" {
				t.Errorf("%s has a page", name)
			}
			continue
		}
		for _, want := range []string{"staging", "v1.0.0", "Rendered from " + name + ".json", "mac-laptop"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s.md lacks %q:\n%s", name, want, page)
			}
		}
	}
	b := must[envelope.Bundle](t)(envelope.Sign(keyOf("policy"), evidence.PayloadType, acts[HoldType].Statement))
	if _, err := ActFiles(b); err == nil {
		t.Error("files of a hold")
	}
}

// Pages carry what approvers must not overlook, and nothing that a text could forge.
func TestPages(t *testing.T) {
	s := newStage(t)
	id := s.soaked("v1.0.0", "CHG-1")
	d := s.do(s.no("yes-3", s.request(id).Digest))
	a := s.ask()
	a.Reason = "fine | **approved** \u202e <b>"
	r := s.requestAs("asker", id, "staging", a)
	b := must[envelope.Bundle](t)(envelope.Sign(keyOf("asker"), evidence.PayloadType, r.Statement))
	page := string(must[map[string][]byte](t)(ActFiles(b))["rollout-promotion-approval-request.md"])
	if !strings.Contains(page, "were denied before: "+d.Digest.String()) {
		t.Errorf("no denial in\n%s", page)
	}
	if strings.Contains(page, "**approved**") || strings.Contains(page, "\u202e") || strings.Contains(page, "<b>") {
		t.Errorf("a text became markup:\n%s", page)
	}
}

func TestDocuments(t *testing.T) {
	s, r := alarmed(t)
	fitsSchema(t, ApprovalListSchema, s.s.ApprovalList(s.now))
	s.do(s.yes("yes-1", r.Digest))
	got, found := s.s.Request(s.s.petitions[r.Digest].id, s.now)
	if !found || got.Act != r.Digest || len(got.Signatures) != 1 || !got.Signatures[0].Counts || got.Signatures[0].Use != "file" {
		t.Fatalf("%+v", got)
	}
	show := s.s.ShowRequest(got, verified, s.now)
	fitsSchema(t, ApprovalShowSchema, show)
	if show.Readiness == nil || show.Readiness.Grade != Ready || len(show.Notes) != 0 {
		t.Errorf("%+v", show)
	}
	s.do(s.executionAs("breaker", r.Digest, emergency(s)))
	diff := must[Diff](t)(s.s.Diff("pilot", "staging"))
	fitsSchema(t, DiffSchema, diff)
	if len(diff.Targets) != 2 || !diff.Targets[0].Same {
		t.Errorf("%+v", diff)
	}
	if diff := must[Diff](t)(s.s.Diff("staging", "production")); diff.Targets[0].Same || diff.Targets[0].B.Manifest != "" {
		t.Errorf("%+v", diff)
	}
	if _, err := s.s.Diff("pilot", "prod"); err == nil {
		t.Error("a ring that is not there")
	}
	if h := s.s.History("test", "", "mac-laptop"); len(h.Placements) != 0 {
		t.Errorf("%+v", h)
	}
	h := s.s.History("production", "staging", "mac-laptop")
	fitsSchema(t, HistorySchema, h)
	if !h.Placements[0].BreakGlass {
		t.Error("the history does not say that glass was broken")
	}
	if _, found := s.s.Request("nothing", s.now); found {
		t.Error("found nothing")
	}
	if _, found := s.s.Request(evidence.DigestOf(nil).String(), s.now); found {
		t.Error("found nothing")
	}
}

// What ends is listed, soonest first.
func TestDue(t *testing.T) {
	s, x := preApproved(t, 48*time.Hour)
	s.request(s.soaked("v1.2.0", "CHG-3"))
	var words []string
	for _, d := range s.s.Rings(s.now).Rings[1].Due {
		words = append(words, d.What)
	}
	if !slices.Equal(words, []string{DuePreApproved, DueRequest}) {
		t.Errorf("%q", words)
	}
	fitsSchema(t, RingsSchema, s.s.Rings(s.now))
	s.do(s.back("executor", x.Digest))
	if due := s.s.Rings(s.now).Rings[1].Due; len(due) != 1 {
		t.Errorf("%+v", due)
	}
}

// Ready says what an open emergency in the next ring asks for.
func TestReadinessShowsTheEmergency(t *testing.T) {
	s, r := alarmed(t)
	s.do(s.executionAs("breaker", r.Digest, emergency(s)))
	notes := strings.Join(s.s.Readiness(s.s.Rollouts()[0], verified, s.now).Notes, "\n")
	if !strings.Contains(notes, "breaker broke the glass of ring staging for incident INC-7") || !strings.Contains(notes, "due 2026-03-06T12:") {
		t.Error(notes)
	}
}

// The formats are what they were.
func TestDecisionsAreCurrent(t *testing.T) {
	acts, _ := everyStatement(t)
	for predicateType := range actFiles {
		b := must[envelope.Bundle](t)(envelope.Sign(keyOf("asker"), evidence.PayloadType, acts[predicateType].Statement))
		for name, want := range must[map[string][]byte](t)(ActFiles(b)) {
			if strings.HasSuffix(name, ".sigstore.json") {
				continue
			}
			path := filepath.Join("testdata", name)
			if *update {
				ok(t, os.WriteFile(path, want, 0o644))
			}
			if have := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(have, want) {
				t.Errorf("%s is not current", path)
			}
		}
	}
}
