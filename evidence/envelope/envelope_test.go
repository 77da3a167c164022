package envelope

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// testSigner signs with an Ed25519 key made from a fixed seed.
type testSigner struct{ key ed25519.PrivateKey }

func newSigner(seed byte) testSigner {
	return testSigner{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s testSigner) Public() PublicKey {
	k, err := NewPublicKey(s.key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return k
}

func (s testSigner) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

const payload = "{\n  \"_type\": \"https://in-toto.io/Statement/v1\"\n}\n"

func signed(t testing.TB, s Signer) []byte {
	t.Helper()
	b, err := Sign(s, "application/vnd.in-toto+json", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBundleRoundTrip(t *testing.T) {
	s := newSigner(1)
	b, err := ParseBundle(signed(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(s.Public()); err != nil {
		t.Error(err)
	}
	if string(b.Payload) != payload {
		t.Errorf("payload %q", b.Payload)
	}
	if err := b.Verify(newSigner(2).Public()); err == nil {
		t.Error("verified under a foreign key")
	}
	if err := b.Verify(PublicKey{}); err == nil {
		t.Error("verified under no key")
	}
}

// A foreign key that claims the expected keyid must fail by its signature.
func TestBundleBorrowedKeyID(t *testing.T) {
	b, err := Sign(newSigner(2), "application/vnd.in-toto+json", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	b.KeyID = newSigner(1).Public().KeyID()
	if err := b.Verify(newSigner(1).Public()); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v, want %v", err, ErrSignature)
	}
}

func TestBundleOverAnotherPayload(t *testing.T) {
	b, _ := Sign(newSigner(1), "application/vnd.in-toto+json", []byte(payload))
	for name, other := range map[string]Bundle{
		"payload": {b.PayloadType, []byte(payload + "\n"), b.KeyID, b.Signature},
		"type":    {"application/json", b.Payload, b.KeyID, b.Signature},
	} {
		if err := other.Verify(newSigner(1).Public()); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want %v", name, err, ErrSignature)
		}
	}
}

func TestBundleEveryBitFlip(t *testing.T) {
	s := newSigner(1)
	data := signed(t, s)
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			b, err := ParseBundle(bad)
			if err == nil {
				err = b.Verify(s.Public())
			}
			if err == nil {
				t.Fatalf("byte %d, bit %d flipped: verified", i, bit)
			}
		}
	}
}

func TestBundleEverySubstring(t *testing.T) {
	data := signed(t, newSigner(1))
	for i := range data {
		if _, err := ParseBundle(data[:i]); err == nil {
			t.Fatalf("the first %d bytes parsed", i)
		}
		if _, err := ParseBundle(data[i+1:]); err == nil {
			t.Fatalf("without the first %d bytes parsed", i+1)
		}
	}
}

func TestBundleRefusesOtherBytes(t *testing.T) {
	good := string(signed(t, newSigner(1)))
	b64 := base64.StdEncoding.EncodeToString([]byte(payload))
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the bundle", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, tc := range map[string]struct{ data, want string }{
		"line end":            {good + "\n", "exact encoding"},
		"trailing data":       {good + "{}", "data after"},
		"re-spaced":           {change(`"payloadType":`, `"payloadType": `), "exact encoding"},
		"reordered":           {`{"verificationMaterial"` + change(`{"mediaType":"`+MediaType+`","verificationMaterial"`, "")[:0] + good[len(`{"mediaType":"`+MediaType+`","verificationMaterial"`):len(good)-1] + `,"mediaType":"` + MediaType + `"}`, "exact encoding"},
		"another media type":  {change("v0.3+json", "v0.2+json"), "media type"},
		"base64 with newline": {change(b64[:8], b64[:8]+`\n`), ""},
		"base64 unpadded":     {change(b64, strings.TrimRight(b64, "=")), ""},
		"duplicate key":       {change(`"payloadType"`, `"payload":"","payloadType"`), "duplicate key"},
		"case-folded key":     {change(`"payloadType"`, `"PayloadType"`), `unknown field "PayloadType", the nearest known is "payloadType"`},
		"unknown field":       {change(`"payloadType"`, `"x":1,"payloadType"`), `unknown field "x"`},
		"two signatures":      {change(`"signatures":[`, `"signatures":[{"sig":"AAAA","keyid":"a"},`), "2 signatures"},
		"no signature":        {change(good[strings.Index(good, `{"sig"`):strings.Index(good, `]}}`)], ""), "0 signatures"},
		"null payload":        {change(`"`+b64+`"`, "null"), "empty"},
		"another hint":        {change(`"hint":"SHA256:`, `"hint":"SHA256:x`), "differs from the hint"},
		"not UTF-8":           {change("SHA256:", "SHA\xff256:"), "UTF-8"},
		"escaped":             {change("SHA256:", `SHA256\u003a`), ""},
		"array":               {"[" + good + "]", "not a JSON object"},
		"string":              {`"x"`, "not a JSON object"},
		"empty":               {"", "not a JSON object"},
		"huge":                {strings.Repeat(" ", MaxDocument+1), "limit"},
	} {
		_, err := ParseBundle([]byte(tc.data))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}

type document struct {
	Name  string            `json:"name"`
	Items []document        `json:"items"`
	Map   map[string]string `json:"map"`
	Any   any               `json:"any"`
}

func TestDecodeIsExact(t *testing.T) {
	good, err := Encode(document{Name: "a<b>&", Items: []document{}, Map: map[string]string{"z": "1", "a": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"name\": \"a<b>&\",\n  \"items\": [],\n  \"map\": {\n    \"a\": \"2\",\n    \"z\": \"1\"\n  },\n  \"any\": null\n}\n"; string(good) != want {
		t.Fatalf("encoding:\n%s\nwant:\n%s", good, want)
	}
	var d document
	if err := Decode(good, &d); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"any":`, 60) + "1" + strings.Repeat("}", 60)
	for name, tc := range map[string]struct{ data, want string }{
		"no line end":      {strings.TrimSpace(string(good)), "exact encoding from byte"},
		"HTML escaped":     {strings.Replace(string(good), "<", `\u003c`, 1), "exact encoding from byte"},
		"nearest name":     {`{"nmae": 1}`, `unknown field "nmae", the nearest known is "name"`},
		"nested":           {`{"items": [{"itemz": 1}]}`, `items[0]: unknown field "itemz", the nearest known is "items"`},
		"duplicate in map": {`{"map": {"a": "1", "a": "2"}}`, "map.a: duplicate key"},
		"duplicate in any": {`{"any": {"a": "1", "a": "2"}}`, "any.a: duplicate key"},
		"deep":             {deep, "nested more than 32 deep"},
		"cut":              {`{"name": "a"`, "ends too early"},
		"wrong type":       {`{"name": 1}`, "name"},
	} {
		if err := Decode([]byte(tc.data), &document{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}

func TestRawRefusesOtherProtocols(t *testing.T) {
	s := newSigner(1)
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, message := range map[string]string{
		"DSSE":        string(PAE("application/vnd.in-toto+json", []byte(payload))),
		"SSHSIG":      "SSHSIG\x00\x00\x00\x04file",
		"cosignature": "cosignature/v1\ntime 1\nexample.com/log\n1\n" + root + "\n",
		"NUL":         "\x00\x00\x00\x20session",
		"checkpoint":  "example.com/log\n42\n" + root + "\n",
		"extended":    "example.com/log\n42\n" + root + "\nextension\n",
	} {
		if _, err := SignRaw(s, []byte(message)); !errors.Is(err, ErrReservedBytes) {
			t.Errorf("%s: signed, or another error: %v", name, err)
		}
		if err := VerifyRaw(s.Public(), []byte(message), ed25519.Sign(s.key, []byte(message))); !errors.Is(err, ErrReservedBytes) {
			t.Errorf("%s: verified, or another error: %v", name, err)
		}
	}
	message := []byte(strings.Repeat("0", 64) + "  bin/age\n")
	sig, err := SignRaw(s, message)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRaw(s.Public(), message, sig); err != nil {
		t.Error(err)
	}
}

type lyingSigner struct{ testSigner }

func (lyingSigner) Public() PublicKey { return newSigner(9).Public() }

func TestSignChecksTheAnswer(t *testing.T) {
	if _, err := Sign(lyingSigner{newSigner(1)}, "t", []byte("p")); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v, want %v", err, ErrSignature)
	}
	if _, err := Sign(newSigner(1), "t", make([]byte, MaxSigned)); err == nil {
		t.Error("signed more than MaxSigned bytes")
	}
}

// The verdict of another DSSE implementation on our envelope.
func TestPeerVerifiesEnvelope(t *testing.T) {
	s := newSigner(1)
	b, err := ParseBundle(signed(t, s))
	if err != nil {
		t.Fatal(err)
	}
	v, err := dsse.NewEnvelopeVerifier(peerVerifier{s.Public()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(context.Background(), &dsse.Envelope{
		PayloadType: b.PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(b.Payload),
		Signatures:  []dsse.Signature{{KeyID: b.KeyID, Sig: base64.StdEncoding.EncodeToString(b.Signature)}},
	})
	if err != nil {
		t.Error(err)
	}
}

type peerVerifier struct{ key PublicKey }

func (v peerVerifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.key.Crypto().(ed25519.PublicKey), data, sig) {
		return errors.New("no match")
	}
	return nil
}
func (v peerVerifier) KeyID() (string, error)   { return v.key.KeyID(), nil }
func (v peerVerifier) Public() crypto.PublicKey { return v.key.Crypto() }

func TestECDSARefusesHighS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	sum := sha256.Sum256(message)
	der, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	n := key.Params().N
	low := new(big.Int).Set(rs.S)
	if other := new(big.Int).Sub(n, rs.S); other.Cmp(low) < 0 {
		low = other
	}
	for name, tc := range map[string]struct {
		s  *big.Int
		ok bool
	}{"low": {low, true}, "high": {new(big.Int).Sub(n, low), false}} {
		sig, _ := asn1.Marshal(struct{ R, S *big.Int }{rs.R, tc.s})
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			t.Fatalf("%s S: the standard library refuses it", name)
		}
		if err := pub.Verify(message, sig); (err == nil) != tc.ok {
			t.Errorf("%s S: %v", name, err)
		}
	}
}

// tool returns the path of an outside tool, or skips; where tools are required a
// missing one fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

func TestKeyIDAgreesWithSSHKeygen(t *testing.T) {
	keygen := tool(t, "ssh-keygen")
	for _, args := range [][]string{{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "rsa", "-b", "2048"}} {
		file := filepath.Join(t.TempDir(), "key")
		if out, err := exec.Command(keygen, append(args, "-q", "-N", "", "-C", "ada@example.com", "-f", file)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", err, out)
		}
		line, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		key, err := ParsePublicKey(line)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(keygen, "-l", "-f", file+".pub").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), " "+key.KeyID()+" ") {
			t.Errorf("%v: key id %s, ssh-keygen prints %s", args, key.KeyID(), out)
		}
		if !strings.HasPrefix(string(line), key.OpenSSH()+" ") {
			t.Errorf("%v: OpenSSH line %s, ssh-keygen wrote %s", args, key.OpenSSH(), line)
		}
		pemText, err := key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParsePublicKey(pemText); err != nil || !again.Equal(key) {
			t.Errorf("%v: through PEM: %v", args, err)
		}
		private, _ := os.ReadFile(file)
		if _, err := ParsePublicKey(private); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%v: private key: %v", args, err)
		}
	}
}

// TestKeptPartsAreWalked hides a key that stands twice where the decoded value keeps
// the bytes, so that comparing what they encode to shows nothing.
func TestKeptPartsAreWalked(t *testing.T) {
	for name, v := range map[string]any{
		"raw": &struct{ A json.RawMessage }{},
		"any": &struct{ A any }{},
	} {
		for _, inner := range []string{`{"x":1,"x":1}`, `[{"x":1,"x":1}]`, `{"y":{"x":1,"x":1}}`} {
			data, err := Encode(struct{ A json.RawMessage }{json.RawMessage(inner)})
			if err != nil {
				t.Fatal(err)
			}
			if err := Decode(data, v); err == nil || !strings.Contains(err.Error(), "duplicate key") {
				t.Errorf("%s: a key stands twice in %s: %v", name, inner, err)
			}
		}
	}
}
