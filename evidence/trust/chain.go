package trust

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// A Chain is a trust root whose every version is signed by enough persons, walked
// from a pin.
type Chain struct {
	dir *Directory
	pin string
}

// Load reads a trust directory and walks it from the version whose digest is pin to
// the newest one. Every version must be signed by the threshold, in persons, of its
// own root role and of the version before. Older versions than the pinned one are
// held to the same rules, and authenticated by the digests that lead to it.
func Load(files map[string][]byte, pin string) (*Chain, error) {
	if _, err := ParsePin(pin); err != nil {
		return nil, err
	}
	d, err := Read(files)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(d.versions, func(v version) bool { return v.digest == pin }) {
		return nil, &Error{
			fmt.Errorf("%w: %s is not among versions 1 to %d", ErrPin, pin, d.Newest().Version),
			"compare the pin with the one that the root's owners gave, on another way than these files",
		}
	}
	for _, votes := range d.Votes() {
		if err := votes.check(); err != nil {
			return nil, err
		}
	}
	return &Chain{d, pin}, nil
}

func (v Votes) check() error {
	short := func(have, need, of int) error {
		return &Error{
			fmt.Errorf("%s: %w: %d of %d persons of version %d's root role", v.DocumentName, ErrThreshold, have, need, of),
			"rollproof trust sign " + v.DocumentName + " --key FILE",
		}
	}
	switch {
	case v.Own < v.OwnNeeded:
		return short(v.Own, v.OwnNeeded, v.Version)
	case v.Before < v.BeforeNeeded:
		return short(v.Before, v.BeforeNeeded, v.Version-1)
	}
	return nil
}

// Pin returns the digest from which the chain was walked.
func (c *Chain) Pin() string { return c.pin }

// Newest returns the newest version.
func (c *Chain) Newest() Document { return c.dir.Newest() }

// Digest returns the digest of the newest version.
func (c *Chain) Digest() string { return c.dir.versions[len(c.dir.versions)-1].digest }

// Directory returns the versions and their signatures.
func (c *Chain) Directory() *Directory { return c.dir }

// Files returns the files of the chain, by name.
func (c *Chain) Files() map[string][]byte { return c.dir.Complete() }

// Extend takes the versions that come with a package, or from anywhere else, and
// returns the longer of both chains. It refuses a document that differs from the
// one of the same version here, and so every other root ([ErrFork]). A shorter
// chain changes nothing.
func (c *Chain) Extend(files map[string][]byte) (*Chain, error) {
	other, err := Read(files)
	if err != nil {
		return nil, err
	}
	if err := c.agrees(other); err != nil {
		return nil, err
	}
	if other.Newest().Version <= c.Newest().Version {
		return c, nil
	}
	return Load(c.joined(files), c.pin)
}

// joined adds files to those of the chain. Signatures may differ between two
// copies of one version, and all of them count.
func (c *Chain) joined(files map[string][]byte) map[string][]byte {
	all := maps.Clone(files)
	maps.Copy(all, c.Files())
	return all
}

// agrees compares version by version; both begin with version 1.
func (c *Chain) agrees(other *Directory) error {
	for _, v := range other.versions {
		own := c.dir.at(v.doc.Version)
		if own != nil && own.digest != v.digest {
			return &Error{
				fmt.Errorf("%w: version %d is %s here and %s there", ErrFork, v.doc.Version, own.digest, v.digest),
				"these files belong to another root, or somebody holds the keys of this one: ask its owners",
			}
		}
	}
	return nil
}

// A Seen is the newest version that a machine has seen.
type Seen struct {
	Version int
	Digest  string
}

// A Memory holds, for each pin, the newest version seen. Package
// evidence/trust/memory keeps it in a file.
type Memory interface {
	// Seen returns the newest version, or one with number 0.
	Seen(pin string) (Seen, error)
	// Remember adds a version. It never forgets a newer one, and refuses another
	// document of a version that it knows ([ErrFork]).
	Remember(pin string, s Seen) error
}

// Remember compares the chain with what was seen before, and remembers its newest
// version. Errors are [ErrRollback] and [ErrFork].
func (c *Chain) Remember(m Memory) error {
	seen, err := m.Seen(c.pin)
	if err != nil {
		return err
	}
	newest := c.Newest().Version
	if seen.Version > newest {
		return &Error{
			fmt.Errorf("trust version %d is %w: version %d (%s)", newest, ErrRollback, seen.Version, seen.Digest),
			"get the newest trust directory from the root's owners",
		}
	}
	if seen.Version == newest && seen.Digest == c.Digest() {
		return nil
	}
	if v := c.dir.at(seen.Version); seen.Version > 0 && (v == nil || v.digest != seen.Digest) {
		return &Error{
			fmt.Errorf("%w: version %d is not the %s that was seen before", ErrFork, seen.Version, seen.Digest),
			"ask the root's owners which one is theirs: somebody may hold their keys",
		}
	}
	return m.Remember(c.pin, Seen{newest, c.Digest()})
}

// Options are the weakenings of [Chain.At] and one strengthening. The zero value is
// the strict one.
type Options struct {
	AllowExpired      bool // an expired version counts as current
	AllowUnprovedTime bool // a signature by a key past its notAfter counts without proof of time
	MinVersion        int  // refuse older versions, for machines without memory
}

// skew is how far a version's date may lie in the future before the clock is
// doubted.
const skew = 24 * time.Hour

// At returns the authority of the newest version at a time. The error is
// [ErrMinVersion]; whether the version is current is among the authority's facts.
func (c *Chain) At(now time.Time, o Options) (Authority, error) {
	newest := c.Newest()
	if newest.Version < o.MinVersion {
		return nil, &Error{
			fmt.Errorf("trust version %d is %w: %d", newest.Version, ErrMinVersion, o.MinVersion),
			"get the newest trust directory from the root's owners",
		}
	}
	return newAuthority(c, newest, now.UTC(), o), nil
}

// Key returns a key that any version lists, the newest one first. That a key is known
// says nothing about what it may sign.
func (c *Chain) Key(keyid string) (envelope.PublicKey, bool) {
	for _, v := range slices.Backward(c.dir.versions) {
		if k, ok := v.doc.key(keyid); ok {
			public, err := k.public()
			return public, err == nil
		}
	}
	return envelope.PublicKey{}, false
}

// AtVersion returns the authority of an older version, as it was at a time when that
// version was in force: what later versions revoke, it does not know. digest is the
// version's own, as [Digest] writes it. The error is an [*Error].
//
// It judges the past, such as an act that stands in a log. What is done now is
// judged by [Chain.At].
func (c *Chain) AtVersion(version int, digest string, at time.Time) (Authority, error) {
	doc, ok := c.dir.Document(version)
	if !ok {
		return nil, &Error{
			fmt.Errorf("trust version %d is not in the chain, which ends with %d", version, c.Newest().Version),
			"get the newest trust directory from the root's owners",
		}
	}
	if own := c.dir.at(version).digest; own != digest {
		return nil, &Error{
			fmt.Errorf("trust version %d is %s, expected %s", version, own, digest),
			"the two come from different roots, or somebody signed one version twice: ask the root's owners",
		}
	}
	return newAuthority(c, doc, at.UTC(), Options{}), nil
}
