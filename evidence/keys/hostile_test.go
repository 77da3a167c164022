package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func block(name string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
}

func plainPEM(t testing.TB) string {
	t.Helper()
	text, err := testKey(t).MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pkcs8Of is the PKCS #8 PEM of a key that does not sign.
func pkcs8Of(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

// cosignWith is a cosign key file with the given parameters of scrypt.
func cosignWith(n, r, p int) string { return cosignText(n, r, p, 24) }

func cosignText(n, r, p, nonce int) string {
	return block("ENCRYPTED SIGSTORE PRIVATE KEY", fmt.Appendf(nil,
		`{"kdf":{"name":"scrypt","params":{"N":%d,"r":%d,"p":%d},"salt":"AAAA"},"cipher":{"name":"nacl/secretbox","nonce":"%s"},"ciphertext":"AAAA"}`,
		n, r, p, base64.StdEncoding.EncodeToString(make([]byte, nonce))))
}

func TestParseRefuses(t *testing.T) {
	good := plainPEM(t)
	public, err := testKey(t).Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data string
		want error
	}{
		"empty":                 {"", ErrUnknownKeyFile},
		"words":                 {"hello there", ErrUnknownKeyFile},
		"public PEM":            {string(public), ErrPublicKey},
		"public OpenSSH":        {testKey(t).Public().OpenSSH() + " ada@example.com", ErrPublicKey},
		"public security key":   {"sk-ssh-ed25519@openssh.com AAAA ada@example.com", ErrPublicKey},
		"certificate":           {block("CERTIFICATE", []byte{0x30, 0}), ErrPublicKey},
		"ECDSA":                 {pkcs8Of(t, p256), ErrVerifyOnly},
		"RSA":                   {pkcs8Of(t, rsaKey), ErrVerifyOnly},
		"EC PRIVATE KEY":        {block("EC PRIVATE KEY", []byte{0x30, 0}), ErrVerifyOnly},
		"RSA PRIVATE KEY":       {block("RSA PRIVATE KEY", []byte{0x30, 0}), ErrVerifyOnly},
		"two keys":              {good + good, ErrUnknownKeyFile},
		"key and certificate":   {good + block("CERTIFICATE", []byte{0x30, 0}), ErrUnknownKeyFile},
		"text before":           {"my key\n" + good, ErrUnknownKeyFile},
		"headers":               {strings.Replace(good, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1), ErrUnknownKeyFile},
		"cut":                   {good[:len(good)/2], ErrDamaged},
		"empty PKCS #8":         {block("PRIVATE KEY", []byte{0x30, 0}), ErrDamaged},
		"empty OpenSSH":         {block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), ErrDamaged},
		"empty encrypted":       {block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), ErrDamaged},
		"PGP":                   {block("PGP PRIVATE KEY BLOCK", []byte("x")), ErrUnknownKeyFile},
		"PuTTY":                 {"PuTTY-User-Key-File-3: ssh-ed25519\n", ErrUnknownKeyFile},
		"minisign":              {"untrusted comment: minisign encrypted secret key\nRWRTY0Iy\n", ErrUnknownKeyFile},
		"huge":                  {good + strings.Repeat(" ", maxFile), ErrUnknownKeyFile},
		"cosign not JSON":       {block("ENCRYPTED SIGSTORE PRIVATE KEY", []byte("x")), ErrDamaged},
		"cosign two documents":  {block("ENCRYPTED COSIGN PRIVATE KEY", []byte("{}{}")), ErrDamaged},
		"cosign empty":          {block("ENCRYPTED COSIGN PRIVATE KEY", []byte("{}")), ErrUnknownKeyFile},
		"cosign short nonce":    {cosignText(2, 1, 1, 23), ErrUnknownKeyFile},
		"cosign of nothing":     {cosignWith(2, 1, 1), ErrPassphrase},
		"cosign N of a bomb":    {cosignWith(1<<24, 1<<10, 1), ErrHostileKeyFile},
		"cosign takes 512 MiB":  {cosignWith(1<<20, 4, 1), ErrHostileKeyFile},
		"cosign N negative":     {cosignWith(-65536, 8, 1), ErrHostileKeyFile},
		"cosign N no power":     {cosignWith(65535, 8, 1), ErrHostileKeyFile},
		"cosign N zero":         {cosignWith(0, 8, 1), ErrHostileKeyFile},
		"cosign r of a bomb":    {cosignWith(2, 1<<24, 1), ErrHostileKeyFile},
		"cosign p of a bomb":    {cosignWith(65536, 8, 1<<24), ErrHostileKeyFile},
		"cosign overflow":       {cosignWith(1<<24, 1<<24, 1<<24), ErrHostileKeyFile},
		"bcrypt of a bomb":      {opensshWithRounds(t, 1<<31), ErrPassphrase},
		"PBKDF2 of a bomb":      {pkcs8WithPBKDF2(t, maxIterations+1), ErrHostileKeyFile},
		"PBKDF2 of no round":    {pkcs8WithPBKDF2(t, 0), ErrHostileKeyFile},
		"OpenSSH another half":  {mismatchedOpenSSH(t), ErrMismatchedHalf},
		"OpenSSH another outer": {mismatchedOuter(t), ErrMismatchedHalf},
	} {
		_, err := Parse([]byte(tc.data), pass("pw"))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// pkcs8WithPBKDF2 states a number of iterations; it holds no key.
func pkcs8WithPBKDF2(t testing.TB, iterations int) string {
	t.Helper()
	encode := func(v any) []byte {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	sha256 := asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	aes256 := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	derivation := encode(pbkdf2Params{[]byte("01234567"), iterations, 32, pkix.AlgorithmIdentifier{Algorithm: sha256}})
	params := encode(pbes2Params{
		pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: derivation}},
		pkix.AlgorithmIdentifier{Algorithm: aes256, Parameters: asn1.RawValue{FullBytes: encode(make([]byte, 16))}},
	})
	return block("ENCRYPTED PRIVATE KEY", encode(encryptedPKCS8{
		pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}},
		make([]byte, 32),
	}))
}

