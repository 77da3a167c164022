package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/envelope"
)

const secret = "correct horse"

// environment reads real files and answers with the passphrase of the tests.
func environment(t *testing.T, socket string) Environment {
	t.Helper()
	return Environment{
		AgentSocket: socket,
		ReadFile: func(path string) ([]byte, fs.FileMode, error) {
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, 0, err
			}
			info, err := os.Stat(path)
			return data, info.Mode(), err
		},
		Passphrase: func(string) ([]byte, error) { return []byte(secret), nil },
		Warn:       func(text string) { t.Errorf("a warning: %s", text) },
	}
}

// sources puts one key into every place that a key is taken from, each written by
// the tool that people use, and returns what --key would say.
func sources(t *testing.T, dir string) (k *Private, names map[string]string, socket string) {
	t.Helper()
	k = testKey(t)
	plain, err := k.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := k.MarshalEncrypted([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	names = map[string]string{
		"rollproof, plain":      write(t, dir, "plain.pem", plain),
		"rollproof, encrypted":  write(t, dir, "encrypted", encrypted),
		"ROLLPROOF_SIGNING_KEY": string(plain),
	}
	pass := "pass:" + secret
	for name, args := range map[string][]string{
		"openssl-pbkdf2": {"-v2", "aes-256-cbc"},
		"openssl-sha512": {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "100000"},
		"openssl-sha1":   {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"},
		"openssl-scrypt": {"-scrypt"},
	} {
		run(t, dir, nil, "openssl", append([]string{"pkcs8", "-topk8", "-in", "plain.pem", "-passout", pass, "-out", name}, args...)...)
		names[name] = filepath.Join(dir, name)
	}
	write(t, dir, "openssh", encrypted)
	run(t, dir, nil, "ssh-keygen", "-q", "-p", "-P", secret, "-N", "", "-f", "openssh")
	names["ssh-keygen"] = filepath.Join(dir, "openssh")
	write(t, dir, "openssh-cbc", encrypted)
	run(t, dir, nil, "ssh-keygen", "-q", "-p", "-P", secret, "-N", secret, "-Z", "aes256-cbc", "-a", "3", "-f", "openssh-cbc")
	names["ssh-keygen, aes256-cbc"] = filepath.Join(dir, "openssh-cbc")
	socket = startAgent(t)
	run(t, dir, []string{"SSH_AUTH_SOCK=" + socket}, "ssh-add", "-q", "openssh")
	names["ssh-agent"] = "ssh-agent:" + k.Public().KeyID()
	return k, names, socket
}

func TestWrongPassphraseForEverySource(t *testing.T) {
	dir := t.TempDir()
	_, names, socket := sources(t, dir)
	encrypted := 0
	for name, spec := range names {
		info, err := Inspect(readIfFile(t, spec))
		if err != nil || !info.Encrypted {
			continue
		}
		encrypted++
		env := environment(t, socket)
		for _, wrong := range []string{"", "wrong", "correct Horse", secret + " ", "0", "1", "2", "3", "4", "5", "6", "7"} {
			env.Passphrase = func(string) ([]byte, error) { return []byte(wrong), nil }
			if _, err := Open(spec, env); !errors.Is(err, ErrPassphrase) {
				t.Errorf("%s: passphrase %q: %v", name, wrong, err)
			}
			if strings.HasPrefix(name, "rollproof") {
				break // sixteen rounds of bcrypt are slow, and one answer serves
			}
		}
	}
	if encrypted != 6 {
		t.Errorf("%d encrypted sources, want 6", encrypted)
	}
}

func readIfFile(t *testing.T, spec string) []byte {
	t.Helper()
	if !filepath.IsAbs(spec) {
		return nil
	}
	return read(t, filepath.Dir(spec), filepath.Base(spec))
}

const statement = `{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [
    {
      "name": "app",
      "digest": {
        "sha256": "8a8f60ecb09b7e64c6d5214a8043865e608507db8c3f61f995eae6d078875901"
      }
    }
  ],
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {}
}
`

func TestEverySourceSignsTheSame(t *testing.T) {
	dir := t.TempDir()
	k, names, socket := sources(t, dir)
	want, err := envelope.Sign(k, "application/vnd.in-toto+json", []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if path := cosign(t); path != "" {
		run(t, dir, []string{"COSIGN_PASSWORD=" + secret}, path, "import-key-pair", "--key", "plain.pem", "--output-key-prefix", "cosign")
		names["cosign"] = filepath.Join(dir, "cosign.key")
	}
	for name, spec := range names {
		t.Run(name, func(t *testing.T) {
			open := Open
			if name == "ROLLPROOF_SIGNING_KEY" {
				open = OpenVariable
			}
			signer, err := open(spec, environment(t, socket))
			if err != nil {
				t.Fatal(err)
			}
			got, err := envelope.Sign(signer, "application/vnd.in-toto+json", []byte(statement))
			if err != nil {
				t.Fatal(err)
			}
			if got.KeyID != want.KeyID || !bytes.Equal(got.Signature, want.Signature) {
				t.Errorf("signature %x by %s, want %x by %s", got.Signature, got.KeyID, want.Signature, want.KeyID)
			}
		})
	}
	verifyWithOpenSSL(t, dir, k, want)
	verifyWithCosign(t, dir, k, want)
}

func verifyWithOpenSSL(t *testing.T, dir string, k *Private, b envelope.Bundle) {
	t.Helper()
	public, err := k.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "public.pem", public)
	write(t, dir, "signed", envelope.PAE(b.PayloadType, b.Payload))
	write(t, dir, "signature", b.Signature)
	out := run(t, dir, nil, "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-in", "signed", "-sigfile", "signature")
	if !strings.Contains(out, "Signature Verified Successfully") {
		t.Errorf("openssl: %s", out)
	}
}

// verifyWithCosign is left out where cosign is missing, even where tools are
// required: it is built from source and in no distribution.
func verifyWithCosign(t *testing.T, dir string, k *Private, b envelope.Bundle) {
	t.Helper()
	path := cosign(t)
	if path == "" {
		return
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "app", []byte("app\n"))
	write(t, dir, "app.sigstore.json", data)
	run(t, dir, nil, path, "verify-blob-attestation", "--key", "public.pem", "--insecure-ignore-tlog",
		"--bundle", "app.sigstore.json", "--type", "https://slsa.dev/provenance/v1", "app")
}

func TestKeysOfOtherTools(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		kind  []string
		signs bool
		algo  string
	}{
		{[]string{"-t", "ed25519"}, true, "ed25519"},
		{[]string{"-t", "ecdsa", "-b", "256"}, false, "ecdsa-p256"},
		{[]string{"-t", "ecdsa", "-b", "384"}, false, "ecdsa-p384"},
		{[]string{"-t", "rsa", "-b", "2048"}, false, "rsa"},
		{[]string{"-t", "rsa", "-b", "2048", "-m", "PEM"}, false, "rsa"},
		{[]string{"-t", "ecdsa", "-b", "256", "-m", "PEM"}, false, "ecdsa"},
		{[]string{"-t", "ecdsa", "-b", "256", "-m", "PKCS8"}, false, "ecdsa-p256"},
	} {
		for _, phrase := range []string{"", secret} {
			name := strings.ReplaceAll(strings.Join(append(tc.kind, phrase), "_"), " ", "")
			run(t, dir, nil, "ssh-keygen", append([]string{"-q", "-N", phrase, "-C", "ada@example.com", "-f", name}, tc.kind...)...)
			t.Run(name, func(t *testing.T) {
				line := read(t, dir, name+".pub")
				signer, err := Open(filepath.Join(dir, name), environment(t, ""))
				switch {
				case !tc.signs && errors.Is(err, ErrVerifyOnly):
				case tc.signs && err == nil && strings.HasPrefix(string(line), signer.Public().OpenSSH()+" "):
				default:
					t.Errorf("opened with %v, signs: %v", err, tc.signs)
				}
				expectInfo(t, read(t, dir, name), tc.algo, phrase != "", tc.signs)
			})
		}
	}
}

func expectInfo(t *testing.T, data []byte, algorithm string, encrypted, signs bool) {
	t.Helper()
	info, err := Inspect(data)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Private || info.Encrypted != encrypted {
		t.Errorf("inspected as %v", info)
	}
	if info.Format == "encrypted PKCS #8" {
		algorithm = ""
	}
	if info.Algorithm != algorithm {
		t.Errorf("algorithm %q, want %q: %v", info.Algorithm, algorithm, info)
	}
	if info.Signs != signs {
		t.Errorf("signs: %v: %v", info.Signs, info)
	}
}

func TestOpenSSLKeys(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
	run(t, dir, nil, "openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
	signer, err := Open(filepath.Join(dir, "key.pem"), environment(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	public, err := envelope.ParsePublicKey(read(t, dir, "public.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !signer.Public().Equal(public) {
		t.Errorf("public key %s, openssl says %s", signer.Public().KeyID(), public.KeyID())
	}
	for _, args := range [][]string{
		{"genpkey", "-algorithm", "ed448"},
		{"genpkey", "-algorithm", "x25519"},
		{"ecparam", "-genkey", "-name", "prime256v1"},
		{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
	} {
		run(t, dir, nil, "openssl", append(args, "-out", "other.pem")...)
		if _, err := Open(filepath.Join(dir, "other.pem"), environment(t, "")); !errors.Is(err, ErrVerifyOnly) && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// What we write, openssl and ssh-keygen read as the same key.
func TestOtherToolsReadOurKeys(t *testing.T) {
	dir := t.TempDir()
	k, _, _ := sources(t, dir)
	out := run(t, dir, nil, "openssl", "pkey", "-in", "plain.pem", "-pubout")
	if public, err := envelope.ParsePublicKey([]byte(out)); err != nil || !public.Equal(k.Public()) {
		t.Errorf("openssl reads %s (%v)", out, err)
	}
	out = run(t, dir, nil, "ssh-keygen", "-y", "-P", secret, "-f", "encrypted")
	if strings.TrimSpace(out) != k.Public().OpenSSH() {
		t.Errorf("ssh-keygen reads %s", out)
	}
}

// cosign is where the tool is, "" where there is none. make interop wants it.
func cosign(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("cosign")
	if err != nil {
		if os.Getenv("ROLLPROOF_REQUIRE_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Log("without cosign: ", err)
	}
	return path
}

func TestCosignKeys(t *testing.T) {
	path := cosign(t)
	if path == "" {
		t.Skip("no cosign")
	}
	dir := t.TempDir()
	run(t, dir, []string{"COSIGN_PASSWORD=" + secret}, path, "generate-key-pair", "--output-key-prefix", "own")
	if _, err := Open(filepath.Join(dir, "own.key"), environment(t, "")); !errors.Is(err, ErrVerifyOnly) {
		t.Errorf("cosign's own P-256 key: %v", err)
	}
	info, err := Inspect(read(t, dir, "own.key"))
	if err != nil || !info.Encrypted || info.Format != "cosign" || !info.Public.IsZero() {
		t.Errorf("inspected as %v (%v)", info, err)
	}
	if _, err := envelope.ParsePublicKey(read(t, dir, "own.pub")); err != nil {
		t.Errorf("cosign's public key: %v", err)
	}
	other := environment(t, "")
	other.Passphrase = func(string) ([]byte, error) { return []byte("wrong"), nil }
	if _, err := Open(filepath.Join(dir, "own.key"), other); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
}

func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "key.pem", []byte(plainPEM(t)))
	for mode, loud := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true, 0: false} {
		var warnings []string
		env := environment(t, "")
		env.Warn = func(text string) { warnings = append(warnings, text) }
		inner := env.ReadFile
		env.ReadFile = func(path string) ([]byte, fs.FileMode, error) {
			data, _, err := inner(path)
			return data, mode, err
		}
		if _, err := Open(path, env); err != nil {
			t.Fatal(err)
		}
		if loud != (len(warnings) == 1 && strings.Contains(warnings[0], "chmod 600")) {
			t.Errorf("mode %04o: warnings %q", mode, warnings)
		}
	}
	if _, err := Open(plainPEM(t), environment(t, "")); !errors.Is(err, ErrKeyText) {
		t.Errorf("key text as an argument: %v", err)
	} else {
		expectNoSecret(t, err.Error())
	}
	if _, err := Open(filepath.Join(dir, "none.pem"), environment(t, "")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if signer, err := OpenVariable(path, environment(t, "")); err != nil || !signer.Public().Equal(testKey(t).Public()) {
		t.Errorf("a path in the variable: %v", err)
	}
	write(t, dir, "public.pem", []byte(testKey(t).Public().OpenSSH()))
	var hinted *Error
	if _, err := Open(filepath.Join(dir, "public.pem"), environment(t, "")); !errors.Is(err, ErrPublicKey) || !errors.As(err, &hinted) || !strings.Contains(err.Error(), "public.pem") {
		t.Errorf("a public key: %v", err)
	}
}

func TestInspectShowsNoSecret(t *testing.T) {
	encrypted, err := testKey(t).MarshalEncrypted([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	line := testKey(t).Public().OpenSSH()
	for want, data := range map[string]string{
		"private key, PKCS #8, ed25519, ":            plainPEM(t),
		"private key, OpenSSH, encrypted, ed25519, ": string(encrypted),
		"public key, public key, ed25519, ":          line,
	} {
		info, err := Inspect([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if info.String() != want+testKey(t).Public().KeyID() {
			t.Errorf("%s, want %s", info, want)
		}
		text, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		expectNoSecret(t, info.String()+string(text))
	}
}
