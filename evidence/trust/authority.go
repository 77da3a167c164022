package trust

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// An Authority says who may sign what. It is a trust root at one moment
// ([Chain.At]) or one key ([SingleKey]); it always comes from outside of what is
// being verified.
type Authority interface {
	// Key returns the key that verifies signatures by keyid. A key that is known is
	// not yet a key that may sign: that is for Rule to say.
	Key(keyid string) (envelope.PublicKey, bool)

	// Rule judges a signature that the caller has verified under Key.
	Rule(Use) Ruling

	// Threshold returns how many distinct persons of a role must sign one
	// statement, at least 1.
	Threshold(Role) int

	// Facts says what the rulings stand on.
	Facts() Facts
}

// A Use is one verified signature and what it is used for.
type Use struct {
	KeyID    string   // the key that made the signature; "" where Identity did
	Identity Identity // the keyless identity that made it

	// Role is the role that is asked for. It may be empty where PredicateType says
	// it; a signature without a statement (checksums.txt.sig) gives Role alone.
	Role          Role
	PredicateType string

	// What the act is about. An act that has no environment or ring, such as a
	// release, leaves them empty.
	Project, Environment, Ring string

	// Statement and Envelope are the sha256 of the statement's and of the bundle's
	// bytes. A revoked key's signature is judged by their age. For a signature that
	// is itself a subject of a later statement (the files of a package under its
	// closing statement), the later statement and its bundle stand here: whatever
	// shows that they existed shows it for their subjects.
	Statement, Envelope [32]byte

	// Signing says that the signature is about to be made, not found: only a key
	// that is active now may.
	Signing bool

	// SignatureProofs are verified proofs that the bundle of the given Envelope
	// existed at a time.
	SignatureProofs []Proof
}

// An Identity is who a keyless certificate names.
type Identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// A ProofKind is a way to show that a signature existed at a time.
type ProofKind string

// The kinds of proof (DESIGN, Time). A revocation's keep list needs none.
const (
	ProofTimestamp   ProofKind = "timestamp"   // an RFC 3161 token over the bundle
	ProofCosignature ProofKind = "cosignature" // a C2SP cosignature over a tree that includes it
	ProofInclusion   ProofKind = "inclusion"   // inclusion in a tree, which carries no time
)

// A Proof is a verified fact about one bundle. Whoever makes a Proof has checked
// its mathematics; a ruling checks whether its maker counts.
type Proof struct {
	Kind     ProofKind
	Envelope [32]byte  // sha256 of the bundle that it is about
	Time     time.Time // not after this, in UTC; zero for an inclusion
	By       string    // keyid of the timestamper or witness; "" for an inclusion
	Tree     Tree      // for an inclusion
}

// A Tree is a state of an evidence log.
type Tree struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   []byte `json:"root"` // 32 bytes
}

func (t Tree) equal(other Tree) bool {
	return t.Origin == other.Origin && t.Size == other.Size && bytes.Equal(t.Root, other.Root)
}

// A Signer is who made a signature, as the authority knows him. With a single key
// only KeyID is known.
type Signer struct {
	KeyID  string
	Person string // id
	Name   string
	Role   Role
}

// An Outcome is the answer to a question of trust. Its zero value is the refusal.
type Outcome int

// The outcomes.
const (
	Denied   Outcome = iota
	Unproved         // neither shown nor disproved: a check that was not made
	Granted
)

