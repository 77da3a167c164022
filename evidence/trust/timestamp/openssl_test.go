package timestamp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
)

// run runs openssl in dir; it skips where there is none, and fails where tools are
// required.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("ROLLPROOF_REQUIRE_TOOLS") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const opensslConfig = `
[tsa]
default_tsa = own
[own]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:5, millisecs:250
signer_digest = sha256
ess_cert_id_alg = sha256
[req]
distinguished_name = name
x509_extensions = stamping
prompt = no
[name]
CN = example.com timestamps
[stamping]
extendedKeyUsage = critical,timeStamping
`

// authority makes a timestamping authority of openssl with the given kind of key.
func authority(t *testing.T, newkey ...string) (dir string, k envelope.PublicKey) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, "conf", []byte(opensslConfig))
	write(t, dir, "serial", []byte("01\n"))
	write(t, dir, "bundle", bundle)
	run(t, dir, append([]string{"req", "-x509", "-config", "conf", "-nodes", "-days", "30", "-keyout", "tsa.key", "-out", "tsa.crt", "-newkey"}, newkey...)...)
	k, err := envelope.ParsePublicKey([]byte(run(t, dir, "x509", "-in", "tsa.crt", "-noout", "-pubkey")))
	if err != nil {
		t.Fatal(err)
	}
	return dir, k
}

func reply(t *testing.T, dir string) []byte {
	t.Helper()
	run(t, dir, "ts", "-reply", "-config", "conf", "-queryfile", "query.tsq", "-signer", "tsa.crt", "-inkey", "tsa.key", "-out", "reply.tsr")
	return read(t, dir, "reply.tsr")
}

func TestTokensOfOpenSSL(t *testing.T) {
	for name, newkey := range map[string][]string{
		"RSA":   {"rsa:2048"},
		"P-256": {"ec", "-pkeyopt", "ec_paramgen_curve:P-256"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, k := authority(t, newkey...)
			query, err := Request(bundle)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "query.tsq", query)
			before := time.Now().Truncate(time.Second)
			token, err := Token(reply(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			proof, err := Verify(token, bundle, keyring(k))
			if err != nil {
				t.Fatal(err)
			}
			if proof.Kind != trust.ProofTimestamp || proof.By != k.KeyID() || proof.Envelope != sha256.Sum256(bundle) {
				t.Errorf("proof %+v", proof)
			}
			if margin := proof.Time.Sub(before); margin < 5250*time.Millisecond || margin > time.Minute {
				t.Errorf("time %s, the query was made %s, accuracy 5.25 s", proof.Time, before)
			}
			if again, err := Token(token); err != nil || !bytes.Equal(again, token) {
				t.Errorf("a bare token: %v", err)
			}
			write(t, dir, "token", token)
			out := run(t, dir, "ts", "-verify", "-data", "bundle", "-in", "token", "-token_in", "-CAfile", "tsa.crt")
			if !strings.Contains(out, "Verification: OK") {
				t.Errorf("openssl: %s", out)
			}
		})
	}
}

// The query that a user makes with openssl serves as well as ours, and is the same.
func TestQueryOfOpenSSL(t *testing.T) {
	dir, k := authority(t, "rsa:2048")
	run(t, dir, "ts", "-query", "-data", "bundle", "-sha256", "-cert", "-no_nonce", "-out", "query.tsq")
	own, err := Request(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if theirs := read(t, dir, "query.tsq"); !bytes.Equal(own, theirs) {
		t.Errorf("query %x, openssl writes %x", own, theirs)
	}
	run(t, dir, "ts", "-query", "-data", "bundle", "-sha512", "-cert", "-out", "query.tsq")
	token, err := Token(reply(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(token, bundle, keyring(k)); err != nil {
		t.Errorf("SHA-512 and a nonce: %v", err)
	}

	run(t, dir, "ts", "-query", "-data", "bundle", "-sha256", "-no_nonce", "-out", "query.tsq")
	if token, err = Token(reply(t, dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(token, bundle, keyring(k)); !errors.Is(err, ErrMalformed) {
		t.Errorf("without the certificate: %v", err)
	}
}

func TestRefusingAuthority(t *testing.T) {
	dir, _ := authority(t, "rsa:2048")
	run(t, dir, "ts", "-query", "-data", "bundle", "-sha1", "-cert", "-out", "query.tsq")
	if _, err := Token(reply(t, dir)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "rejection") {
		t.Errorf("got %v, want %v", err, ErrRefused)
	}
}

// A small RSA key is refused even where a root could list it.
func TestWeakKey(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "conf", []byte(opensslConfig))
	write(t, dir, "serial", []byte("01\n"))
	write(t, dir, "bundle", bundle)
	run(t, dir, "req", "-x509", "-config", "conf", "-nodes", "-keyout", "tsa.key", "-out", "tsa.crt", "-newkey", "rsa:1024")
	run(t, dir, "ts", "-query", "-data", "bundle", "-sha256", "-cert", "-out", "query.tsq")
	token, err := Token(reply(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(token, bundle, keyring()); !errors.Is(err, ErrSigner) || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("got %v", err)
	}
}
