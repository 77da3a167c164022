package export

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// checkCheckpoint also sets the tree that the export speaks of: what is not in it, or
// not linked to it, is named whoever signed it.
func (v *verification) checkCheckpoint() error {
	note, err := v.read(checkpointFile, translog.MaxSignedSize)
	if err != nil {
		v.fail(checkCheckpoint, checkpointFile, "a signed checkpoint", err.Error(), "")
		return nil
	}
	parsed, err := translog.ParseSigned(note)
	if err != nil {
		v.fail(checkCheckpoint, checkpointFile, "a signed checkpoint", err.Error(), "")
		return nil
	}
	v.tree = &parsed.Checkpoint
	v.report.Tree = &evidence.Checkpoint{Origin: parsed.Origin, Size: parsed.Size, Root: evidence.Digest(parsed.Root)}
	if v.index != nil && v.index.tree() != parsed.Checkpoint {
		v.fail(checkCheckpoint, checkpointFile, fmt.Sprintf("%s of size %d with the root %s, as in the index", v.index.Origin, v.index.Size, v.index.Root),
			fmt.Sprintf("%s of size %d with the root %s", parsed.Origin, parsed.Size, evidence.Digest(parsed.Root)), "")
	}
	if v.authority == nil {
		return nil
	}
	if err := v.byLogKey(parsed); err != nil {
		v.fail(checkCheckpoint, checkpointFile, "signed by a log's key of the trust root", err.Error(), "the root's owners list the key of the log: rollproof trust edit --add-key PUB --role log")
	}
	if _, there := v.sums[consistencyFile]; there {
		if r, err := v.request(); err != nil {
			v.fail(checkCheckpoint, consistencyFile, "a consistency proof", err.Error(), "")
		} else if again, err := r.Checkpoint.Marshal(); err != nil || !bytes.Equal(again, note) {
			v.fail(checkCheckpoint, consistencyFile, "a proof for the export's checkpoint", "one for another", "")
		}
	}
	if v.sound(checkCheckpoint) {
		v.pass(checkCheckpoint, "")
	}
	return nil
}

// byLogKey verifies a checkpoint under the keys of logs that the trust root lists.
func (v *verification) byLogKey(s translog.SignedCheckpoint) error {
	err := errors.New("no key of a log that is listed has signed it")
	for _, keyid := range trust.KeysOf(v.authority, trust.Log) {
		public, _ := v.authority.Key(keyid)
		key, ok := public.Crypto().(ed25519.PublicKey)
		if !ok || s.Verify(s.Origin, key) != nil {
			continue
		}
		ruling := v.authority.Rule(trust.Use{KeyID: keyid, Role: trust.Log})
		if ruling.Outcome == trust.Granted {
			return nil
		}
		err = errors.New(ruling.Reason)
	}
	return err
}

// maxRequest is the size in bytes of the largest consistency file.
const maxRequest = 2 * translog.MaxSignedSize

func (v *verification) request() (checkpoint.Request, error) {
	data, err := v.read(consistencyFile, maxRequest)
	if err != nil {
		return checkpoint.Request{}, err
	}
	return checkpoint.ParseRequest(data)
}

// checkHeld holds the tree against the checkpoint that the recipient brought.
func (v *verification) checkHeld() error {
	if v.options.Checkpoint == nil {
		v.skipped(checkHeld, "", "no checkpoint was given to hold the tree against: it may be an older one than the newest, or one that others were not shown")
		return nil
	}
	if v.tree == nil || v.authority == nil {
		return nil
	}
	held, err := translog.ParseSigned(v.options.Checkpoint)
	if err == nil {
		err = v.byLogKey(held)
	}
	now := v.tree
	switch {
	case err != nil:
		v.fail(checkHeld, "", "a checkpoint signed by a log's key of the trust root", err.Error(), "")
	case held.Origin != now.Origin:
		v.fail(checkHeld, "", "the log "+held.Origin, now.Origin, "")
	case held.Size > now.Size:
		v.fail(checkHeld, "", fmt.Sprintf("a tree of size %d or larger", held.Size), fmt.Sprintf("size %d: an older tree than the one you hold", now.Size), "ask for an export of the log as it is now")
	case held.Size == now.Size && held.Root != now.Root:
		v.fail(checkHeld, "", "the root "+evidence.Digest(held.Root).String(), evidence.Digest(now.Root).String(), "the log was rewritten: keep both checkpoints, they show it")
	default:
		v.link(held.Checkpoint)
	}
	return nil
}