// opensshWithRounds rewrites the rounds of bcrypt_pbkdf in an encrypted key.
func opensshWithRounds(t *testing.T, rounds uint32) string {
	t.Helper()
	return editOpenSSH(t, func(w *opensshFile) {
		w.KDFOptions = string(ssh.Marshal(struct {
			Salt   string
			Rounds uint32
		}{"0123456789abcdef", rounds}))
	})
}

// mismatchedOuter states another public key outside than is encrypted inside.
func mismatchedOuter(t *testing.T) string {
	t.Helper()
	other, err := Generate(strings.NewReader(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return editOpenSSH(t, func(w *opensshFile) { w.Public = other.Public().Blob() })
}

// opensshFile is the clear part of OpenSSH's format (PROTOCOL.key).
type opensshFile struct {
	Cipher, KDF, KDFOptions string
	Keys                    uint32
	Public, Private         []byte
}

const opensshMagic = "openssh-key-v1\x00"

func editOpenSSH(t *testing.T, edit func(*opensshFile)) string {
	t.Helper()
	text, err := testKey(t).MarshalEncrypted([]byte("pw"))
	if err != nil {
		t.Fatal(err)
	}
	old, _ := pem.Decode(text)
	var w opensshFile
	if err := ssh.Unmarshal(old.Bytes[len(opensshMagic):], &w); err != nil {
		t.Fatal(err)
	}
	edit(&w)
	return block(old.Type, append([]byte(opensshMagic), ssh.Marshal(w)...))
}

// mismatchedOpenSSH holds one seed and the public half of another: whoever signs
// with both gives the seed away.
func mismatchedOpenSSH(t testing.TB) string {
	t.Helper()
	own := ed25519.NewKeyFromSeed([]byte(seedText))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte("x"), 32))
	mixed := append(bytes.Clone(own[:32]), other[32:]...)
	b, err := ssh.MarshalPrivateKey(ed25519.PrivateKey(mixed), "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(b))
}

// Every prefix of every kind of file, and every bit of one, flipped: no panic, no
// other key, no secret in the error.
func TestParseDamaged(t *testing.T) {
	good := []byte(plainPEM(t))
	openssh, err := ssh.MarshalPrivateKey(ed25519.NewKeyFromSeed([]byte(seedText)), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"PKCS #8": good, "OpenSSH": pem.EncodeToMemory(openssh)} {
		for i := range data {
			if _, err := Parse(data[:i], nil); err == nil && i < len(data)-1 {
				t.Errorf("%s: the first %d bytes parsed", name, i)
			} else if err != nil {
				expectNoSecret(t, err.Error())
			}
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				if _, err := Parse(bad, nil); err != nil {
					expectNoSecret(t, err.Error()+fmt.Sprintf("%+v %#v", err, err))
				}
			}
		}
	}
}

func TestErrorsDoNotEchoText(t *testing.T) {
	for _, data := range []string{
		"-----BEGIN " + seedText + "-----\nAAAA\n-----END " + seedText + "-----\n",
		"-----BEGIN PRIVATE KEY-----\n" + seedText + "\n-----END PRIVATE KEY-----\n",
		"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(seedText)) + "\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
		block("ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`{"`+seedText+`":1}`)),
		block("PRIVATE KEY", []byte(seedText)),
		seedText,
	} {
		for _, open := range []func() error{
			func() error { _, err := Parse([]byte(data), nil); return err },
			func() error { _, err := Inspect([]byte(data)); return err },
			func() error { _, err := OpenVariable(data, Environment{ReadFile: noFile}); return err },
		} {
			err := open()
			if err == nil {
				t.Fatalf("accepted %q", data)
			}
			expectNoSecret(t, err.Error())
		}
	}
}

func noFile(name string) ([]byte, fs.FileMode, error) {
	return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
