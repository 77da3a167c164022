package keyless

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files again, with new keys")

// goldenKey is the private half of key.pub: 32 bytes of 1, a key of nobody.
var goldenKey = fixedKey(1)

// golden are the bundles of testdata/golden by name; those of ada are keyless.
var golden = map[string]sample{
	"message-v0.1.sigstore.json": {version: v01},
	"message-v0.2.sigstore.json": {version: v02, token: time.Minute},
	"message-v0.3.sigstore.json": {},
	"dsse-v0.3.sigstore.json":    {dsse: true, who: robot, token: time.Minute},
	"no-sct.sigstore.json":       {noSCT: true},
	"no-entry.sigstore.json":     {noEntry: true, token: time.Minute},
	"key.sigstore.json":          {key: goldenKey, noEntry: true},
}

func writeGolden(t *testing.T, dir string) {
	i := newInstance(t)
	files := map[string][]byte{
		"text": text, "trusted_root.json": indent(t, i.trustedRoot()), "key.pub": pemBlock("PUBLIC KEY", i.spki(goldenKey)),
	}
	for name, s := range golden {
		files[name] = indent(t, s.bundle(i))
	}
	for name, data := range files {
		i.check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
}

func indent(t *testing.T, o object) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, o.json(t), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// What verified once verifies for ever, and what was refused stays refused.
func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	if *update {
		writeGolden(t, dir)
	}
	v, err := New(readFile(t, filepath.Join(dir, "trusted_root.json")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(readFile(t, filepath.Join(dir, "key.pub")))
	if err != nil {
		t.Fatal(err)
	}
	content := readFile(t, filepath.Join(dir, "text"))
	for name, s := range golden {
		var signer Signer = identity(t, ada)
		switch {
		case s.key != nil:
			signer = key
		case s.who.subject != "":
			signer = identity(t, s.who)
		}
		_, err := v.Verify(readFile(t, filepath.Join(dir, name)), Content(bytes.NewReader(content)), signer)
		switch {
		case s.noEntry:
			refusedAt(t, err, StageLog)
		case s.noSCT:
			refusedAt(t, err, StageCertificate)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
}
