package timestamp

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/digitorus/pkcs7"
	rfc3161 "github.com/digitorus/timestamp"

	"github.com/rollproof/rollproof/evidence/envelope"
)

var bundle = []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`)

// keyring knows the given keys.
func keyring(known ...envelope.PublicKey) func(string) (envelope.PublicKey, bool) {
	return func(keyid string) (envelope.PublicKey, bool) {
		for _, k := range known {
			if k.KeyID() == keyid {
				return k, true
			}
		}
		return envelope.PublicKey{}, false
	}
}

// A token stays good when its certificate has expired: the root says how long the
// key counts.
func TestGoldenToken(t *testing.T) {
	k, err := envelope.ParsePublicKey(read(t, "testdata", "tsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := Verify(read(t, "testdata", "token.der"), bundle, keyring(k))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 21, 9, 8, 37, 0, time.UTC); !proof.Time.Equal(want) || proof.By != k.KeyID() {
		t.Errorf("proof %+v, want %s", proof, want)
	}
}

// tsa makes tokens of its own, honest or not.
type tsa struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newTSA(t *testing.T, key crypto.Signer) tsa {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "example.com timestamps"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tsa{key, cert}
}

func newRSA(t *testing.T) tsa {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return newTSA(t, key)
}

func (a tsa) public(t *testing.T) envelope.PublicKey {
	t.Helper()
	k, err := envelope.NewPublicKey(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stamp is a token over data, by hash for imprint and signature.
func (a tsa) stamp(t *testing.T, data []byte, hash crypto.Hash, accuracy time.Duration) []byte {
	t.Helper()
	h := hash.New()
	h.Write(data)
	r, err := (&rfc3161.Timestamp{
		HashAlgorithm: hash, HashedMessage: h.Sum(nil), Time: time.Now(), Accuracy: accuracy,
		SerialNumber: big.NewInt(7), Policy: asn1.ObjectIdentifier{1, 2, 3, 4, 1}, AddTSACertificate: true,
	}).CreateResponseWithOpts(a.cert, a.key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	token, err := Token(r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// cms signs content as something else than a token, or in another way.
func (a tsa) cms(t *testing.T, content []byte, contentType, digest asn1.ObjectIdentifier, attributes bool) []byte {
	t.Helper()
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	sd.SetContentType(contentType)
	sd.SetDigestAlgorithm(digest)
	if attributes {
		err = sd.AddSigner(a.cert, a.key, pkcs7.SignerInfoConfig{})
	} else {
		err = sd.SignWithoutAttr(a.cert, a.key, pkcs7.SignerInfoConfig{})
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// contentOf returns the TSTInfo of a token.
func contentOf(t *testing.T, token []byte) []byte {
	t.Helper()
	p7, err := pkcs7.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	return p7.Content
}

// sha1Info is a TSTInfo (RFC 3161 section 2.4.2) whose imprint is the SHA-1 of the
// bundle.
func sha1Info(t *testing.T) []byte {
	t.Helper()
	type imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}
	sum := sha1.Sum(bundle)
	der, err := asn1.Marshal(struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint imprint
		Serial  int
		Time    time.Time `asn1:"generalized"`
	}{1, asn1.ObjectIdentifier{1, 2, 3}, imprint{pkix.AlgorithmIdentifier{Algorithm: pkcs7.OIDDigestAlgorithmSHA1}, sum[:]}, 1, time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestVerifyRefuses(t *testing.T) {
	a, foreign := newRSA(t), newRSA(t)
	known := keyring(a.public(t))
	good := a.stamp(t, bundle, crypto.SHA256, time.Second)
	if _, err := Verify(good, bundle, known); err != nil {
		t.Fatal(err)
	}
	info := contentOf(t, good)
	lying := func(string) (envelope.PublicKey, bool) { return a.public(t), true }
	for name, tc := range map[string]struct {
		token, data []byte
		keys        func(string) (envelope.PublicKey, bool)
		want        error
	}{
		"another bundle":          {good, append(bytes.Clone(bundle), ' '), known, ErrOther},
		"token over another":      {a.stamp(t, []byte("x"), crypto.SHA256, 0), bundle, known, ErrOther},
		"foreign key":             {foreign.stamp(t, bundle, crypto.SHA256, 0), bundle, known, ErrSigner},
		"foreign key, any answer": {foreign.stamp(t, bundle, crypto.SHA256, 0), bundle, lying, ErrSigner},
		"no keys":                 {good, bundle, keyring(), ErrSigner},
		"imprint of SHA-1":        {a.cms(t, sha1Info(t), oidTSTInfo, pkcs7.OIDDigestAlgorithmSHA256, true), bundle, known, ErrMalformed},
		"accuracy of a year":      {a.stamp(t, bundle, crypto.SHA256, 365*24*time.Hour), bundle, known, ErrMalformed},
		"content is data":         {a.cms(t, info, pkcs7.OIDData, pkcs7.OIDDigestAlgorithmSHA256, true), bundle, known, ErrMalformed},
		"no signed attributes":    {a.cms(t, info, oidTSTInfo, pkcs7.OIDDigestAlgorithmSHA256, false), bundle, known, ErrMalformed},
		"signature over SHA-1":    {a.cms(t, info, oidTSTInfo, pkcs7.OIDDigestAlgorithmSHA1, true), bundle, known, ErrMalformed},
		"two signers":             {twoSigners(t, a, foreign, info), bundle, known, ErrMalformed},
		"signature of another":    {bytes.Replace(good, signatureOf(t, good), signatureOf(t, a.stamp(t, []byte("x"), crypto.SHA256, 0)), 1), bundle, known, ErrSignature},
		"no TSTInfo":              {a.cms(t, []byte{0x30, 0}, oidTSTInfo, pkcs7.OIDDigestAlgorithmSHA256, true), bundle, known, ErrMalformed},
		"empty":                   {nil, bundle, known, ErrMalformed},
		"trailing byte":           {append(bytes.Clone(good), 0), bundle, known, ErrMalformed},
		"cut":                     {good[:len(good)-1], bundle, known, ErrMalformed},
		"indefinite length":       {[]byte{0x30, 0x80, 0, 0}, bundle, known, ErrMalformed},
		"deep":                    {nested(200), bundle, known, ErrMalformed},
		"huge":                    {make([]byte, maxToken+1), bundle, known, ErrMalformed},
	} {
		proof, err := Verify(tc.token, tc.data, tc.keys)
		if !errors.Is(err, tc.want) || proof.Kind != "" {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// nested is DER of the given depth.
func nested(depth int) []byte {
	der := []byte{5, 0}
	for range depth {
		var err error
		if der, err = asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: der}); err != nil {
			panic(err)
		}
	}
	return der
}

func TestDERIsBounded(t *testing.T) {
	if err := checkDER(nested(maxDepth)); err != nil {
		t.Errorf("nested %d deep: %v", maxDepth, err)
	}
	octets, err := asn1.Marshal(make([]byte, maxToken-4))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkDER(octets); err != nil {
		t.Errorf("%d bytes: %v", len(octets), err)
	}
	more, err := asn1.Marshal(make([]byte, maxToken))
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"too deep": nested(maxDepth + 1), "too long": more, "two values": append(nested(1), nested(1)...), "indefinite": {0x30, 0x80, 5, 0, 0, 0}} {
		if err := checkDER(der); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// signatureOf returns the signature inside a token.
func signatureOf(t *testing.T, token []byte) []byte {
	t.Helper()
	p7, err := pkcs7.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	return p7.Signers[0].EncryptedDigest
}

func twoSigners(t *testing.T, a, b tsa, content []byte) []byte {
	t.Helper()
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	sd.SetContentType(oidTSTInfo)
	sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	for _, s := range []tsa{a, b} {
		if err := sd.AddSigner(s.cert, s.key, pkcs7.SignerInfoConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Whatever is changed in a token, its time does not.
func TestEveryByteOfAToken(t *testing.T) {
	a := newRSA(t)
	token := a.stamp(t, bundle, crypto.SHA256, 0)
	want, err := Verify(token, bundle, keyring(a.public(t)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range token {
		for _, flip := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(token)
			bad[i] ^= flip
			if proof, err := Verify(bad, bundle, keyring(a.public(t))); err == nil && !reflect.DeepEqual(proof, want) {
				t.Fatalf("byte %d changed: %+v, want %+v", i, proof, want)
			}
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "words": []byte("hello"), "integer": {2, 1, 0}, "huge": make([]byte, maxToken+1), "bundle": bundle,
	} {
		if _, err := Token(data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerifyNeverPanics(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "token.der"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(nested(3))
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	k, err := envelope.NewPublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if token, err := Token(data); err == nil {
			data = token
		}
		if _, err := Verify(data, bundle, keyring(k)); err == nil {
			t.Error("a token by a key that made none")
		}
	})
}