// String returns "denied", "unproved" or "granted".
func (o Outcome) String() string {
	switch o {
	case Denied:
		return "denied"
	case Unproved:
		return "unproved"
	case Granted:
		return "granted"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// A Ruling is the answer to a Use.
type Ruling struct {
	Outcome Outcome
	Signer  Signer
	Reason  string   // why it is not granted
	Hint    string   // the next step
	Notes   []string // what a verdict must say although it is granted
}

// Facts is what rulings stand on; a verdict prints it.
type Facts struct {
	Mode string // "key" or "root"

	KeyID string // of the single key

	Pin     string // "sha256:…" of the pinned version
	Version int    // of the newest version
	Digest  string // "sha256:…" of the newest version
	Issued  time.Time
	Expires time.Time
	Age     time.Duration // since Issued, as claimed by the signers of the root

	// Current answers "is this trust current?", as far as a machine without network
	// can: it never shows that nothing newer exists.
	Current       Outcome
	CurrentReason string
	CurrentHint   string

	Notes []string // weakenings that were asked for
}

// Identities returns the keyless identities that an authority lists, in order; a
// single key lists none.
func Identities(a Authority) []Identity {
	r, ok := a.(*root)
	if !ok {
		return nil
	}
	var list []Identity
	for _, entry := range r.doc.Identities {
		list = append(list, entry.Identity())
	}
	return list
}

// HasPerson reports whether an authority lists a person; a single key lists none.
func HasPerson(a Authority, id string) bool {
	r, ok := a.(*root)
	return ok && slices.ContainsFunc(r.doc.People, func(p Person) bool { return p.ID == id })
}

// PersonOf returns the person behind a keyless identity, "" where an authority lists
// none.
func PersonOf(a Authority, id Identity) string {
	r, ok := a.(*root)
	if !ok {
		return ""
	}
	for _, entry := range r.doc.Identities {
		if entry.Identity() == id {
			return entry.Person
		}
	}
	return ""
}

// KeysOf returns the keyids that an authority lists with a role, in order, whether
// they may still sign or not; a single key has no role.
func KeysOf(a Authority, role Role) []string {
	r, ok := a.(*root)
	if !ok {
		return nil
	}
	var list []string
	for _, k := range r.doc.Keys {
		if r.roles[k.KeyID] == role {
			list = append(list, k.KeyID)
		}
	}
	return list
}

// Unfit says why role and scope of a key do not fit a use, whether the key may still
// sign or not; "" where they do. A single key has no role.
func Unfit(a Authority, u Use) string {
	r, ok := a.(*root)
	if !ok {
		return "no trust root says who has a role"
	}
	if _, listed := r.keys[u.KeyID]; !listed {
		return r.unlisted(u).Reason
	}
	return r.fit(u, u.KeyID, Ruling{Signer: r.signer(u.KeyID)}).Reason
}

// singleKey is the authority of one key.
type singleKey struct{ key envelope.PublicKey }

// SingleKey returns the authority of one key that was given for one package. It
// knows no roles, no scopes and no revocation, and says so in every ruling; it
// rules on what a releaser signs and denies everything else.
func SingleKey(k envelope.PublicKey) Authority { return singleKey{k} }

func (s singleKey) Key(keyid string) (envelope.PublicKey, bool) {
	if s.key.IsZero() || keyid != s.key.KeyID() {
		return envelope.PublicKey{}, false
	}
	return s.key, true
}

func (s singleKey) Threshold(Role) int { return 1 }

const singleKeyNote = "trusted because its key was given: no roles, no scopes, no revocation"

func (s singleKey) Rule(u Use) Ruling {
	r := Ruling{Signer: Signer{KeyID: u.KeyID}}
	if _, ok := s.Key(u.KeyID); !ok {
		r.Reason = fmt.Sprintf("signed by %s, expected %s", signerName(u), s.keyid())
		r.Hint = "give the public key of who made the package, received on another way than the package"
		return r
	}
	if _, err := roleFor(u, Releaser); err != nil {
		r.Reason = fmt.Sprintf("a single key stands for one package alone: %v", err)
		r.Hint = "give a trust root and its pin"
		return r
	}
	r.Outcome, r.Notes = Granted, []string{singleKeyNote}
	return r
}

func (s singleKey) keyid() string {
	if s.key.IsZero() {
		return "no key"
	}
	return s.key.KeyID()
}

func (s singleKey) Facts() Facts {
	return Facts{
		Mode:          "key",
		KeyID:         s.keyid(),
		Current:       Unproved,
		CurrentReason: "a single key was given: " + singleKeyNote,
		CurrentHint:   "give a trust root and its pin",
	}
}

// signerName is the key or the identity of a Use, for messages.
func signerName(u Use) string {
	if u.KeyID != "" {
		return u.KeyID
	}
	if u.Identity != (Identity{}) {
		return fmt.Sprintf("%s of %s", u.Identity.Subject, u.Identity.Issuer)
	}
	return "nobody"
}
