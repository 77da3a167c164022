package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/schemas"
)

// An Entry says what statements of one predicate type are to a store.
type Entry struct {
	PredicateType string
	Schema        string       // identifier of the predicate's schema, "" for a foreign predicate
	Roles         []trust.Role // who may sign it: what [trust.RolesFor] says
	Kind          Kind
	// Facts derives the facts from the exact bytes of a statement and refuses bytes
	// that are not the statement's one exact encoding.
	Facts func(statement []byte) (Facts, error)
}

// A Catalog maps predicate types to entries. The packages that own the statements
// offer the entries; the command that builds a store puts them together. Statements
// of other people's predicate types need no entry.
type Catalog struct{ entries map[string]Entry }

// NewCatalog fails on entries that contradict each other, the trust root's roles or
// the schemas.
func NewCatalog(entries ...Entry) (Catalog, error) {
	c := Catalog{map[string]Entry{}}
	for _, e := range entries {
		if err := e.check(); err != nil {
			return Catalog{}, fmt.Errorf("catalog: %s: %w", e.PredicateType, err)
		}
		if _, twice := c.entries[e.PredicateType]; twice {
			return Catalog{}, fmt.Errorf("catalog: %s stands twice", e.PredicateType)
		}
		c.entries[e.PredicateType] = e
	}
	return c, nil
}

func (e Entry) check() error {
	roles := trust.RolesFor(e.PredicateType)
	switch {
	case len(roles) == 0 || !slices.Equal(roles, e.Roles):
		return fmt.Errorf("signed by %v, the trust root says %v", e.Roles, roles)
	case !slices.Contains(Kinds, e.Kind) || e.Kind == KindUnverified:
		return fmt.Errorf("kind %q is none of %v", e.Kind, Kinds)
	case e.Facts == nil:
		return fmt.Errorf("no facts")
	case isOurs(e.PredicateType) && e.Schema != e.PredicateType:
		return fmt.Errorf("schema %q, expected the predicate type's own", e.Schema)
	case e.Schema == "":
		return nil
	}
	_, err := schemas.Lookup(e.Schema)
	return err
}

// isOurs reports whether a predicate type is one that rollproof defines, or looks
// like one in any spelling: no other type has no roles.
func isOurs(predicateType string) bool {
	return strings.HasPrefix(predicateType, Namespace) || len(trust.RolesFor(predicateType)) == 0
}

// entry returns the entry of a predicate type. A type of other people has one
// without facts, and one of ours that is not in the catalog is an error.
func (c Catalog) entry(predicateType string) (Entry, error) {
	if e, ok := c.entries[predicateType]; ok {
		return e, nil
	}
	if !isOurs(predicateType) {
		return Entry{PredicateType: predicateType, Roles: trust.RolesFor(predicateType), Kind: KindAttestation, Facts: noFacts}, nil
	}
	var known []string
	for name := range c.entries {
		known = append(known, name)
	}
	e := &TypeError{"predicateType", predicateType, "one that this version knows"}
	if near := envelope.Nearest(predicateType, known); near != "" {
		e.Want = fmt.Sprintf("%q, which is the nearest known", near)
	}
	return Entry{}, e
}

func noFacts([]byte) (Facts, error) { return Facts{}, nil }

// checkSchema checks a predicate against the entry's schema.
func (e Entry) checkSchema(predicate json.RawMessage) error {
	if e.Schema == "" {
		return nil
	}
	return schemas.Validate(e.Schema, predicate)
}

// Facts derives the facts of a statement of a predicate type, from its exact bytes.
func (c Catalog) Facts(predicateType string, statement []byte) (Facts, error) {
	e, err := c.entry(predicateType)
	if err != nil {
		return Facts{}, err
	}
	return e.Facts(statement)
}
