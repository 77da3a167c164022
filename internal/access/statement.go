package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// Predicate types.
const (
	TokenType      = evidence.Namespace + "token/v1"
	RevocationType = evidence.Namespace + "token-revocation/v1"
)

// MaxLife is the longest life of a token.
const MaxLife = 366 * 24 * time.Hour

// Token is the predicate by which the policy role lets somebody use a service. Its
// subject is the hash of the secret.
type Token struct {
	Actor     rollout.Actor        `json:"actor"`
	Trust     rollout.TrustVersion `json:"trust"`
	Seen      *evidence.Checkpoint `json:"seen"`
	Claimed   time.Time            `json:"claimed"`
	ID        string               `json:"id"`
	Owner     string               `json:"owner"`
	Machine   bool                 `json:"machine"`
	Scopes    []Scope              `json:"scopes"`
	Secret    evidence.Digest      `json:"secret"` // of the secret's 32 bytes
	NotBefore time.Time            `json:"notBefore"`
	Expires   time.Time            `json:"expires"`
	Projects  []string             `json:"projects"` // sorted; empty for every project
	Reason    string               `json:"reason"`
}

// Revocation is the predicate that ends a token, for ever. Its subject is the act that
// made it.
type Revocation struct {
	Actor    rollout.Actor        `json:"actor"`
	Trust    rollout.TrustVersion `json:"trust"`
	Seen     *evidence.Checkpoint `json:"seen"`
	Claimed  time.Time            `json:"claimed"`
	ID       string               `json:"id"`
	Token    evidence.Digest      `json:"token"`
	Projects []string             `json:"projects"` // as in the token
	Reason   string               `json:"reason"`
}

