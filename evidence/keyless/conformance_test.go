package keyless

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// The bundles of github.com/sigstore/sigstore-conformance (Apache-2.0), which are not
// part of this repository: ROLLPROOF_SIGSTORE_CONFORMANCE names a checkout of it. Each
// directory of test/assets/bundle-verify is a bundle that a conforming client accepts,
// or refuses if the name ends in _fail; its README.md says what the files are.
func TestConformanceSuite(t *testing.T) {
	checkout := os.Getenv("ROLLPROOF_SIGSTORE_CONFORMANCE")
	if checkout == "" {
		t.Skip("ROLLPROOF_SIGSTORE_CONFORMANCE is not set")
	}
	suite := filepath.Join(checkout, "test", "assets", "bundle-verify")
	production := productionRoot(t, suite)
	cases, err := filepath.Glob(filepath.Join(suite, "*", "bundle.sigstore.json"))
	if err != nil || len(cases) < 60 {
		t.Fatalf("%d bundles in %s (%v)", len(cases), suite, err)
	}
	for _, path := range cases {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := suiteCase{t: t, dir: dir, bundle: readFile(t, path), production: production}
			accept := !strings.HasSuffix(dir, "_fail")
			for _, byDigest := range []bool{false, true} {
				err := c.verify(byDigest)
				var refused *StageError
				switch {
				case accept && err != nil:
					t.Errorf("by digest %t: refused: %v", byDigest, err)
				case !accept && !errors.As(err, &refused):
					t.Errorf("by digest %t: not refused: %v", byDigest, err)
				case !accept:
					t.Log(err)
				}
				if plainErr := c.plain(byDigest); (plainErr == nil) != (err == nil) {
					t.Errorf("by digest %t: the conforming client says %v, we say %v", byDigest, plainErr, err)
				}
			}
		})
	}
}

// productionRoot is the trusted root of the public instance. The suite has it only
// with one change, which its README describes: an end of the first log's validity.
func productionRoot(t *testing.T, suite string) []byte {
	var changed struct {
		Root  map[string]any   `json:"-"`
		TLogs []map[string]any `json:"tlogs"`
	}
	data := readFile(t, filepath.Join(suite, "trust-root-tlog-validity-end-inclusive", "trusted_root.json"))
	if err := errors.Join(json.Unmarshal(data, &changed), json.Unmarshal(data, &changed.Root)); err != nil {
		t.Fatal(err)
	}
	delete(changed.TLogs[0]["publicKey"].(map[string]any)["validFor"].(map[string]any), "end")
	changed.Root["tlogs"] = changed.TLogs
	return object(changed.Root).json(t)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type suiteCase struct {
	t                  *testing.T
	dir                string
	bundle, production []byte
}

// file returns a file of the case, or fallback if there is none.
func (c suiteCase) file(name string, fallback []byte) []byte {
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return fallback
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func (c suiteCase) artifact() []byte {
	return c.file("artifact", readFile(c.t, filepath.Join(filepath.Dir(c.dir), "a.txt")))
}

func (c suiteCase) who() person {
	const beacon = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	return person{
		subject: strings.TrimSpace(string(c.file("identity", []byte(beacon)))),
		issuer:  strings.TrimSpace(string(c.file("issuer", []byte("https://token.actions.githubusercontent.com")))),
	}
}

func (c suiteCase) verify(byDigest bool) error {
	v, err := New(c.file("trusted_root.json", c.production), Options{})
	if err != nil {
		return err
	}
	artifact := Content(bytes.NewReader(c.artifact()))
	if byDigest {
		if artifact, err = Digest(sha256Of(c.artifact())); err != nil {
			return err
		}
	}
	var signer Signer = identity(c.t, c.who())
	if data := c.file("key.pub", nil); data != nil {
		if signer, err = ParseKey(data); err != nil {
			return err
		}
	}
	_, err = v.Verify(c.bundle, artifact, signer)
	return err
}

func (c suiteCase) plain(byDigest bool) error {
	var public crypto.PublicKey
	if data := c.file("key.pub", nil); data != nil {
		var err error
		if public, err = cryptoutils.UnmarshalPEMToPublicKey(data); err != nil {
			return err
		}
	}
	var digest []byte
	if byDigest {
		a, err := Digest(sha256Of(c.artifact()))
		if err != nil {
			return err
		}
		digest = a.digest
	}
	return plain(c.bundle, c.file("trusted_root.json", c.production), c.artifact(), digest, public, c.who())
}
