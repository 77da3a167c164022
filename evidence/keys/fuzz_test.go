package keys

import (
	"encoding/pem"
	"errors"
	"testing"
)

func FuzzParseNeverPanics(f *testing.F) {
	encrypted, err := testKey(f).MarshalEncrypted([]byte(secret))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{plainPEM(f), string(encrypted), cosignWith(2, 1, 1), testKey(f).Public().OpenSSH()} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { parseAndInspect(t, data) })
}

// The armour of PEM hides its inside from a fuzzer.
func FuzzBodyNeverPanics(f *testing.F) {
	encrypted, err := testKey(f).MarshalEncrypted([]byte(secret))
	if err != nil {
		f.Fatal(err)
	}
	types := []string{"PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"}
	for i, seed := range []string{plainPEM(f), string(encrypted), pkcs8WithPBKDF2(f, 1), cosignWith(2, 1, 1), mismatchedOpenSSH(f)} {
		b, _ := pem.Decode([]byte(seed))
		f.Add(byte(i), b.Bytes)
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		parseAndInspect(t, []byte(block(types[int(kind)%len(types)], body)))
	})
}

// parseAndInspect holds the two readers together. It gives no passphrase:
// derivations would make the fuzzer slow and find nothing.
func parseAndInspect(t *testing.T, data []byte) {
	k, err := Parse(data, nil)
	info, inspectErr := Inspect(data)
	switch {
	case err == nil && (inspectErr != nil || !info.Signs || !info.Public.Equal(k.Public())):
		t.Errorf("%v parsed, inspected as %v (%v)", k, info, inspectErr)
	case errors.Is(err, ErrNoPassphrase) && (inspectErr != nil || !info.Encrypted):
		t.Errorf("asks for a passphrase, inspected as %v (%v)", info, inspectErr)
	}
	if err != nil {
		return
	}
	text, err := k.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(text, nil); err != nil || !again.Public().Equal(k.Public()) {
		t.Errorf("does not survive its PEM: %v", err)
	}
}
