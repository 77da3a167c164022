package trust

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// validate holds every rule that a document obeys by itself.
func (d Document) validate() error {
	if d.Schema != Schema {
		return fmt.Errorf("schema %q, expected %q", d.Schema, Schema)
	}
	if d.Version < 1 || d.Version > maxVersion {
		return fmt.Errorf("version %d, expected 1 to %d", d.Version, maxVersion)
	}
	if d.Version == 1 && d.Previous != "" {
		return fmt.Errorf("version 1 names %s as the version before", d.Previous)
	}
	if d.Version > 1 && !digestForm.MatchString(d.Previous) {
		return fmt.Errorf("version %d names %q as the version before, expected a sha256 digest", d.Version, d.Previous)
	}
	if d.Thresholds == nil || d.People == nil || d.Keys == nil || d.Identities == nil || d.Grants == nil {
		return errors.New("a list is null, expected []")
	}
	for _, check := range []func() error{
		d.checkTimes, d.checkPeople, d.checkKeys, d.checkIdentities, d.checkGrants, d.checkThresholds,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d Document) checkTimes() error {
	if err := checkTime("issued", d.Issued); err != nil {
		return err
	}
	if err := checkTime("expires", d.Expires); err != nil {
		return err
	}
	if !d.Issued.Before(d.Expires) {
		return fmt.Errorf("issued %s, expires %s", stamp(d.Issued), stamp(d.Expires))
	}
	return nil
}

// checkTime wants whole seconds in UTC of this century or a later one, so that a
// moment has one notation and a forgotten one is noticed.
func checkTime(what string, t time.Time) error {
	if t.Location() != time.UTC || t.Nanosecond() != 0 || t.Year() < 2000 || t.Year() > 9999 {
		return fmt.Errorf("%s %s, expected whole seconds in UTC (2026-03-02T00:00:00Z)", what, t.Format(time.RFC3339Nano))
	}
	return nil
}

func (d Document) checkPeople() error {
	owner := map[string]string{}
	for i, p := range d.People {
		if !personID().MatchString(p.ID) {
			return fmt.Errorf("person %+q: an id is 2 to 64 of a-z 0-9 . _ - and begins with a letter or digit", p.ID)
		}
		if err := cmp.Or(checkName(p.Name), checkEmail(p.Email)); err != nil {
			return fmt.Errorf("person %s: %w", p.ID, err)
		}
		if i > 0 && d.People[i-1].ID >= p.ID {
			return fmt.Errorf("people are not sorted by id, or one stands twice: %s after %s", p.ID, d.People[i-1].ID)
		}
		email := strings.ToLower(p.Email)
		if email != "" && owner[email] != "" {
			return fmt.Errorf("people %s and %s have the same e-mail %s", owner[email], p.ID, email)
		}
		owner[email] = p.ID
	}
	return nil
}

func (d Document) checkKeys() error {
	for i, k := range d.Keys {
		if err := d.checkKey(k); err != nil {
			return fmt.Errorf("key %+q: %w", k.KeyID, err)
		}
		if i > 0 && d.Keys[i-1].KeyID >= k.KeyID {
			return fmt.Errorf("keys are not sorted by keyid, or one stands twice: %s after %s", k.KeyID, d.Keys[i-1].KeyID)
		}
	}
	return nil
}

func (d Document) checkKey(k Key) error {
	public, err := envelope.ParsePublicKey([]byte(k.Material))
	switch {
	case err != nil:
		return err
	case public.OpenSSH() != k.Material:
		return errors.New("its material is not an OpenSSH line without comment")
	case public.KeyID() != k.KeyID:
		return fmt.Errorf("its material is %s", public.KeyID())
	case !slices.Contains([]KeyUse{UseFile, UseAgent, UseBrowser}, k.Use):
		return fmt.Errorf("its use is %q, expected file, agent or browser", k.Use)
	}
	if _, ok := d.person(k.Person); !ok {
		return fmt.Errorf("belongs to %+q, who is not among the people", k.Person)
	}
	if err := checkTime("not before", k.NotBefore); err != nil {
		return err
	}
	if !k.NotAfter.IsZero() {
		if err := checkTime("not after", k.NotAfter); err != nil {
			return err
		}
		if !k.NotBefore.Before(k.NotAfter) {
			return fmt.Errorf("valid from %s to %s", stamp(k.NotBefore), stamp(k.NotAfter))
		}
	}
	return k.Revoked.check()
}

func (r *Revocation) check() error {
	if r == nil {
		return nil
	}
	if err := checkTime("revoked at", r.At); err != nil {
		return err
	}
	switch {
	case r.Reason != Retired && r.Reason != Compromised:
		return fmt.Errorf("revoked as %q, expected retired or compromised", r.Reason)
	case r.Reason == Retired && (len(r.Trees) > 0 || len(r.Keep) > 0):
		return errors.New("retired, with trees or digests to keep: all that a retired key signed stays valid")
	}
	for _, digest := range r.Keep {
		if !digestForm.MatchString(digest) {
			return fmt.Errorf("keeps %+q, expected a sha256 digest of a statement", digest)
		}
	}
	if !increasing(r.Keep, strings.Compare) {
		return errors.New("the digests to keep are not sorted, or one stands twice")
	}
	for _, t := range r.Trees {
		if !originForm().MatchString(t.Origin) || t.Size < 1 || len(t.Root) != 32 {
			return fmt.Errorf("pins a tree %+q of size %d with a root of %d bytes", t.Origin, t.Size, len(t.Root))
		}
	}
	if !increasing(r.Trees, compareTrees) {
		return errors.New("the trees are not sorted by origin and size, or one stands twice")
	}
	return nil
}

// compareTrees orders by origin and size: two trees of one size are a split view,
// and a root that pins both is refused.
func compareTrees(a, b Tree) int {
	return cmp.Or(strings.Compare(a.Origin, b.Origin), cmp.Compare(a.Size, b.Size))
}

func increasing[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

func (d Document) checkIdentities() error {
	for _, e := range d.Identities {
		for _, part := range []string{e.Issuer, e.Subject} {
			if part == "" || len(part) > 1024 || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				return fmt.Errorf("identity %+q of %+q: issuer and subject are printable ASCII without spaces", e.Subject, e.Issuer)
			}
		}
		if _, ok := d.person(e.Person); !ok {
			return fmt.Errorf("identity %s of %s belongs to %+q, who is not among the people", e.Subject, e.Issuer, e.Person)
		}
	}
	if !increasing(d.Identities, func(a, b IdentityEntry) int { return compareIdentities(a.Identity(), b.Identity()) }) {
		return errors.New("identities are not sorted by issuer and subject, or one stands twice")
	}
	return nil
}

func compareIdentities(a, b Identity) int {
	return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Subject, b.Subject))
}

