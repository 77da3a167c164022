package trust

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// A dimension is one of the lists of a grant's scope.
type dimension struct {
	name  string
	roles []Role // that know it
	of    func(Grant) []string
	asked func(Use) string
}

// bound are the roles whose acts concern one ring of one environment of a project.
var bound = []Role{Operator, Observer, Requester, Approver, Policy, Breakglass}

var dimensions = []dimension{
	{"project", append([]Role{Releaser, Verifier, Auditor, Attest}, bound...),
		func(g Grant) []string { return g.Projects }, func(u Use) string { return u.Project }},
	{"environment", bound,
		func(g Grant) []string { return g.Environments }, func(u Use) string { return u.Environment }},
	{"ring", bound,
		func(g Grant) []string { return g.Rings }, func(u Use) string { return u.Ring }},
}

const everything = "*"

func (d Document) checkGrants() error {
	roles := map[string]Role{}
	for _, g := range d.Grants {
		name, err := d.checkGrant(g)
		if err != nil {
			return fmt.Errorf("grant of %s to %s: %w", g.Role, name, err)
		}
		if has, ok := roles[name]; ok && has != g.Role {
			return fmt.Errorf("%s has the roles %s and %s: one key has one role", name, has, g.Role)
		}
		roles[name] = g.Role
	}
	if !increasing(d.Grants, compareGrants) {
		return errors.New("grants are not sorted, or one stands twice")
	}
	return nil
}

// checkGrant also returns who the grant is for.
func (d Document) checkGrant(g Grant) (string, error) {
	name, err := d.grantee(g)
	if err != nil {
		return name, err
	}
	if err := checkRole(g.Role); err != nil {
		return name, err
	}
	for _, dim := range dimensions {
		if err := dim.check(g); err != nil {
			return name, err
		}
	}
	return name, checkPredicateTypes(g)
}

func (d Document) grantee(g Grant) (string, error) {
	switch {
	case g.KeyID != "" && g.Identity == nil:
		if _, ok := d.key(g.KeyID); !ok {
			return fmt.Sprintf("%+q", g.KeyID), errors.New("no such key")
		}
		return g.KeyID, nil
	case g.KeyID == "" && g.Identity != nil:
		name := fmt.Sprintf("%+q of %+q", g.Identity.Subject, g.Identity.Issuer)
		if _, ok := d.identity(*g.Identity); !ok {
			return name, errors.New("no such identity")
		}
		if slices.Contains([]Role{Root, Log, Witness, Timestamper}, g.Role) {
			return name, fmt.Errorf("an identity cannot have the role %s, which signs with a key", g.Role)
		}
		return name, nil
	}
	return "nobody", errors.New("expected either a key or an identity")
}

func (d Document) identity(id Identity) (IdentityEntry, bool) {
	for _, e := range d.Identities {
		if e.Identity() == id {
			return e, true
		}
	}
	return IdentityEntry{}, false
}

func checkRole(r Role) error {
	if slices.Contains(roleOrder, r) {
		return nil
	}
	known := make([]string, len(roleOrder))
	for i, k := range roleOrder {
		known[i] = string(k)
	}
	if near := envelope.Nearest(string(r), known); near != "" {
		return fmt.Errorf("unknown role %+q, the nearest known is %q", r, near)
	}
	return fmt.Errorf("unknown role %+q", r)
}

func (dim dimension) check(g Grant) error {
	list := dim.of(g)
	switch {
	case list == nil:
		return fmt.Errorf("its %ss are null, expected []", dim.name)
	case !slices.Contains(dim.roles, g.Role):
		if len(list) > 0 {
			return fmt.Errorf("the role knows no %ss, and the grant names %+q", dim.name, list)
		}
		return nil
	case slices.Contains(list, everything) && len(list) > 1:
		return fmt.Errorf("%q stands beside names of %ss", everything, dim.name)
	case !increasing(list, strings.Compare):
		return fmt.Errorf("its %ss are not sorted, or one stands twice", dim.name)
	}
	for _, name := range list {
		if name != everything && !scopeName().MatchString(name) {
			return fmt.Errorf("%s %+q is no name: letters, digits and . _ - are", dim.name, name)
		}
	}
	return nil
}

func checkPredicateTypes(g Grant) error {
	if g.Role != Attest {
		if len(g.PredicateTypes) > 0 {
			return fmt.Errorf("names predicate types, which only the role %s has", Attest)
		}
		return nil
	}
	for _, p := range g.PredicateTypes {
		if !slices.Contains(RolesFor(p), Attest) || len(p) > 1024 || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return fmt.Errorf("predicate type %+q is not a foreign one", p)
		}
	}
	if !increasing(g.PredicateTypes, strings.Compare) {
		return errors.New("its predicate types are not sorted, or one stands twice")
	}
	return nil
}

// compareGrants orders grants by all that they hold.
func compareGrants(a, b Grant) int {
	return cmp.Or(
		strings.Compare(a.KeyID, b.KeyID),
		compareIdentities(orZero(a.Identity), orZero(b.Identity)),
		compareRoles(a.Role, b.Role),
		slices.Compare(a.Projects, b.Projects),
		slices.Compare(a.Environments, b.Environments),
		slices.Compare(a.Rings, b.Rings),
		slices.Compare(a.PredicateTypes, b.PredicateTypes),
	)
}

func compareRoles(a, b Role) int {
	return cmp.Compare(slices.Index(roleOrder, a), slices.Index(roleOrder, b))
}

func orZero(id *Identity) Identity {
	if id == nil {
		return Identity{}
	}
	return *id
}

// covers reports whether the grant reaches a use, dimension by dimension. A use
// that names nothing in a dimension is reached only by "*".
func (g Grant) covers(u Use) bool {
	for _, dim := range dimensions {
		if !slices.Contains(dim.roles, g.Role) {
			continue
		}
		list, asked := dim.of(g), dim.asked(u)
		if !slices.Contains(list, everything) && (asked == "" || !slices.Contains(list, asked)) {
			return false
		}
	}
	return g.Role != Attest || slices.Contains(g.PredicateTypes, u.PredicateType)
}
