package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/rollout"
)

// A Verifier returns the package with a manifest digest and its verdict; close ends
// the use of the container.
type Verifier func(ctx context.Context, r rollout.Rollout) (*release.Verdict, release.Container, func(), error)

// Integrity verifies what no log says: the package, the recorded envelope of the
// rollout, and the keys that signed as the trust root sees them now.
func (d *Desk) Integrity(ctx context.Context, r evidence.Reader, progress rollout.Progress, verify Verifier) (rollout.Integrity, error) {
	var in rollout.Integrity
	if err := d.packageIntegrity(ctx, progress, verify, &in); err != nil {
		return in, err
	}
	if err := d.captureIntegrity(ctx, r, progress, &in); err != nil {
		return in, err
	}
	if err := d.revoked(ctx, r, progress, &in); err != nil {
		return in, err
	}
	return in, d.rebuilds(ctx, r, progress, &in)
}

// captureIntegrity looks at the record of the capture again. Its rules were judged by
// the replay that has it among its rollouts.
func (d *Desk) captureIntegrity(ctx context.Context, r evidence.Reader, progress rollout.Progress, in *rollout.Integrity) error {
	stored, err := r.Record(ctx, progress.Index)
	if err != nil {
		return err
	}
	report, err := evidence.Intake{Catalog: d.Catalog, Authority: d.Authority}.Verify(ctx, r, []int64{progress.Index})
	if err != nil {
		return err
	}
	if stored.Illegal != "" {
		report.Problems = append(report.Problems, evidence.Problem{Index: progress.Index, Difference: evidence.Difference{Field: "illegal", Expected: "an act that counts", Actual: stored.Illegal}})
	}
	in.Directory = release.Pass
	for _, problem := range report.Problems {
		in.Directory = release.Fail
		in.Failures = append(in.Failures, problem.String())
	}
	return nil
}

// packageIntegrity verifies the package again and compares the rollout with it.
func (d *Desk) packageIntegrity(ctx context.Context, progress rollout.Progress, verify Verifier, in *rollout.Integrity) error {
	verdict, container, done, err := verify(ctx, progress.Rollout)
	var failure *Failure
	if errors.As(err, &failure) && failure.Missing {
		in.Package = release.NotChecked
		in.Failures = append(in.Failures, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	in.Package = verdict.Result
	for _, c := range verdict.Checks {
		if c.Result == release.Fail || c.Result == release.NotChecked && c.Required {
			in.Failures = append(in.Failures, fmt.Sprintf("%s %s: %s", c.ID, c.Subject, c.Actual))
		}
	}
	if verdict.Result != release.Pass {
		return nil
	}
	pkg, err := ReadPackage(verdict, container)
	if err != nil {
		in.Package = release.Fail
		in.Failures = append(in.Failures, err.Error())
		return nil
	}
	for _, c := range pkg.Compare(progress.Rollout) {
		if c.Result != release.Pass {
			in.Package = release.Fail
			in.Failures = append(in.Failures, fmt.Sprintf("%s %s: expected %s, found %s", c.ID, c.Subject, c.Expected, c.Actual))
		}
	}
	return nil
}

// revoked lists the keys behind a rollout that count no longer.
func (d *Desk) revoked(ctx context.Context, store evidence.Reader, progress rollout.Progress, in *rollout.Integrity) error {
	acts := []evidence.Digest{progress.Act}
	for _, e := range progress.Events {
		acts = append(acts, e.Act)
	}
	if progress.Observed != nil {
		acts = append(acts, progress.Observed.Act)
	}
	for _, act := range slices.Compact(acts) {
		index, err := store.Find(ctx, act.Hex())
		if err != nil {
			return err
		}
		r, err := store.Record(ctx, index)
		if err != nil {
			return err
		}
		ruling := d.Authority.Rule(trust.Use{
			KeyID: r.Signer.KeyID, PredicateType: r.PredicateType, Project: r.Project, Environment: r.Environment, Ring: r.Ring, Statement: r.Act, Envelope: r.ID,
		})
		if ruling.Outcome != trust.Granted {
			in.Revoked = append(in.Revoked, rollout.RevokedKey{KeyID: r.Signer.KeyID, Act: act, Reason: ruling.Reason})
		}
	}
	return nil
}

// rebuilds lists the recorded statements that somebody rebuilt the release to the
// same bytes, and who released it.
func (d *Desk) rebuilds(ctx context.Context, store evidence.Reader, progress rollout.Progress, in *rollout.Integrity) error {
	manifest := progress.Rollout.Manifest
	page, err := store.Search(ctx, evidence.Query{Digests: []string{manifest.Hex()}, Kinds: []evidence.Kind{evidence.KindReleasePackage}, Limit: evidence.MaxLimit})
	if err != nil {
		return err
	}
	for _, r := range page.Records {
		if !slices.Contains(in.Releasers, r.Signer.Person) {
			in.Releasers = append(in.Releasers, r.Signer.Person)
		}
	}
	for _, t := range progress.Rollout.Targets {
		page, err := store.Search(ctx, evidence.Query{Digests: []string{t.SHA256}, Kinds: []evidence.Kind{evidence.KindAttestation}, Limit: evidence.MaxLimit})
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			if err := d.addRebuild(ctx, store, r, manifest, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRebuild takes a record into account that is a verified rebuild of the release
// with all binaries alike.
func (d *Desk) addRebuild(ctx context.Context, store evidence.Reader, line evidence.Record, manifest evidence.Digest, in *rollout.Integrity) error {
	if d.Rebuilt.Read == nil || line.PredicateType != d.Rebuilt.PredicateType || slices.ContainsFunc(in.Rebuilds, func(r rollout.Rebuild) bool { return r.Act == line.Act }) {
		return nil
	}
	record, err := store.Record(ctx, line.Index)
	if err != nil {
		return err
	}
	examined, err := d.Intake().Examine(record.Envelope)
	if err != nil {
		return nil // it counts no longer, or never did
	}
	b, err := envelope.ParseBundle(record.Envelope)
	if err != nil {
		return nil
	}
	if of, match := d.Rebuilt.Read(b.Payload); match && of == manifest.Hex() {
		in.Rebuilds = append(in.Rebuilds, rollout.Rebuild{Person: examined.Signer.Person, Act: examined.Act})
	}
	return nil
}
