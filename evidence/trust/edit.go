package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// An Edit makes one version. Its operations are checked where they are called, and
// the whole document in [Edit.Document].
type Edit struct{ doc Document }

// New begins version 1. It has no people and no keys yet, and a threshold of one
// root person. Times are cut to seconds.
func New(issued, expires time.Time) *Edit {
	return &Edit{Document{
		Schema:     Schema,
		Version:    1,
		Issued:     second(issued),
		Expires:    second(expires),
		Thresholds: []Threshold{{Root, 1}},
		People:     []Person{},
		Keys:       []Key{},
		Identities: []IdentityEntry{},
		Grants:     []Grant{},
	}}
}

// Next begins the version after d. Its date is issued; it expires when d does,
// until [Edit.Expires] says otherwise.
func (d Document) Next(issued time.Time) (*Edit, error) {
	data, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	next, err := Parse(data) // a deep copy
	if err != nil {
		return nil, err
	}
	next.Version, next.Previous, next.Issued = d.Version+1, Digest(data), second(issued)
	if next.Issued.Before(d.Issued) {
		return nil, fmt.Errorf("version %d is issued %s, the one before %s", next.Version, stamp(next.Issued), stamp(d.Issued))
	}
	return &Edit{next}, nil
}

// Amend begins d again, for a version that nobody has signed yet. Its date becomes
// issued, and so does the first day of keys that this version brought.
func (d Document) Amend(issued time.Time) (*Edit, error) {
	data, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	again, err := Parse(data) // a deep copy
	if err != nil {
		return nil, err
	}
	for i := range again.Keys {
		if again.Keys[i].NotBefore.Equal(d.Issued) {
			again.Keys[i].NotBefore = second(issued)
		}
	}
	again.Issued = second(issued)
	return &Edit{again}, nil
}

func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// Document returns the finished version.
func (e *Edit) Document() (Document, error) {
	d := e.doc
	slices.SortFunc(d.People, func(a, b Person) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Keys, func(a, b Key) int { return strings.Compare(a.KeyID, b.KeyID) })
	slices.SortFunc(d.Identities, func(a, b IdentityEntry) int { return compareIdentities(a.Identity(), b.Identity()) })
	slices.SortFunc(d.Grants, compareGrants)
	slices.SortFunc(d.Thresholds, func(a, b Threshold) int { return compareRoles(a.Role, b.Role) })
	data, err := d.Marshal()
	if err != nil {
		return Document{}, err
	}
	return Parse(data)
}

// Expires sets the date from which the version no longer shows that trust is
// current.
func (e *Edit) Expires(t time.Time) { e.doc.Expires = second(t) }

// Threshold sets how many distinct persons of a role must sign.
func (e *Edit) Threshold(r Role, persons int) {
	e.doc.Thresholds = slices.DeleteFunc(e.doc.Thresholds, func(t Threshold) bool { return t.Role == r })
	e.doc.Thresholds = append(e.doc.Thresholds, Threshold{r, persons})
}

// Person adds a person, or gives an existing one another name and e-mail.
func (e *Edit) Person(p Person) {
	e.doc.People = slices.DeleteFunc(e.doc.People, func(old Person) bool { return old.ID == p.ID })
	e.doc.People = append(e.doc.People, p)
}

// RemovePerson removes a person who has no key and no identity.
func (e *Edit) RemovePerson(id string) error {
	if _, ok := e.doc.person(id); !ok {
		return fmt.Errorf("no person %q in version %d", id, e.doc.Version)
	}
	e.doc.People = slices.DeleteFunc(e.doc.People, func(p Person) bool { return p.ID == id })
	return nil
}

// AddKey adds a key of a person. It is valid from the version's date on, unless k
// says another date. KeyID and Material are filled in from public.
func (e *Edit) AddKey(public envelope.PublicKey, k Key) error {
	if public.IsZero() {
		return errors.New("no key to add")
	}
	k.KeyID, k.Material = public.KeyID(), public.OpenSSH()
	if old, ok := e.doc.key(k.KeyID); ok {
		return fmt.Errorf("%s is already listed, as a key of %s", k.KeyID, old.Person)
	}
	if k.NotBefore.IsZero() {
		k.NotBefore = e.doc.Issued
	}
	if k.Use == "" {
		k.Use = UseFile
	}
	k.NotBefore, k.NotAfter = second(k.NotBefore), second(k.NotAfter)
	e.doc.Keys = append(e.doc.Keys, k)
	return nil
}

// RemoveKey removes a key and its grants. What it signed verifies no longer: use
// [Edit.Retire] where it should.
func (e *Edit) RemoveKey(keyid string) error {
	if _, err := e.find(keyid); err != nil {
		return err
	}
	e.doc.Keys = slices.DeleteFunc(e.doc.Keys, func(k Key) bool { return k.KeyID == keyid })
	e.doc.Grants = slices.DeleteFunc(e.doc.Grants, func(g Grant) bool { return g.KeyID == keyid })
	return nil
}