var (
	idForm    = regexp.MustCompile(`^[a-z2-7]{10}$`)
	ownerForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,63}$`)
)

// A Grant is what a token shall allow.
type Grant struct {
	Owner              string
	Machine            bool
	Scopes             []Scope
	Projects           []string
	NotBefore, Expires time.Time
	Reason             string
}

// NewToken makes the statement of a token with a secret.
func NewToken(h rollout.Head, s Secret, g Grant) (evidence.Statement[Token], error) {
	if err := checkScopes(g.Scopes); err != nil {
		return evidence.Statement[Token]{}, err
	}
	t := Token{
		h.Actor, h.Trust, h.Seen, second(h.Claimed), s.ID, g.Owner, g.Machine, inOrder(g.Scopes), s.Digest(),
		second(g.NotBefore), second(g.Expires), inSet(g.Projects), g.Reason,
	}
	return evidence.NewStatement(TokenType, t.subjects(), t), t.check()
}

// NewRevocation makes the statement that ends a token.
func NewRevocation(h rollout.Head, t Known, reason string) (evidence.Statement[Revocation], error) {
	r := Revocation{h.Actor, h.Trust, h.Seen, second(h.Claimed), t.ID, t.Act, inSet(t.Projects), reason}
	return evidence.NewStatement(RevocationType, r.subjects(), r), r.check()
}

func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// inOrder returns scopes each once, in their order.
func inOrder(scopes []Scope) []Scope {
	list := []Scope{}
	for _, s := range Scopes {
		if slices.Contains(scopes, s) {
			list = append(list, s)
		}
	}
	return list
}

// checkScopes refuses a scope that nobody knows: [inOrder] would lose it in silence.
func checkScopes(scopes []Scope) error {
	for _, s := range scopes {
		if !slices.Contains(Scopes, s) {
			return fmt.Errorf("scope %q is not known, expected some of %q", archive.Printable(string(s)), Scopes)
		}
	}
	return nil
}

func inSet(names []string) []string {
	return append([]string{}, slices.Compact(slices.Sorted(slices.Values(names)))...)
}

func (t Token) subjects() []evidence.Subject {
	return []evidence.Subject{evidence.FileSubject("token "+t.ID, t.Secret.Hex())}
}

func (r Revocation) subjects() []evidence.Subject {
	return []evidence.Subject{evidence.FileSubject("token", r.Token.Hex())}
}

// check holds a token to what no schema says.
func (t Token) check() error {
	switch {
	case !idForm.MatchString(t.ID):
		return fmt.Errorf("id %q of the token: expected 10 characters of base32", t.ID)
	case !ownerForm.MatchString(t.Owner):
		return fmt.Errorf("owner %q: expected lower-case letters, digits and . _ -, 2 to 64 of them", t.Owner)
	case len(t.Scopes) == 0 || !slices.Equal(t.Scopes, inOrder(t.Scopes)):
		return fmt.Errorf("scopes %q: expected some of %q, in this order", t.Scopes, Scopes)
	case !t.NotBefore.Before(t.Expires):
		return errors.New("the token ends before it begins")
	case t.Expires.Sub(t.NotBefore) > MaxLife:
		return fmt.Errorf("the token lives %d days, expected at most %d", int(t.Expires.Sub(t.NotBefore).Hours()/24), int(MaxLife.Hours()/24))
	}
	return checkProjects(t.Projects)
}

func (r Revocation) check() error {
	if !idForm.MatchString(r.ID) {
		return fmt.Errorf("id %q of the token: expected 10 characters of base32", r.ID)
	}
	if r.Reason == "" {
		return errors.New("a revocation without a reason")
	}
	return checkProjects(r.Projects)
}

func checkProjects(names []string) error {
	if names == nil || !slices.Equal(names, inSet(names)) {
		return errors.New("projects are not sorted, or one stands twice")
	}
	for _, name := range names {
		if err := release.CheckName("project", name); err != nil {
			return err
		}
	}
	return nil
}

// readToken reads the exact bytes of a token's statement.
func readToken(statement []byte) (Token, error) {
	s, err := evidence.DecodeStatement[Token](statement, TokenType)
	if err == nil && !sameSubject(s.Subject, s.Predicate.subjects()) {
		err = errors.New("the subject is not the token's secret")
	}
	if err == nil {
		err = s.Predicate.check()
	}
	return s.Predicate, err
}

// readRevocation reads the exact bytes of a revocation's statement.
func readRevocation(statement []byte) (Revocation, error) {
	s, err := evidence.DecodeStatement[Revocation](statement, RevocationType)
	if err == nil && !sameSubject(s.Subject, s.Predicate.subjects()) {
		err = errors.New("the subject is not the token that is revoked")
	}
	if err == nil {
		err = s.Predicate.check()
	}
	return s.Predicate, err
}

func sameSubject(got, want []evidence.Subject) bool {
	return len(got) == 1 && got[0].Name == want[0].Name && len(got[0].Digest) == 1 && got[0].Digest["sha256"] == want[0].Digest["sha256"]
}

// CatalogEntries says what the statements of this package are to an evidence store.
func CatalogEntries() []evidence.Entry {
	entry := func(predicateType string, facts func([]byte) (evidence.Facts, error)) evidence.Entry {
		return evidence.Entry{PredicateType: predicateType, Schema: predicateType, Roles: trust.RolesFor(predicateType), Kind: evidence.KindAccess, Facts: facts}
	}
	return []evidence.Entry{entry(TokenType, tokenFacts), entry(RevocationType, revocationFacts)}
}

// A token of one project can be made by who has the role for that project alone. One of
// several projects, or of all, names none and takes the role for every project.
func tokenFacts(statement []byte) (evidence.Facts, error) {
	t, err := readToken(statement)
	return evidence.Facts{
		Project: oneOf(t.Projects), Claimed: t.Claimed, Seen: t.Seen, NamedKeyID: t.Actor.KeyID, NamedPerson: t.Actor.Person, Text: []string{t.ID, t.Owner, t.Reason},
	}, err
}

func revocationFacts(statement []byte) (evidence.Facts, error) {
	r, err := readRevocation(statement)
	return evidence.Facts{
		Project: oneOf(r.Projects), Claimed: r.Claimed, Seen: r.Seen, NamedKeyID: r.Actor.KeyID, NamedPerson: r.Actor.Person, Text: []string{r.ID, r.Reason},
	}, err
}

func oneOf(projects []string) string {
	if len(projects) == 1 {
		return projects[0]
	}
	return ""
}
