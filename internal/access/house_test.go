package access_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var day = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var members = []struct {
	key, person string
	role        trust.Role
	projects    []string
}{
	{"root", "owner", trust.Root, nil},
	{"policy", "grace", trust.Policy, []string{"*"}},
	{"policy-age", "owner", trust.Policy, []string{"age"}},
	{"operator", "ada", trust.Operator, []string{"*"}},
}

// A house is a store, a trust root whose versions grow, and a clock.
type house struct {
	t     testing.TB
	file  string
	store *sqlite.Store
	files map[string][]byte
	pin   string
	doc   trust.Document
	chain *trust.Chain
	now   time.Time
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, file: filepath.Join(t.TempDir(), "evidence.db"), files: map[string][]byte{}, now: day}
	e := trust.New(day.AddDate(0, -1, 0), day.AddDate(2, 0, 0))
	for _, p := range []trust.Person{{ID: "ada", Name: "Ada", Email: "ada@example.com"}, {ID: "grace", Name: "Grace"}, {ID: "owner", Name: "Owner"}} {
		e.Person(p)
	}
	for _, m := range members {
		ok(t, e.AddKey(storetest.NewSigner(m.key).Public(), trust.Key{Person: m.person}))
		g := trust.Grant{KeyID: storetest.NewSigner(m.key).Public().KeyID(), Role: m.role, Projects: m.projects}
		if m.role != trust.Root {
			g.Environments, g.Rings = []string{"*"}, []string{"*"}
		}
		ok(t, e.Grant(g))
	}
	h.version(must[trust.Document](t)(e.Document()))
	h.open()
	return h
}

// version adds a version of the trust root.
func (h *house) version(d trust.Document) {
	h.t.Helper()
	data := must[[]byte](h.t)(d.Marshal())
	h.files[trust.FileName(d.Version)] = data
	b := must[envelope.Bundle](h.t)(envelope.Sign(storetest.NewSigner("root"), trust.PayloadType, data))
	h.files[trust.BundleName(d.Version, storetest.NewSigner("root").Public())] = must[[]byte](h.t)(b.Marshal())
	if h.pin == "" {
		h.pin = trust.Digest(data)
	}
	h.doc, h.chain = d, must[*trust.Chain](h.t)(trust.Load(h.files, h.pin))
}

// next adds a version that differs from the newest.
func (h *house) next(edit func(*trust.Edit)) {
	h.t.Helper()
	e := must[*trust.Edit](h.t)(h.doc.Next(h.now))
	edit(e)
	h.version(must[trust.Document](h.t)(e.Document()))
}

func (h *house) open() {
	h.t.Helper()
	h.store = must[*sqlite.Store](h.t)(sqlite.Open(h.t.Context(), h.file, h.clock))
	h.t.Cleanup(func() { h.store.Close() })
}

func (h *house) clock() time.Time { return h.now }

func (h *house) trust() (access.Root, error) {
	authority, err := h.chain.At(h.now, trust.Options{})
	return access.Root{Chain: h.chain, Authority: authority}, err
}

func (h *house) tokens() *access.Tokens {
	return access.NewTokens(h.store, h.trust, h.clock)
}

func (h *house) head(signer, person string) rollout.Head {
	return rollout.Head{
		Actor: rollout.Actor{KeyID: storetest.NewSigner(signer).Public().KeyID(), Person: person},
		Trust: rollout.TrustVersion{Version: h.chain.Newest().Version, Digest: h.chain.Digest()}, Claimed: h.now,
	}
}

// sealed is the envelope of a statement.
func sealed[P any](t testing.TB, signer string, s evidence.Statement[P]) []byte {
	t.Helper()
	b := must[envelope.Bundle](t)(evidence.Sign(storetest.NewSigner(signer), s))
	return must[[]byte](t)(b.Marshal())
}

// put writes a record as a database administrator can: derived from its envelope, with
// a signer of his choice, and nobody asked.
func (h *house) put(data []byte) evidence.Record {
	h.t.Helper()
	in := evidence.Intake{Catalog: must[evidence.Catalog](h.t)(evidence.NewCatalog(access.CatalogEntries()...))}
	r := must[evidence.Record](h.t)(in.Derive(data))
	r.Signer.Person, r.Signer.Role = "grace", trust.Policy
	return must[[]evidence.Added](h.t)(in.Add(h.t.Context(), h.store, []evidence.Record{r}))[0].Record
}

// all is what a token for one day and every project may.
func (h *house) all(scopes ...access.Scope) access.Grant {
	if len(scopes) == 0 {
		scopes = []access.Scope{access.Read}
	}
	return access.Grant{Owner: "ada", Scopes: scopes, NotBefore: h.now, Expires: h.now.Add(24 * time.Hour)}
}

func secret(t testing.TB) access.Secret {
	t.Helper()
	return must[access.Secret](t)(access.NewSecret(rand.Reader))
}

// made is the envelope of a token that a signer makes in the name of a head.
func (h *house) made(signer string, head rollout.Head, s access.Secret, g access.Grant) []byte {
	h.t.Helper()
	return sealed(h.t, signer, must[evidence.Statement[access.Token]](h.t)(access.NewToken(head, s, g)))
}

// token makes a token signed by the policy role.
func (h *house) token(g access.Grant) access.Secret {
	h.t.Helper()
	s := secret(h.t)
	h.put(h.made("policy", h.head("policy", "grace"), s, g))
	return s
}

// revoke ends a token by a signer.
func (h *house) revoke(s access.Secret, signer, person string) evidence.Record {
	h.t.Helper()
	return h.put(sealed(h.t, signer, must[evidence.Statement[access.Revocation]](h.t)(access.NewRevocation(h.head(signer, person), h.known(s), "laptop lost"))))
}

func (h *house) known(s access.Secret) access.Known {
	h.t.Helper()
	k, found, err := h.tokens().Find(h.t.Context(), s.ID)
	ok(h.t, err)
	if !found {
		h.t.Fatalf("token %s is not in the log", s.ID)
	}
	return k
}

// refusedFor wants a refusal that says why.
func refusedFor(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, expected %q", err, want)
	}
}