// Identity adds a keyless identity of a person.
func (e *Edit) Identity(entry IdentityEntry) error {
	if old, ok := e.doc.identity(entry.Identity()); ok {
		return fmt.Errorf("%s of %s is already listed, as an identity of %s", entry.Subject, entry.Issuer, old.Person)
	}
	e.doc.Identities = append(e.doc.Identities, entry)
	return nil
}

// RemoveIdentity removes an identity and its grants.
func (e *Edit) RemoveIdentity(id Identity) error {
	if _, ok := e.doc.identity(id); !ok {
		return fmt.Errorf("no identity %s of %s in version %d", id.Subject, id.Issuer, e.doc.Version)
	}
	e.doc.Identities = slices.DeleteFunc(e.doc.Identities, func(old IdentityEntry) bool { return old.Identity() == id })
	e.doc.Grants = slices.DeleteFunc(e.doc.Grants, func(g Grant) bool { return orZero(g.Identity) == id })
	return nil
}

// Grant gives a role. Scopes are sorted; for a dimension that the role does not
// know, "*" is dropped.
func (e *Edit) Grant(g Grant) error {
	g = g.sorted()
	if _, err := e.doc.checkGrant(g); err != nil {
		return err
	}
	if slices.ContainsFunc(e.doc.Grants, func(old Grant) bool { return compareGrants(old, g) == 0 }) {
		return errors.New("the grant is already listed")
	}
	e.doc.Grants = append(e.doc.Grants, g)
	return nil
}

// Withdraw takes a grant back.
func (e *Edit) Withdraw(g Grant) error {
	g = g.sorted()
	rest := slices.DeleteFunc(slices.Clone(e.doc.Grants), func(old Grant) bool { return compareGrants(old, g) == 0 })
	if len(rest) == len(e.doc.Grants) {
		return fmt.Errorf("no such grant in version %d", e.doc.Version)
	}
	e.doc.Grants = rest
	return nil
}

func (g Grant) sorted() Grant {
	g.Projects = scope(g.Role, dimensions[0], g.Projects)
	g.Environments = scope(g.Role, dimensions[1], g.Environments)
	g.Rings = scope(g.Role, dimensions[2], g.Rings)
	g.PredicateTypes = unique(g.PredicateTypes)
	return g
}

func scope(r Role, dim dimension, names []string) []string {
	if !slices.Contains(dim.roles, r) && slices.Equal(names, []string{everything}) {
		return []string{}
	}
	if names = unique(names); names == nil {
		return []string{}
	}
	return names
}

// unique returns the sorted set of words, nil for none.
func unique(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

// Retire says that a key is destroyed and was never in other hands. What it signed
// stays valid, and it signs nothing more.
func (e *Edit) Retire(keyid string, at time.Time) error {
	return e.revoke(keyid, Revocation{At: at, Reason: Retired})
}

// Revoke says that a key was in other hands from r.At on, or may have been. Trees
// and digests are sorted and are added to those of an earlier revocation.
func (e *Edit) Revoke(keyid string, r Revocation) error {
	r.Reason = Compromised
	return e.revoke(keyid, r)
}

func (e *Edit) revoke(keyid string, r Revocation) error {
	i, err := e.find(keyid)
	if err != nil {
		return err
	}
	r.At = second(r.At)
	if old := e.doc.Keys[i].Revoked; old != nil {
		if err := old.allows(&r); err != nil {
			return fmt.Errorf("%s: %w", keyid, err)
		}
		r.Trees, r.Keep = slices.Concat(r.Trees, old.Trees), slices.Concat(r.Keep, old.Keep)
	}
	r.Keep = unique(r.Keep)
	r.Trees = slices.SortedFunc(slices.Values(r.Trees), compareTrees)
	r.Trees = slices.CompactFunc(r.Trees, func(a, b Tree) bool { return a.equal(b) })
	if err := r.check(); err != nil {
		return fmt.Errorf("%s: %w", keyid, err)
	}
	e.doc.Keys[i].Revoked = &r
	return nil
}

func (e *Edit) find(keyid string) (int, error) {
	i := slices.IndexFunc(e.doc.Keys, func(k Key) bool { return k.KeyID == keyid })
	if i < 0 {
		return 0, fmt.Errorf("no key %s in version %d", keyid, e.doc.Version)
	}
	return i, nil
}

// allows reports whether a later version may say next of a key of which r was said.
// A retirement may turn out to be a compromise; nothing brings a key back.
func (r *Revocation) allows(next *Revocation) error {
	switch {
	case r == nil:
		return nil
	case next == nil:
		return fmt.Errorf("revoked as %s since %s, and valid again", r.Reason, day(r.At))
	case r.Reason == Compromised && next.Reason == Retired:
		return fmt.Errorf("revoked as compromised since %s, and now as retired", day(r.At))
	case r.Reason == next.Reason && next.At.After(r.At):
		return fmt.Errorf("revoked as %s since %s, and now only since %s", r.Reason, stamp(r.At), stamp(next.At))
	}
	return nil
}