func (d Document) checkThresholds() error {
	for _, t := range d.Thresholds {
		if !slices.Contains(thresholdRoles, t.Role) {
			return fmt.Errorf("a threshold of role %q: only %s have one", t.Role, thresholdRoles)
		}
		if t.Persons < 1 {
			return fmt.Errorf("the threshold of %s is %d persons, expected 1 or more", t.Role, t.Persons)
		}
	}
	if !increasing(d.Thresholds, func(a, b Threshold) int { return compareRoles(a.Role, b.Role) }) {
		return errors.New("thresholds are not in the order of roles, or one stands twice")
	}
	if len(d.Thresholds) == 0 || d.Thresholds[0].Role != Root {
		return errors.New("no threshold of role root")
	}
	if have, need := len(d.rootPersons()), d.Threshold(Root); have < need {
		return fmt.Errorf("%d persons hold a root key that may sign, the threshold is %d", have, need)
	}
	return nil
}

// thresholdRoles are the roles whose statements several persons may have to sign.
// How many approvers a ring needs is the policy's to say.
var thresholdRoles = []Role{Root, Releaser, Policy}

// rootPersons returns the persons that hold a root key that may sign this version.
func (d Document) rootPersons() map[string]bool {
	persons := map[string]bool{}
	for _, k := range d.Keys {
		if d.roleOf(k.KeyID) == Root && k.active(d.Issued) == nil {
			persons[k.Person] = true
		}
	}
	return persons
}
