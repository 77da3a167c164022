package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// Rebuilt reads the payload of a statement: the manifest of the release that was
// rebuilt, and whether every binary came out alike. Its predicate type is "" for one
// that this program does not know.
type Rebuilt struct {
	PredicateType string
	Read          func(payload []byte) (manifest string, match bool)
}

// A Desk judges acts and records those that are legal, under a trust root as it is at
// one moment. Commands and services use it; it belongs to one goroutine.
type Desk struct {
	Chain     *trust.Chain
	Authority trust.Authority
	Catalog   evidence.Catalog
	Rebuilt   Rebuilt
	Ledger    *rollout.Ledger
	// Others judges acts that are none of a rollout; nil for no such acts.
	Others evidence.Judge
}

// Intake verifies what is recorded, and judges it.
func (d *Desk) Intake() evidence.Intake {
	return evidence.Intake{Catalog: d.Catalog, Authority: d.Authority, Judge: d.judges(d.Ledger)}
}

// judges are one that judges acts of rollouts, and the one of other acts.
func (d *Desk) judges(own evidence.Judge) evidence.Judge {
	if d.Others == nil {
		return own
	}
	return evidence.Judges{own, d.Others}
}

// Current refuses a trust root that does not show that it is current.
func (d *Desk) Current() error {
	if f := d.Authority.Facts(); f.Mode == "root" && f.Current != trust.Granted {
		return &Failure{Code: CodeEvidence, Message: f.CurrentReason, Hint: f.CurrentHint}
	}
	return nil
}

