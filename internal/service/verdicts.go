package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/rollout"
)

// VerdictLife is how long a verdict about a package counts (DESIGN, re-check at the
// moment of acting).
const VerdictLife = time.Minute

// maxVerdicts is how many verdicts are kept.
const maxVerdicts = 64

// A subject is what a verdict is about: the same files under the same trust.
type subject struct {
	manifest evidence.Digest
	trust    string
	closings int
}

// verdicts are about packages that were verified a short time ago. One package is
// verified by one at a time.
type verdicts struct {
	mu   *sync.Mutex
	kept map[subject]*dated
}

type dated struct {
	sync.Mutex
	at      time.Time
	verdict *release.Verdict
}

func newVerdicts() verdicts { return verdicts{&sync.Mutex{}, map[subject]*dated{}} }

func (v verdicts) of(s subject) *dated {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.kept[s]
	if d == nil {
		if len(v.kept) >= maxVerdicts {
			clear(v.kept)
		}
		d = &dated{}
		v.kept[s] = d
	}
	return d
}

// verdict verifies a stored package, or returns the verdict from at most oldest ago.
func (l *Local) verdict(ctx context.Context, desk *Desk, manifest evidence.Digest, oldest time.Duration) (*release.Verdict, release.Container, error) {
	container, err := desk.StoredPackage(ctx, l.options.Store, manifest)
	if err != nil {
		return nil, nil, err
	}
	d := l.seen.of(subject{manifest, desk.Chain.Digest(), len(container.Entries())})
	d.Lock()
	defer d.Unlock()
	if age := l.now().Sub(d.at); d.verdict != nil && age >= 0 && age < oldest {
		return d.verdict, container, nil
	}
	at := l.now()
	verdict, err := release.Verify(ctx, container, release.VerifyOptions{Authority: desk.Authority})
	if err != nil {
		return nil, nil, err
	}
	d.at, d.verdict = at, verdict
	return verdict, container, nil
}

// verifier verifies packages as the store keeps them.
func (l *Local) verifier(desk *Desk, oldest time.Duration) Verifier {
	return func(ctx context.Context, r rollout.Rollout) (*release.Verdict, release.Container, func(), error) {
		verdict, container, err := l.verdict(ctx, desk, r.Manifest, oldest)
		return verdict, container, func() {}, err
	}
}

// releaseVerdict is the verdict about the package of a release's record.
func (l *Local) releaseVerdict(ctx context.Context, record evidence.Record) (*release.Verdict, error) {
	manifest, ok := manifestOf(record)
	if !ok {
		return nil, errors.New("the record names no " + release.ManifestFile)
	}
	desk, err := l.desk()
	if err != nil {
		return nil, err
	}
	verdict, _, err := l.verdict(ctx, desk, manifest, VerdictLife)
	return verdict, err
}
