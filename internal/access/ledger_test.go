package access_test

import (
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

// judged adds a record with a judge, and returns why it is illegal.
func (h *house) judged(data []byte) string {
	h.t.Helper()
	in := evidence.Intake{
		Catalog: must[evidence.Catalog](h.t)(evidence.NewCatalog(access.CatalogEntries()...)),
		Judge:   evidence.Judges{&rollout.Ledger{Trust: h.chain}, &access.Ledger{Trust: h.chain}},
	}
	r := must[evidence.Record](h.t)(in.Derive(data))
	r.Signer.Person, r.Signer.Role = "grace", "policy"
	added := must[[]evidence.Added](h.t)(in.Add(h.t.Context(), h.store, []evidence.Record{r}))[0].Record
	stored := must[evidence.Record](h.t)(h.store.Record(h.t.Context(), added.Index))
	return stored.Illegal
}

func (h *house) revocation(signer, person string, s access.Secret, edit func(*access.Revocation)) []byte {
	h.t.Helper()
	st := must[evidence.Statement[access.Revocation]](h.t)(access.NewRevocation(h.head(signer, person), h.known(s), "lost"))
	edit(&st.Predicate)
	st.Subject[0] = evidence.FileSubject("token", st.Predicate.Token.Hex())
	return sealed(h.t, signer, st)
}

// What is posted and does not count is kept, and shows as illegal with its reason.
func TestActsThatDoNotCountAreIllegal(t *testing.T) {
	h := newHouse(t)
	s := secret(t)
	if why := h.judged(h.made("policy", h.head("policy", "grace"), s, h.all())); why != "" {
		t.Fatalf("a token of the policy role is illegal: %s", why)
	}
	foreign := h.head("policy", "grace")
	foreign.Trust.Digest = "sha256:" + strings.Repeat("0", 64)
	eve := h.all()
	eve.Owner = "eve"
	keep := func(*access.Revocation) {}
	other := func(r *access.Revocation) { r.Token = evidence.DigestOf([]byte("another")) }
	for want, data := range map[string][]byte{
		"no version of the trust root lists":   h.made("stranger", h.head("stranger", "grace"), secret(t), h.all()),
		"is an operator, not a policy key":     h.made("operator", h.head("operator", "ada"), secret(t), h.all()),
		"not of every project":                 h.made("policy-age", h.head("policy-age", "owner"), secret(t), h.all()),
		"(ada) as its signer":                  h.made("policy", h.head("policy", "ada"), secret(t), h.all()),
		"trust version 1 is sha256:":           h.made("policy", foreign, secret(t), h.all()),
		"the trust root has no person eve":     h.made("policy", h.head("policy", "grace"), secret(t), eve),
		"is record 0 already":                  h.made("policy", h.head("policy", "grace"), s, h.all(access.Operate)),
		"which is no token of this log":        h.revocation("policy", "grace", s, other),
		"revocation/v1":                        h.revocation("operator", "ada", s, keep),
		"not of every project, every environm": h.revocation("policy-age", "owner", s, keep),
		"(owner) as its signer":                h.revocation("policy", "owner", s, keep),
	} {
		if why := h.judged(data); !strings.Contains(why, want) {
			t.Errorf("illegal %q, expected %q", why, want)
		}
	}
	must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
	if why := h.judged(h.revocation("policy", "grace", s, keep)); why != "" {
		t.Errorf("a revocation by the policy role is illegal: %s", why)
	}
	_, err := h.tokens().Check(t.Context(), s.Text())
	refusedFor(t, err, "revoked by grace")
}

// A secret that two tokens have was copied from one of them.
func TestOneSecretIsOneToken(t *testing.T) {
	h := newHouse(t)
	s := h.token(h.all())
	st := must[evidence.Statement[access.Token]](t)(access.NewToken(h.head("policy", "grace"), s, h.all(access.Operate)))
	st.Predicate.ID = secret(t).ID
	st.Subject[0].Name = "token " + st.Predicate.ID
	if why := h.judged(sealed(t, "policy", st)); !strings.Contains(why, "has the secret of token "+s.ID) {
		t.Errorf("illegal %q", why)
	}
}