// Head names a signer, the trust root and the newest checkpoint of the store. r may be
// nil where there is no store.
func (d *Desk) Head(ctx context.Context, r evidence.Reader, keyid string, now time.Time) (rollout.Head, error) {
	ruling := d.Authority.Rule(trust.Use{KeyID: keyid})
	if ruling.Signer.Person == "" {
		return rollout.Head{}, &Failure{Code: CodeEvidence, Message: "this key may not sign: " + ruling.Reason, Hint: ruling.Hint}
	}
	h := rollout.Head{
		Actor: rollout.Actor{KeyID: keyid, Person: ruling.Signer.Person},
		Trust: rollout.TrustVersion{Version: d.Chain.Newest().Version, Digest: d.Chain.Digest()}, Claimed: now,
	}
	if r == nil {
		return h, nil
	}
	newest, ok, err := checkpoint.Newest(ctx, r)
	if errors.Is(err, evidence.ErrNoLog) || err == nil && !ok {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	h.Seen = &evidence.Checkpoint{Origin: newest.Origin, Size: newest.Size, Root: evidence.Digest(newest.Root)}
	return h, nil
}

// MaySign refuses a key that verifies and is no longer signed with.
func (d *Desk) MaySign(r evidence.Record) error {
	ruling := d.Authority.Rule(trust.Use{
		KeyID: r.Signer.KeyID, PredicateType: r.PredicateType, Project: r.Project, Environment: r.Environment, Ring: r.Ring, Signing: true,
	})
	if ruling.Outcome != trust.Granted {
		return &Failure{Code: CodeEvidence, Message: "this key may not sign: " + ruling.Reason, Hint: ruling.Hint}
	}
	return nil
}

// Judge says whether an examined record would be legal at the end of the log, nil for
// yes.
func (d *Desk) Judge(ctx context.Context, r evidence.Reader, state *rollout.State, examined evidence.Record, now time.Time) (*rollout.Refusal, error) {
	size, err := r.Len(ctx)
	if err != nil {
		return nil, err
	}
	examined.Index, examined.Recorded = size, now
	act, err := d.Ledger.Act(ctx, r, examined)
	if err != nil {
		return nil, err
	}
	return state.Judge(act), nil
}

// Add records an examined act that is legal where it would stand. A refusal that says
// that the same is recorded already comes back as the record of that.
func (d *Desk) Add(ctx context.Context, tx evidence.Tx, state *rollout.State, examined evidence.Record, blobs ...evidence.Blob) (evidence.Added, error) {
	refusal, err := d.Judge(ctx, tx, state, examined, tx.Now())
	if err != nil {
		return evidence.Added{}, err
	}
	if refusal != nil && !refusal.Already.IsZero() {
		index, err := tx.Find(ctx, refusal.Already.Hex())
		if err != nil {
			return evidence.Added{}, err
		}
		stored, err := tx.Record(ctx, index)
		return evidence.Added{Record: stored}, err
	}
	if refusal != nil {
		return evidence.Added{}, refusal
	}
	added, err := d.Intake().AddTo(ctx, tx, []evidence.Record{examined}, blobs...)
	if err != nil {
		return evidence.Added{}, err
	}
	return added[0], nil
}

// Origin is the store's log, "" where it has no identity.
func Origin(ctx context.Context, r evidence.Reader) (string, error) {
	id, err := r.Log(ctx)
	if errors.Is(err, evidence.ErrNoLog) {
		return "", nil
	}
	return id.Origin, err
}

// ProjectOf returns the project of a rollout, by its id.
func ProjectOf(ctx context.Context, r evidence.Reader, rolloutID string) (string, error) {
	page, err := r.Search(ctx, evidence.Query{Rollouts: []string{rolloutID}, Kinds: []evidence.Kind{evidence.KindRollout}, Order: evidence.OldestFirst, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(page.Records) == 0 {
		return "", missing("rollout "+archive.Printable(rolloutID)+" is not recorded here", "rollproof release verify-rollout DIR records it; rollproof evidence search --metadata-kind managed-endpoint-rollout lists what is")
	}
	return page.Records[0].Project, nil
}

// ProgressOf returns what the log says of a rollout, or why it did not count.
func ProgressOf(s *rollout.State, id string) (rollout.Progress, error) {
	progress, ok := s.Progress(id)
	if ok {
		return progress, nil
	}
	for _, illegal := range s.Illegal() {
		if illegal.Rollout == id {
			return progress, &Failure{Code: CodeRule, Message: fmt.Sprintf("rollout %s is recorded and did not count there: %s", archive.Printable(id), illegal.Refusal.Reason), Hint: illegal.Refusal.Hint}
		}
	}
	return progress, missing(fmt.Sprintf("rollout %s is not recorded here", archive.Printable(id)), "rollproof release verify-rollout DIR records it")
}

// StoredPackage is the package with a manifest digest, as the store keeps it.
func (d *Desk) StoredPackage(ctx context.Context, r evidence.Reader, manifest evidence.Digest) (release.Container, error) {
	bundles, sizes, err := closings(ctx, r, manifest)
	switch {
	case err != nil:
		return nil, err
	case len(bundles) == 0:
		return nil, missing(fmt.Sprintf("the package with manifest %s is not in the store", manifest), "give --package DIR|ZIP")
	case len(sizes) == 0:
		return nil, missing(fmt.Sprintf("the store has the release with manifest %s, and none of its files", manifest), "give --package DIR|ZIP")
	}
	size := func(digest string) (int64, error) {
		if n, ok := sizes[digest]; ok {
			return n, nil
		}
		return 0, evidence.ErrNotFound
	}
	open := func(digest string) (release.File, error) {
		blob, err := evidence.ParseDigest(digest)
		if err != nil {
			return nil, err
		}
		return openFile(ctx, r, blob)
	}
	return release.Stored(bundles, d.Authority.Key, size, open)
}

// closings are the closing bundles of a release, oldest first, and the sizes of its
// stored files by their hex sha256.
func closings(ctx context.Context, r evidence.Reader, manifest evidence.Digest) ([][]byte, map[string]int64, error) {
	page, err := r.Search(ctx, evidence.Query{Kinds: []evidence.Kind{evidence.KindReleasePackage}, Digests: []string{manifest.Hex()}, Order: evidence.OldestFirst, Limit: evidence.MaxLimit})
	if err != nil {
		return nil, nil, err
	}
	var bundles [][]byte
	sizes := map[string]int64{}
	for _, line := range page.Records {
		record, err := r.Record(ctx, line.Index)
		if err != nil {
			return nil, nil, err
		}
		bundles = append(bundles, record.Envelope)
		blobs, err := r.Blobs(ctx, line.Index)
		if err != nil {
			return nil, nil, err
		}
		for _, b := range blobs {
			sizes[b.Digest.Hex()] = b.Size
		}
	}
	return bundles, sizes, nil
}

// openFile opens a stored file that can be read at random.
func openFile(ctx context.Context, r evidence.Reader, d evidence.Digest) (release.File, error) {
	f, err := r.OpenBlob(ctx, d)
	if err != nil {
		return nil, err
	}
	if file, ok := f.(release.File); ok {
		return file, nil
	}
	return nil, errors.Join(fmt.Errorf("blob %s can't be read at random", d), f.Close())
}

// readFiles reads small files of a package.
func readFiles(c release.Container, paths map[string]*[]byte) error {
	for path, data := range paths {
		f, err := c.Open(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		*data, err = io.ReadAll(io.LimitReader(f, maxDocument+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(*data) > maxDocument {
			return fmt.Errorf("%s has more than %d bytes", path, maxDocument)
		}
	}
	return nil
}

// maxDocument is the size in bytes of the largest document of a package that is read
// whole.
const maxDocument = 64 << 20

// ReadPackage binds a verdict that passed to the files that rollouts speak of.
func ReadPackage(verdict *release.Verdict, c release.Container) (*rollout.Package, error) {
	var files rollout.PackageFiles
	err := readFiles(c, map[string]*[]byte{release.ManifestFile: &files.Manifest, release.DeploymentFile: &files.Deployment, release.ClosingFile: &files.Closing})
	if err != nil {
		return nil, &Failure{Code: CodeEvidence, Message: err.Error(), Hint: "give a signed package"}
	}
	return rollout.ReadPackage(*verdict, files)
}
