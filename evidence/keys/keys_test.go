package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/envelope"
)

const seedText = "0123456789abcdef0123456789ABCDEF"

// testKey is made from a fixed seed.
func testKey(t testing.TB) *Private {
	t.Helper()
	k, err := Generate(strings.NewReader(seedText))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pass(secret string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(secret), nil }
}

func TestGenerateUsesTheGivenRandomness(t *testing.T) {
	k := testKey(t)
	want := ed25519.NewKeyFromSeed([]byte(seedText)).Public().(ed25519.PublicKey)
	if !want.Equal(k.Public().Crypto()) {
		t.Errorf("public key %x, want %x", k.Public().Crypto(), want)
	}
	if _, err := Generate(strings.NewReader(seedText[:31])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 bytes of randomness: %v", err)
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	k := testKey(t)
	plain, err := k.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := k.MarshalEncrypted([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data []byte
		pass func() ([]byte, error)
	}{
		"plain":                      {plain, nil},
		"plain, CR LF":               {bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")), nil},
		"plain, white space":         {[]byte("\n\n" + string(plain) + " \n"), nil},
		"encrypted":                  {encrypted, pass("correct horse")},
		"plain, passphrase not used": {plain, func() ([]byte, error) { panic("asked for a passphrase") }},
	} {
		again, err := Parse(tc.data, tc.pass)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !again.Public().Equal(k.Public()) {
			t.Errorf("%s: another key", name)
		}
	}
	if _, err := k.MarshalEncrypted(nil); !errors.Is(err, ErrEmptyPassphrase) {
		t.Errorf("empty passphrase: %v", err)
	}
}

func TestSignIsBounded(t *testing.T) {
	k := testKey(t)
	if _, err := k.Sign(make([]byte, envelope.MaxSigned+1)); err == nil {
		t.Error("signed more than MaxSigned bytes")
	}
	message := make([]byte, envelope.MaxSigned)
	sig, err := k.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Verify(message, sig); err != nil {
		t.Error(err)
	}
}

// holder hides a key where fmt cannot call methods.
type holder struct {
	Name string
	key  *Private
}

func TestPrintingShowsNoSecret(t *testing.T) {
	k := testKey(t)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got, want := fmt.Sprintf(verb, k), "private key "+k.Public().KeyID(); got != want {
			t.Errorf("%s prints %q, want %q", verb, got, want)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%T"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", *k)
		fmt.Fprintf(&out, verb+"\n", holder{"x", k})
		fmt.Fprintf(&out, verb+"\n", struct{ key Private }{*k})
		fmt.Fprintf(&out, verb+"\n", []any{k, *k, &k})
	}
	if text, err := json.Marshal(k); err != nil || string(text) != `"`+k.String()+`"` {
		t.Errorf("JSON %s (%v)", text, err)
	}
	for _, v := range []any{k, *k, holder{"x", k}, map[string]any{"key": k}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("signing", "key", k, "holder", holder{"x", k})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("signing", "key", k, "copy", *k)
	fmt.Fprintln(&out, k, errors.Join(fmt.Errorf("with %v", k)))
	expectNoSecret(t, out.String())
	if !strings.Contains(out.String(), k.Public().KeyID()) {
		t.Error("the fingerprint is not printed")
	}
}

// expectNoSecret fails where the seed of testKey shows in any usual notation: eight
// bytes of it are enough.
func expectNoSecret(t *testing.T, text string) {
	t.Helper()
	pemText, _ := testKey(t).MarshalPEM()
	block, _ := pem.Decode(pemText)
	lower := strings.ToLower(text)
	for i := 0; i+8 <= len(seedText); i++ {
		part := []byte(seedText[i : i+8])
		numbers := strings.Trim(fmt.Sprint(part), "[]")
		goNumbers := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}")
		for _, form := range []string{string(part), hex.EncodeToString(part), numbers, goNumbers} {
			if strings.Contains(lower, strings.ToLower(form)) {
				t.Fatalf("8 bytes of the seed show as %q in:\n%s", form, text)
			}
		}
	}
	body := strings.Join(strings.Split(strings.TrimSpace(string(pemText)), "\n")[1:2], "")
	if tail := body[len(body)-12:]; strings.Contains(text, tail) || len(block.Bytes) == 0 {
		t.Fatalf("the PEM body shows in:\n%s", text)
	}
}

func TestPassphrase(t *testing.T) {
	encrypted, err := testKey(t).MarshalEncrypted([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no terminal")
	for name, tc := range map[string]struct {
		pass func() ([]byte, error)
		want error
	}{
		"wrong":   {pass("wrong horse"), ErrPassphrase},
		"empty":   {pass(""), ErrPassphrase},
		"nobody":  {nil, ErrNoPassphrase},
		"failing": {func() ([]byte, error) { return nil, broken }, broken},
	} {
		_, err := Parse(encrypted, tc.pass)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: the passphrase shows: %v", name, err)
		}
	}
	var hinted *Error
	if _, err := Parse(encrypted, nil); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "ROLLPROOF_KEY_PASSPHRASE_FILE") {
		t.Errorf("no hint in %v", err)
	}
	secret := []byte("correct horse")
	if _, err := Parse(encrypted, func() ([]byte, error) { return secret, nil }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret, make([]byte, len(secret))) {
		t.Error("the passphrase is not wiped")
	}
}
