package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// named is a signer whose key follows from its name.
type named struct{ key ed25519.PrivateKey }

func signer(name string) named {
	seed := sha256.Sum256([]byte(name))
	return named{ed25519.NewKeyFromSeed(seed[:])}
}

func (n named) Public() envelope.PublicKey {
	k, err := envelope.NewPublicKey(n.key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return k
}

func (n named) Sign(message []byte) ([]byte, error) { return ed25519.Sign(n.key, message), nil }

func keyid(name string) string { return signer(name).Public().KeyID() }

// date reads "2026-03-02".
func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

const (
	release    = SchemaPrefix + "release-evidence/v1"
	request    = SchemaPrefix + "promotion-request/v1"
	approval   = SchemaPrefix + "approval/v1"
	execution  = SchemaPrefix + "promotion-execution/v1"
	vsa        = "https://slsa.dev/verification_summary/v1"
	foreignOne = "https://example.com/scan/v1"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// firstEdit is version 1: three root owners of whom two must sign, a releaser, an
// approver, and the keepers of log and time.
func firstEdit(t testing.TB) *Edit {
	t.Helper()
	e := New(date("2026-01-01"), date("2027-01-01"))
	e.Threshold(Root, 2)
	for _, p := range []Person{
		{"ada", "Ada", "ada@example.com"}, {"grace", "Grace", "grace@example.com"}, {"third", "Third owner", "third@example.com"},
		{"clock", "Time service", ""}, {"keeper", "Log keeper", "keeper@example.com"},
	} {
		e.Person(p)
	}
	everywhere := []string{"*"}
	for _, k := range []struct {
		name, person string
		grant        Grant
	}{
		{"root-ada", "ada", Grant{Role: Root}},
		{"root-grace", "grace", Grant{Role: Root}},
		{"root-third", "third", Grant{Role: Root}},
		{"releaser", "ada", Grant{Role: Releaser, Projects: []string{"age"}}},
		{"approver", "grace", Grant{Role: Approver, Projects: everywhere, Environments: []string{"production"}, Rings: []string{"pilot", "production"}}},
		{"attester", "third", Grant{Role: Attest, Projects: everywhere, PredicateTypes: []string{foreignOne}}},
		{"clock", "clock", Grant{Role: Timestamper}},
		{"witness", "clock", Grant{Role: Witness}},
		{"keeper-clock", "keeper", Grant{Role: Timestamper}},
		{"ada-clock", "ada", Grant{Role: Timestamper}},
		{"log", "keeper", Grant{Role: Log}},
	} {
		must(t, e.AddKey(signer(k.name).Public(), Key{Person: k.person}))
		k.grant.KeyID = keyid(k.name)
		must(t, e.Grant(k.grant))
	}
	return e
}

// history is a trust directory that grows.
type history struct {
	t     testing.TB
	files map[string][]byte
	last  Document
}

// newHistory begins with version 1, signed by two owners.
func newHistory(t testing.TB) *history {
	t.Helper()
	h := &history{t: t, files: map[string][]byte{}}
	h.add(firstEdit(t), "root-ada", "root-grace")
	return h
}

// add finishes an edit and signs it.
func (h *history) add(e *Edit, signers ...string) {
	h.t.Helper()
	d, err := e.Document()
	must(h.t, err)
	data, err := d.Marshal()
	must(h.t, err)
	h.files[FileName(d.Version)] = data
	h.last = d
	for _, name := range signers {
		h.sign(d.Version, name)
	}
}

// sign adds a signature, whether or not it may count.
func (h *history) sign(version int, name string) {
	h.t.Helper()
	b, err := envelope.Sign(signer(name), PayloadType, h.files[FileName(version)])
	must(h.t, err)
	data, err := b.Marshal()
	must(h.t, err)
	h.files[BundleName(version, signer(name).Public())] = data
}

func (h *history) next(issued string) *Edit {
	h.t.Helper()
	e, err := h.last.Next(date(issued))
	must(h.t, err)
	return e
}

// until returns the files of versions up to n.
func (h *history) until(n int) map[string][]byte {
	files := maps.Clone(h.files)
	for v := n + 1; v <= h.last.Version; v++ {
		maps.DeleteFunc(files, func(name string, _ []byte) bool {
			return strings.HasPrefix(name, FileName(v)[:len(FileName(v))-len("json")])
		})
	}
	return files
}

func (h *history) clone() *history {
	return &history{h.t, maps.Clone(h.files), h.last}
}

func (h *history) pin() string { return Digest(h.files[FileName(1)]) }

func (h *history) load() *Chain {
	h.t.Helper()
	c, err := Load(h.files, h.pin())
	must(h.t, err)
	return c
}

// at is the authority of the newest version.
func (h *history) at(day string, o Options) Authority {
	h.t.Helper()
	a, err := h.load().At(date(day), o)
	must(h.t, err)
	return a
}

// byReleaser is the closing statement of a package of project age.
func byReleaser() Use {
	return Use{
		KeyID: keyid("releaser"), Role: Releaser, PredicateType: release, Project: "age",
		Statement: sha256.Sum256([]byte("statement")), Envelope: sha256.Sum256([]byte("envelope")),
	}
}

// mapMemory is a memory without a disk.
type mapMemory map[string]Seen

func (m mapMemory) Seen(pin string) (Seen, error) { return m[pin], nil }

func (m mapMemory) Remember(pin string, s Seen) error { m[pin] = s; return nil }
