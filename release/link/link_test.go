package link

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/keys"
)

func newKey(t *testing.T, seed byte) *keys.Private {
	t.Helper()
	k, err := keys.Generate(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// load returns a key as in-toto has it.
func load(t *testing.T, text []byte) in_toto.Key {
	t.Helper()
	var key in_toto.Key
	if err := key.LoadKeyReaderDefaults(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return key
}

// in-toto's own verifier walks a layout that demands the package step by the
// releaser's key and then inspects the products: it accepts the link, and refuses it
// once a product was swapped or another key signed.
func TestInTotoVerifiesThePackageStep(t *testing.T) {
	releaser, owner := newKey(t, 1), newKey(t, 2)
	for name, tc := range map[string]struct {
		signer  *keys.Private
		product string // what lies on disk at verification
		ok      bool
	}{
		"good":            {releaser, "binary", true},
		"swapped product": {releaser, "another", false},
		"foreign key":     {newKey(t, 3), "binary", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			sum := evidence.SHA256([]byte("binary"))
			file, data, err := Write(tc.signer, map[string]string{"main.go": evidence.SHA256([]byte("package main"))}, map[string]string{"bin/hello": sum})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll("bin", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("bin/hello", []byte(tc.product), 0o755); err != nil {
				t.Fatal(err)
			}
			layout, key := signedLayout(t, releaser, owner)
			_, err = in_toto.InTotoVerify(layout, map[string]in_toto.Key{key.KeyID: key}, dir, "", nil, nil, true)
			if (err == nil) != tc.ok {
				t.Errorf("in-toto: %v", err)
			}
		})
	}
}

// signedLayout demands the step "package" by the releaser, and that what it made is
// what lies on disk.
func signedLayout(t *testing.T, releaser, owner *keys.Private) (in_toto.Metadata, in_toto.Key) {
	t.Helper()
	text, err := releaser.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	releaserKey := load(t, text)
	private, err := owner.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	ownerKey := load(t, private)
	layout := in_toto.Layout{
		Type:    "layout",
		Expires: time.Now().Add(time.Hour).UTC().Format(in_toto.ISO8601DateSchema),
		Keys:    map[string]in_toto.Key{releaserKey.KeyID: releaserKey},
		Steps: []in_toto.Step{{
			Type: "step", PubKeys: []string{releaserKey.KeyID}, Threshold: 1,
			SupplyChainItem: in_toto.SupplyChainItem{Name: Step, ExpectedProducts: [][]string{{"ALLOW", "bin/*"}, {"DISALLOW", "*"}}},
		}},
		Inspect: []in_toto.Inspection{{
			Type: "inspection", Run: []string{"true"},
			SupplyChainItem: in_toto.SupplyChainItem{Name: "look", ExpectedMaterials: [][]string{
				{"MATCH", "bin/*", "WITH", "PRODUCTS", "FROM", Step}, {"DISALLOW", "bin/*"},
			}},
		}},
		RootCas: map[string]in_toto.Key{}, IntermediateCas: map[string]in_toto.Key{},
	}
	var env in_toto.Envelope
	if err := env.SetPayload(layout); err != nil {
		t.Fatal(err)
	}
	if err := env.Sign(ownerKey); err != nil {
		t.Fatal(err)
	}
	return &env, ownerKey
}

func TestLinkIsRefusedWhenTooLarge(t *testing.T) {
	materials := map[string]string{}
	for i := range 3000 {
		materials[filepath.Join("dir", string(rune('a'+i%26)), time.Duration(i).String())] = evidence.SHA256(nil)
	}
	if _, _, err := Write(newKey(t, 1), materials, map[string]string{}); err == nil {
		t.Error("signed more than envelope.MaxSigned bytes")
	}
}
