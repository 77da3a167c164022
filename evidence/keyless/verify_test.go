package keyless

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// A trial is one bundle before one verifier.
type trial struct {
	bundle   object
	raw      []byte // instead of bundle
	root     object // nil: the instance's
	artifact []byte // nil: text
	digest   bool   // give only the artifact's sha256
	key      crypto.Signer
	who      person // zero: ada
	options  Options
	alone    bool // with no trusted root
}

func (c trial) fill(i *instance) trial {
	if c.root == nil {
		c.root = i.trustedRoot()
	}
	if c.artifact == nil {
		c.artifact = text
	}
	if c.who.subject == "" {
		c.who = ada
	}
	if c.raw == nil {
		c.raw = c.bundle.json(i.t)
	}
	return c
}

// verify lets our verifier judge.
func (c trial) verify(i *instance) (*Result, error) {
	i.t.Helper()
	c = c.fill(i)
	var trusted []byte
	if !c.alone {
		trusted = c.root.json(i.t)
	}
	v, err := New(trusted, c.options)
	if err != nil {
		return nil, err
	}
	artifact := Content(bytes.NewReader(c.artifact))
	if c.digest {
		if artifact, err = Digest(sha256Of(c.artifact)); err != nil {
			i.t.Fatal(err)
		}
	}
	var signer Signer = identity(i.t, c.who)
	if c.key != nil {
		signer = keyOf(i.t, c.key)
	}
	return v.Verify(c.raw, artifact, signer)
}

// plain lets the conforming client judge.
func (c trial) plain(i *instance) error {
	i.t.Helper()
	c = c.fill(i)
	var digest []byte
	if c.digest {
		sum := sha256.Sum256(c.artifact)
		digest = sum[:]
	}
	var public crypto.PublicKey
	if c.key != nil {
		public = c.key.Public()
	}
	return plain(c.raw, c.root.json(i.t), c.artifact, digest, public, c.who)
}

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGoodBundles(t *testing.T) {
	i := newInstance(t)
	edKey, ecKey := newEd25519(t), newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	i.check(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	i.check(err)
	proofOnly := sample{token: time.Minute}.bundle(i)
	at(t, proofOnly, "verificationMaterial", "tlogEntries", 0).without("inclusionPromise")
	foreignEntry := sample{}.bundle(i)
	foreignLog := *i
	foreignLog.log = newKey(t)
	entries := at(t, foreignEntry, "verificationMaterial")
	entries["tlogEntries"] = append(entries["tlogEntries"].([]any), foreignLog.entry("hashedrekord", "0.0.1",
		at(t, foreignEntry, "verificationMaterial", "tlogEntries", 0)["canonicalizedBody"].([]byte), day))
	for name, c := range map[string]trial{
		"message v0.1":                     {bundle: sample{version: v01}.bundle(i)},
		"message v0.2":                     {bundle: sample{version: v02}.bundle(i)},
		"message v0.3":                     {bundle: sample{}.bundle(i)},
		"message v0.3, older media type":   {bundle: sample{version: "application/vnd.dev.sigstore.bundle+json;version=0.3"}.bundle(i)},
		"dsse v0.1":                        {bundle: sample{version: v01, dsse: true}.bundle(i)},
		"dsse v0.2":                        {bundle: sample{version: v02, dsse: true}.bundle(i)},
		"dsse v0.3":                        {bundle: sample{dsse: true}.bundle(i)},
		"message by digest":                {bundle: sample{}.bundle(i), digest: true},
		"dsse by digest":                   {bundle: sample{dsse: true}.bundle(i), digest: true},
		"token and promise":                {bundle: sample{token: time.Minute}.bundle(i)},
		"token and proof":                  {bundle: proofOnly},
		"no log known, token":              {bundle: sample{noEntry: true, token: time.Minute}.bundle(i), root: i.trustedRoot().without("tlogs")},
		"an entry of another log beside":   {bundle: foreignEntry},
		"uri identity":                     {bundle: sample{who: robot}.bundle(i), who: robot},
		"user name identity":               {bundle: sample{who: grace}.bundle(i), who: grace},
		"last second of the certificate":   {bundle: sample{logged: lifetime}.bundle(i)},
		"P-384":                            {bundle: sample{leaf: p384}.bundle(i)},
		"P-384 by an older client":         {bundle: sample{leaf: olderP384{p384}}.bundle(i)},
		"P-384 dsse":                       {bundle: sample{leaf: p384, dsse: true}.bundle(i)},
		"Ed25519ph":                        {bundle: sample{leaf: phSigner{newEd25519(t)}}.bundle(i)},
		"Ed25519 dsse":                     {bundle: sample{leaf: edKey, dsse: true}.bundle(i)},
		"key P-256":                        {bundle: sample{key: ecKey}.bundle(i), key: ecKey},
		"key P-256 by digest":              {bundle: sample{key: ecKey}.bundle(i), key: ecKey, digest: true},
		"key RSA":                          {bundle: sample{key: rsaKey}.bundle(i), key: rsaKey},
		"key Ed25519 dsse":                 {bundle: sample{key: edKey, dsse: true}.bundle(i), key: edKey},
		"key Ed25519 dsse by digest":       {bundle: sample{key: edKey, dsse: true}.bundle(i), key: edKey, digest: true},
		"key Ed25519 message, token":       {bundle: sample{key: edKey, noEntry: true, token: time.Minute}.bundle(i), key: edKey, root: i.trustedRoot().without("tlogs")},
		"key v0.1":                         {bundle: sample{key: ecKey, version: v01}.bundle(i), key: ecKey},
		"key, long after any certificate":  {bundle: sample{key: ecKey, logged: 1000 * time.Hour}.bundle(i), key: ecKey},
		"key that borrows another's hint":  {bundle: borrowHint(t, i, ecKey), key: ecKey},
		"key with a token that is unknown": {bundle: sample{key: ecKey, token: time.Minute}.bundle(i), key: ecKey, root: i.trustedRoot().without("timestampAuthorities")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.plain(i); err != nil {
				t.Errorf("the conforming client refuses it: %v", err)
			}
			r, err := c.verify(i)
			if err != nil {
				t.Fatal(err)
			}
			if want := "sha256:" + sha256Of(text); r.Artifact != want {
				t.Errorf("artifact %s, expected %s", r.Artifact, want)
			}
			if len(r.Weakenings) > 0 {
				t.Errorf("weakened by %v", r.Weakenings)
			}
		})
	}
}

func borrowHint(t *testing.T, i *instance, k crypto.Signer) object {
	b := sample{key: k}.bundle(i)
	at(t, b, "verificationMaterial", "publicKey")["hint"] = "release key"
	return b
}
