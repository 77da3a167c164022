package service

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/rollout"
)

// Options are what a [Local] stands on.
type Options struct {
	Store   evidence.Store
	Catalog evidence.Catalog
	// Trust returns the trust root as it is now: what was added to its directory since
	// counts from then on.
	Trust func() (*trust.Chain, trust.Authority, error)
	// Location finds a time zone, as in [rollout.Options].
	Location func(name string) (*time.Location, error)
	// Rebuilt reads a statement that a release was rebuilt: the manifest, and whether
	// all came out alike.
	Rebuilt Rebuilt
	// Others makes what judges acts that are none of a rollout; nil for no such acts.
	Others func(*trust.Chain) evidence.Judge
	Now    func() time.Time
	// Poll is how often the log is looked at while somebody waits; 0 means a second.
	Poll time.Duration
}

// A Local answers from a store of this machine.
type Local struct {
	options Options
	waiters watch
	bench   sync.Mutex // the states are used by one at a time
	states  replays
	seen    verdicts
}

var _ Service = (*Local)(nil)

// New returns the service of a store. Closing the store is the caller's.
func New(o Options) *Local {
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	return &Local{options: o, seen: newVerdicts()}
}

// replays are the states of projects, and the tree from which they were replayed.
type replays struct {
	root   string // digest of the newest trust version
	ledger *rollout.Ledger
	tree   translog.Tree
	// projects are those of the records before scanned.
	projects []string
	scanned  int64
}

// desk is what judges, under the trust root as it is now.
func (l *Local) desk() (*Desk, error) {
	chain, authority, err := l.options.Trust()
	if err != nil {
		return nil, err
	}
	d := &Desk{Chain: chain, Authority: authority, Catalog: l.options.Catalog, Rebuilt: l.options.Rebuilt, Ledger: l.fresh(chain)}
	if l.options.Others != nil {
		d.Others = l.options.Others(chain)
	}
	return d, nil
}

// fresh is a ledger that has replayed nothing.
func (l *Local) fresh(chain *trust.Chain) *rollout.Ledger {
	return &rollout.Ledger{Trust: chain, Location: l.options.Location}
}

// state calls f with the present state of a project. The state is f's alone until it
// returns.
func (l *Local) state(ctx context.Context, r evidence.Reader, project string, f func(*Desk, *rollout.State) error) error {
	desk, err := l.desk()
	if err != nil {
		return err
	}
	l.bench.Lock()
	defer l.bench.Unlock()
	if desk.Ledger, err = l.ledger(ctx, r, desk); err != nil {
		return err
	}
	s, err := desk.Ledger.Now(ctx, r, project)
	if err != nil {
		return err
	}
	return f(desk, s)
}

// ledger returns the states that are kept, or none where they are of another trust
// root or of a log that no longer begins as the one that was replayed.
func (l *Local) ledger(ctx context.Context, r evidence.Reader, desk *Desk) (*rollout.Ledger, error) {
	size, err := r.Len(ctx)
	if err != nil {
		return nil, err
	}
	now, err := checkpoint.Tree(ctx, r, size)
	if err != nil {
		return nil, err
	}
	if root := desk.Chain.Digest(); l.states.ledger == nil || l.states.root != root || !l.begins(ctx, r, now) {
		l.states = replays{root: root, ledger: desk.Ledger}
	}
	l.states.tree = now
	return l.states.ledger, nil
}

// begins reports whether the log begins with the tree that was replayed.
func (l *Local) begins(ctx context.Context, r evidence.Reader, now translog.Tree) bool {
	if now.Size < l.states.tree.Size {
		return false
	}
	before, err := checkpoint.Tree(ctx, r, l.states.tree.Size)
	return err == nil && before == l.states.tree
}

// Ready says whether the store and the trust root can be read now.
func (l *Local) Ready(ctx context.Context) error {
	if _, err := l.desk(); err != nil {
		return err
	}
	_, err := l.options.Store.Len(ctx)
	return err
}

// Projects lists the projects that have rollouts or policies, sorted.
func (l *Local) Projects(ctx context.Context) ([]string, error) {
	desk, err := l.desk()
	if err != nil {
		return nil, err
	}
	l.bench.Lock()
	defer l.bench.Unlock()
	if _, err := l.ledger(ctx, l.options.Store, desk); err != nil {
		return nil, err
	}
	found, err := projects(ctx, l.options.Store, evidence.Range{From: l.states.scanned, To: l.states.tree.Size})
	if err != nil {
		return nil, err
	}
	l.states.projects = slices.Compact(slices.Sorted(slices.Values(append(l.states.projects, found...))))
	l.states.scanned = l.states.tree.Size
	return append([]string{}, l.states.projects...), nil
}

// Projects lists the projects of a store that have rollouts or policies, sorted.
func Projects(ctx context.Context, r evidence.Reader) ([]string, error) {
	size, err := r.Len(ctx)
	if err != nil {
		return nil, err
	}
	return projects(ctx, r, evidence.Range{To: size})
}

func projects(ctx context.Context, r evidence.Reader, within evidence.Range) ([]string, error) {
	list := []string{}
	within.Kinds = []evidence.Kind{evidence.KindRollout, evidence.KindPolicy}
	for record, err := range r.Scan(ctx, within) {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, record.Project) {
			list = append(list, record.Project)
		}
	}
	slices.Sort(list)
	return list, nil
}

// find returns the index of the record that a name means.
func (l *Local) find(ctx context.Context, name string) (int64, error) {
	return l.options.Store.Find(ctx, strings.TrimPrefix(name, "sha256:"))
}

// now is the clock of this machine, in UTC.
func (l *Local) now() time.Time { return l.options.Now().UTC() }