// link shows that the tree grew from an older one.
func (v *verification) link(held translog.Checkpoint) {
	expected := fmt.Sprintf("a tree that begins with the one of size %d that you hold", held.Size)
	const hint = "the log was rewritten: keep both checkpoints, they show it"
	request, err := v.request()
	if linked := err == nil && request.OldSize == held.Size; linked || held.Size == 0 || held.Tree == v.tree.Tree {
		if !linked {
			request.Proof = nil // none is needed
		}
		if err := translog.CheckConsistency(request.Proof, held.Tree, v.tree.Tree); err != nil {
			v.fail(checkHeld, "", expected, err.Error(), hint)
			return
		}
		v.pass(checkHeld, "")
		return
	}
	if v.entries == nil {
		v.unchecked(checkHeld, "", expected, "the export has neither a consistency proof from it nor the log's entries", "ask for an export since your checkpoint")
		return
	}
	switch tree, err := translog.Rebuild(v.entries.all(held.Size)); {
	case err != nil:
		v.fail(checkHeld, "", expected, err.Error(), hint)
	case tree != held.Tree:
		v.fail(checkHeld, "", expected, "its first entries make the root "+evidence.Digest(tree.Root).String(), hint)
	default:
		v.pass(checkHeld, "")
	}
}

const (
	bundleWidth = 256                              // entries of a bundle (C2SP tlog-tiles)
	maxEntries  = archive.MaxEntries * bundleWidth // of a zip
)

// entries are those of the log, read bundle by bundle.
type entries struct {
	read   func(path string) ([]byte, error)
	paths  []string // of the bundles
	bundle int      // that leaves holds
	leaves []translog.Leaf
}

func (v *verification) newEntries() *entries {
	e := &entries{read: v.readTile, bundle: -1}
	for path := range translog.TilePaths(v.tree.Size) {
		if !strings.HasPrefix(path, entriesFolder) {
			break // bundles come first
		}
		e.paths = append(e.paths, path)
	}
	return e
}

func (v *verification) readTile(path string) ([]byte, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	return v.read(path, translog.MaxTile)
}

// at returns the entry at an index of the tree.
func (e *entries) at(index int64) (translog.Leaf, error) {
	if n := int(index / bundleWidth); n != e.bundle {
		data, err := e.read(e.paths[n])
		if err != nil {
			return translog.Leaf{}, err
		}
		if e.leaves, err = translog.ParseEntries(data); err != nil {
			return translog.Leaf{}, err
		}
		e.bundle = n
	}
	return e.leaves[index%bundleWidth], nil
}

// all yields the entries before an index.
func (e *entries) all(to int64) iter.Seq2[translog.Leaf, error] {
	return func(yield func(translog.Leaf, error) bool) {
		for i := range to {
			if leaf, err := e.at(i); !yield(leaf, err) || err != nil {
				return
			}
		}
	}
}

// checkEntries makes the tree from its entries and counts them by predicate type.
func (v *verification) checkEntries() error {
	switch {
	case v.index == nil || v.tree == nil:
		return nil
	case !v.index.Completeness.entries():
		v.skipped(checkEntries, "", "the export does not have the log's entries: what else there is can't be counted")
		return nil
	case v.tree.Size > maxEntries:
		return nil
	}
	if err := translog.CheckTiles(v.tree.Tree, v.readTile); err != nil {
		v.fail(checkEntries, tileFolder, "entries that make the checkpoint's tree", err.Error(), "")
		return v.ctx.Err()
	}
	list := v.newEntries()
	for leaf, err := range list.all(v.tree.Size) {
		if err != nil {
			v.fail(checkEntries, tileFolder, "entries that make the checkpoint's tree", err.Error(), "")
			return v.ctx.Err()
		}
		v.typeCount(leaf.PredicateType).Tree++
	}
	v.entries = list
	v.pass(checkEntries, fmt.Sprintf("%d entries", v.tree.Size))
	return nil
}

// typeCount returns the count of a predicate type, or of all others where there are
// too many.
func (v *verification) typeCount(predicateType string) *TypeCount {
	if len(v.types) >= maxTypes && v.types[predicateType] == nil {
		predicateType = ""
	}
	if v.types[predicateType] == nil {
		v.types[predicateType] = &TypeCount{PredicateType: predicateType}
	}
	return v.types[predicateType]
}

// listTypes puts the counts into the report, by predicate type.
func (v *verification) listTypes() {
	for _, t := range v.types {
		v.report.Types = append(v.report.Types, *t)
	}
	slices.SortFunc(v.report.Types, func(a, b TypeCount) int { return cmp.Compare(a.PredicateType, b.PredicateType) })
}
