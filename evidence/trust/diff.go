package trust

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Change is one difference between two versions. Before and After hold the
// entries themselves (a [Person], [Key], [IdentityEntry], [Grant], [Threshold] or
// time); nil stands for none.
type Change struct {
	What   string `json:"what"` // "expires", "threshold", "person", "key", "identity" or "grant"
	Name   string `json:"name"` // role, id, keyid, or subject and issuer; for a grant whose it is
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// Diff returns what changed from a to b, in the order of the document. What every
// version changes (its number, its date and the digest before it) is left out.
func Diff(a, b Document) []Change {
	changes := []Change{}
	if !a.Expires.Equal(b.Expires) {
		changes = append(changes, Change{"expires", "", a.Expires, b.Expires})
	}
	changes = append(changes, differences("threshold", a.Thresholds, b.Thresholds, func(t Threshold) string { return string(t.Role) })...)
	changes = append(changes, differences("person", a.People, b.People, func(p Person) string { return p.ID })...)
	changes = append(changes, differences("key", a.Keys, b.Keys, func(k Key) string { return k.KeyID })...)
	changes = append(changes, differences("identity", a.Identities, b.Identities, func(e IdentityEntry) string { return identityName(e.Identity()) })...)
	return append(changes, grantChanges(a.Grants, b.Grants)...)
}

// differences compares two lists by name.
func differences[T any](what string, a, b []T, name func(T) string) []Change {
	byName := func(list []T) map[string]T {
		m := map[string]T{}
		for _, v := range list {
			m[name(v)] = v
		}
		return m
	}
	before, after := byName(a), byName(b)
	var changes []Change
	for _, v := range a {
		if now, ok := after[name(v)]; !ok {
			changes = append(changes, Change{what, name(v), v, nil})
		} else if !reflect.DeepEqual(v, now) {
			changes = append(changes, Change{what, name(v), v, now})
		}
	}
	for _, v := range b {
		if _, ok := before[name(v)]; !ok {
			changes = append(changes, Change{what, name(v), nil, v})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return strings.Compare(x.Name, y.Name) })
	return changes
}

// grantChanges lists grants that were given or withdrawn: a grant has no name under
// which it could change.
func grantChanges(a, b []Grant) []Change {
	var changes []Change
	missing := func(g Grant, from []Grant) bool {
		return !slices.ContainsFunc(from, func(other Grant) bool { return compareGrants(g, other) == 0 })
	}
	for _, g := range a {
		if missing(g, b) {
			changes = append(changes, Change{"grant", g.whose(), g, nil})
		}
	}
	for _, g := range b {
		if missing(g, a) {
			changes = append(changes, Change{"grant", g.whose(), nil, g})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return strings.Compare(x.Name, y.Name) })
	return changes
}

func (g Grant) whose() string {
	return cmp.Or(g.KeyID, fmt.Sprintf("%s %s", orZero(g.Identity).Subject, orZero(g.Identity).Issuer))
}
