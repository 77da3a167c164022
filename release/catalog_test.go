package release_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// seeded signs with an Ed25519 key that follows from one byte.
type seeded byte

func (s seeded) key() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(s)}, ed25519.SeedSize))
}

func (s seeded) Public() envelope.PublicKey {
	k, err := envelope.NewPublicKey(s.key().Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return k
}

func (s seeded) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key(), message), nil }

// closing returns the bundle of a closing statement.
func closing(t *testing.T, s seeded, change func(*release.Closing)) []byte {
	t.Helper()
	c := release.Closing{
		Release: release.Identity{Project: "age", Version: "v1.2.1", Module: "filippo.io/age", Source: release.SourceIdentity{
			URI: "https://filippo.io/age", GitCommit: strings.Repeat("a", 40), GitTree: strings.Repeat("b", 40), CommitTime: "2026-03-02T00:00:00Z",
		}},
		Manifest: strings.Repeat("0", 64),
	}
	change(&c)
	b, err := evidence.Sign(s, evidence.NewStatement(evidence.ReleaseEvidence, []evidence.Subject{evidence.FileSubject("release-evidence.json", c.Manifest)}, c))
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCatalogOfAPackage(t *testing.T) {
	catalog, err := evidence.NewCatalog(release.CatalogEntries()...)
	if err != nil {
		t.Fatal(err)
	}
	intake := evidence.Intake{Catalog: catalog, Authority: trust.SingleKey(seeded(1).Public()), AllowUnknownSigner: true}
	same := func(*release.Closing) {}
	good := closing(t, 1, same)
	r, err := intake.Examine(good)
	if err != nil || r.Kind != evidence.KindReleasePackage || r.Project != "age" || r.Version != "v1.2.1" || !r.Claimed.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	for name, tc := range map[string]struct {
		data  []byte
		fault evidence.Fault
	}{
		"spaces in the bundle":      {bytes.Replace(good, []byte(`,"dsseEnvelope"`), []byte(`, "dsseEnvelope"`), 1), evidence.FaultEncoding},
		"by a stranger":             {closing(t, 2, same), evidence.FaultSigner},
		"in the releaser's name":    {bytes.ReplaceAll(closing(t, 2, same), []byte(seeded(2).Public().KeyID()), []byte(seeded(1).Public().KeyID())), evidence.FaultSignature},
		"not what the schema says":  {closing(t, 1, func(c *release.Closing) { c.Manifest = "x" }), evidence.FaultSchema},
		"a project that is no name": {closing(t, 1, func(c *release.Closing) { c.Release.Project = "../age" }), evidence.FaultEncoding},
	} {
		var refused *evidence.RefusedError
		if _, err := intake.Examine(tc.data); !errors.As(err, &refused) || refused.Fault != tc.fault {
			t.Errorf("%s: %v, expected %s", name, err, tc.fault)
		}
	}
}
