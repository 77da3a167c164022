package main

import (
	"fmt"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/vsa"
	"github.com/rollproof/rollproof/rollout"
)

// promotionSummary is what --vsa is about, for acts of promotions.
const promotionSummary = "what was verified of the binaries, as far as they came,"

// promotionSigner opens the key of --vsa-key before anything is recorded; nil where no
// summary is asked for.
func (a *acting) promotionSigner(project string) (envelope.Signer, error) {
	signer, err := a.summarySigner(a.ctx)
	if err != nil || signer == nil {
		return nil, err
	}
	ruling := a.Authority.Rule(trust.Use{KeyID: signer.Public().KeyID(), PredicateType: vsa.PredicateType, Project: project, Signing: true})
	if ruling.Outcome != trust.Granted {
		return nil, failure{exitEvidence, "this key may sign no verification summary: " + ruling.Reason, "give a key of the role verifier"}
	}
	return signer, nil
}

// summarizePromotion writes what was verified of a promotion's request or execution as
// a signed summary: each binary that its targets receive, the rules in force, and every
// attestation behind the act. failed says that something behind it did not verify.
func (a *acting) summarizePromotion(store *sqlite.Store, signer envelope.Signer, act evidence.Digest, failed bool) error {
	if signer == nil {
		return nil
	}
	index, err := store.Find(a.ctx.Context, act.Hex())
	if err != nil {
		return badStore(err)
	}
	lineage, err := a.Intake().Lineage(a.ctx.Context, store, index)
	if err != nil {
		return badStore(err)
	}
	if lineage.Cut {
		return failure{exitFailed, fmt.Sprintf("more than %d records belong to %s: a summary could not name all", evidence.MaxRelatives, act), "nothing was written"}
	}
	top := lineage.Record
	if !slices.Contains([]string{rollout.PromotionRequestType, rollout.PromotionExecutionType}, top.PredicateType) {
		return usagef("a promotion's request or execution has one", "there is no verification summary of a %s", top.Kind)
	}
	state, err := a.state(store, top.Facts.Project)
	if err != nil {
		return err
	}
	progress, err := service.ProgressOf(state, top.Facts.Rollout)
	if err != nil {
		return err
	}
	facts, err := a.packageSummary(store, progress.Rollout)
	if err != nil {
		return err
	}
	facts.Passed = facts.Passed && !failed && top.Illegal == ""
	facts.Subjects = receivedBinaries(progress.Rollout, top.Facts.DeploymentTargets)
	if request, ok := state.Request(top.Facts.Request, a.now()); ok {
		facts.Policy = vsa.Resource{URI: "urn:rollproof:policy:" + request.Project, SHA256: request.Policy.Hex()}
	}
	if !facts.Passed {
		facts.Levels = nil
	} else if promoted(state, top) {
		facts.Levels = append(facts.Levels, vsa.LevelPromoted)
	}
	inputs := map[int64]evidence.Digest{top.Index: top.ID}
	collectIDs(lineage.StandsOn, inputs)
	for _, id := range inputs {
		if r := (vsa.Resource{SHA256: id.Hex()}); !slices.Contains(facts.Inputs, r) {
			facts.Inputs = append(facts.Inputs, r)
		}
	}
	return a.writeSummary(a.ctx, signer, facts)
}

// packageSummary verifies a rollout's package and says what a summary of it says.
func (a *acting) packageSummary(store *sqlite.Store, r rollout.Rollout) (vsa.Facts, error) {
	container, closer, err := a.packageOf(store, r.Manifest)
	if err != nil {
		return vsa.Facts{}, err
	}
	defer closer()
	verdict, err := a.verdict(a.ctx, a.packageName(r), container, a.Authority)
	if err != nil {
		return vsa.Facts{}, err
	}
	if verdict.ManifestDigest != r.Manifest.String() {
		return vsa.Facts{}, failure{exitEvidence, fmt.Sprintf("the package has manifest %s, and rollout %s is of %s", verdict.ManifestDigest, r.ID, r.Manifest), "give the package that was captured"}
	}
	return summaryFacts(container, verdict)
}

// receivedBinaries are the binaries that targets of a rollout receive, each once.
func receivedBinaries(r rollout.Rollout, targets []string) []evidence.Subject {
	var list []evidence.Subject
	for _, t := range r.Targets {
		known := slices.ContainsFunc(list, func(s evidence.Subject) bool { return s.Name == t.Binary })
		if slices.Contains(targets, t.ID) && !known {
			list = append(list, evidence.FileSubject(t.Binary, t.SHA256))
		}
	}
	return list
}

// promoted says that a legal execution put a release there, and that no emergency waits
// for its quorum.
func promoted(state *rollout.State, act evidence.RecordLine) bool {
	open := slices.ContainsFunc(state.OpenGlasses(), func(g rollout.OpenGlass) bool { return g.Act == act.Act })
	return act.PredicateType == rollout.PromotionExecutionType && act.Illegal == "" && !open
}

// collectIDs lists the envelopes behind an act, by index.
func collectIDs(list []evidence.Relative, into map[int64]evidence.Digest) {
	for _, r := range list {
		into[r.Record.Index] = r.Record.ID
		collectIDs(r.Behind, into)
	}
}
