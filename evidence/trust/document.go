package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// Schema is the identifier of the trust document, its first field.
const Schema = SchemaPrefix + "trust/v1"

// PayloadType is the DSSE payload type of a trust document.
const PayloadType = "application/vnd.rollproof.trust.v1+json"

// maxDocument is the size in bytes of the largest trust document: it has to pass
// through an ssh-agent ([envelope.MaxSigned]) together with its envelope's header.
const maxDocument = 192 << 10

// maxVersion keeps version numbers in one notation everywhere.
const maxVersion = 999_999

// A Document is one version of a trust root. Its lists are sorted and without
// duplicates; [Edit] keeps them so.
type Document struct {
	Schema     string          `json:"schema"`
	Version    int             `json:"version"`
	Previous   string          `json:"previous"` // digest of the version before, "" for version 1
	Issued     time.Time       `json:"issued"`   // claimed by the signers
	Expires    time.Time       `json:"expires"`
	Thresholds []Threshold     `json:"thresholds"` // in the order of roles; a role that is not listed has 1
	People     []Person        `json:"people"`     // by id
	Keys       []Key           `json:"keys"`       // by keyid
	Identities []IdentityEntry `json:"identities"` // by issuer and subject
	Grants     []Grant         `json:"grants"`     // by key or identity, then scope
}

// A Threshold is how many distinct persons of a role must sign.
type Threshold struct {
	Role    Role `json:"role"`
	Persons int  `json:"persons"`
}

// A Person owns keys and identities.
type Person struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"` // may be empty
}

// A Key is a public key, who holds it, and from when to when.
type Key struct {
	KeyID     string      `json:"keyid"`
	Material  string      `json:"material"` // OpenSSH line without comment
	Person    string      `json:"person"`
	Use       KeyUse      `json:"use"`
	NotBefore time.Time   `json:"notBefore"`
	NotAfter  time.Time   `json:"notAfter,omitzero"` // zero: as long as the root lists it
	Revoked   *Revocation `json:"revoked,omitempty"`
}

// A KeyUse says where the private half lives.
type KeyUse string

// The uses of keys.
const (
	UseFile    KeyUse = "file"
	UseAgent   KeyUse = "agent"
	UseBrowser KeyUse = "browser"
)

// A Reason is why a key is revoked.
type Reason string

// The reasons of revocations.
const (
	Retired     Reason = "retired"     // destroyed, and never in other hands
	Compromised Reason = "compromised" // in other hands, or not known not to be
)

// A Revocation ends the life of a key. What a compromised key signed is believed
// only where it is shown to be older than At, is included in one of Trees, or is in
// Keep.
type Revocation struct {
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason"`
	Trees  []Tree    `json:"trees,omitempty"`
	Keep   []string  `json:"keep,omitempty"` // digests of statements, sorted
}

// An IdentityEntry is a keyless identity and the person behind it.
type IdentityEntry struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	Person  string `json:"person"`
}

// Identity returns the identity without its person.
func (e IdentityEntry) Identity() Identity { return Identity{e.Issuer, e.Subject} }

// A Grant gives a key or an identity its role, and says where. A scope is a list
// of names, or "*" alone; an empty one grants nothing. A role that knows no
// environments, rings or projects has empty lists there.
type Grant struct {
	KeyID          string    `json:"keyid,omitempty"`
	Identity       *Identity `json:"identity,omitempty"`
	Role           Role      `json:"role"`
	Projects       []string  `json:"projects"`
	Environments   []string  `json:"environments"`
	Rings          []string  `json:"rings"`
	PredicateTypes []string  `json:"predicateTypes,omitempty"` // for role attest
}

// Marshal returns the document's one exact encoding, which is what is signed and
// whose digest is a pin. It refuses a document that [Parse] would refuse.
func (d Document) Marshal() ([]byte, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	data, err := envelope.Encode(d)
	if err != nil {
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("a trust document of %d bytes, the limit is %d", len(data), maxDocument)
	}
	return data, nil
}

// Parse reads a trust document. It says nothing about who signed it.
func Parse(data []byte) (Document, error) {
	if len(data) > maxDocument {
		return Document{}, fmt.Errorf("a trust document of %d bytes, the limit is %d", len(data), maxDocument)
	}
	var d Document
	if err := envelope.Decode(data, &d); err != nil {
		return Document{}, err
	}
	if err := d.validate(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// Digest returns "sha256:" and the hex sha256 of a document's bytes. A pin is the
// digest of one version.
func Digest(document []byte) string {
	sum := sha256.Sum256(document)
	return formatDigest(sum)
}

func formatDigest(sum [32]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParsePin checks the form of a pin.
func ParsePin(pin string) (string, error) {
	if !digestForm.MatchString(pin) {
		return "", &Error{errors.New("a pin is the sha256 of one trust document: sha256: and 64 hex digits in lower case"), "it is printed by trust show and trust verify"}
	}
	return pin, nil
}

// FileName returns the name of a version's document, "3.trust.json".
func FileName(version int) string { return strconv.Itoa(version) + ".trust.json" }

// BundleName returns the name of a signature over a version,
// "3.trust.<first 16 hex digits of the sha256 of the key blob>.sigstore.json".
func BundleName(version int, k envelope.PublicKey) string {
	sum := sha256.Sum256(k.Blob())
	return fmt.Sprintf("%d.trust.%s.sigstore.json", version, hex.EncodeToString(sum[:8]))
}

// An Error says what is wrong with a trust root or its use, and the next step.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the fact without the hint.
func (e *Error) Unwrap() error { return e.Err }

// key returns the entry of a key.
func (d Document) key(keyid string) (Key, bool) {
	for _, k := range d.Keys {
		if k.KeyID == keyid {
			return k, true
		}
	}
	return Key{}, false
}

func (d Document) person(id string) (Person, bool) {
	for _, p := range d.People {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

// roleOf returns the one role of a key, "" for none.
func (d Document) roleOf(keyid string) Role {
	for _, g := range d.Grants {
		if g.KeyID == keyid {
			return g.Role
		}
	}
	return ""
}

// Threshold returns how many distinct persons of a role must sign, at least 1.
func (d Document) Threshold(r Role) int {
	for _, t := range d.Thresholds {
		if t.Role == r {
			return t.Persons
		}
	}
	return 1
}

// public returns the key itself.
func (k Key) public() (envelope.PublicKey, error) { return envelope.ParsePublicKey([]byte(k.Material)) }

// active reports whether k may sign at a time.
func (k Key) active(at time.Time) error {
	switch {
	case k.Revoked != nil:
		return fmt.Errorf("%s (%s) is revoked as %s since %s", k.KeyID, k.Person, k.Revoked.Reason, day(k.Revoked.At))
	case at.Before(k.NotBefore):
		return fmt.Errorf("%s (%s) is not valid before %s", k.KeyID, k.Person, stamp(k.NotBefore))
	case k.expired(at):
		return fmt.Errorf("%s (%s) is not valid after %s", k.KeyID, k.Person, stamp(k.NotAfter))
	}
	return nil
}

func (k Key) expired(at time.Time) bool { return !k.NotAfter.IsZero() && at.After(k.NotAfter) }

func day(t time.Time) string   { return t.UTC().Format(time.DateOnly) }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
