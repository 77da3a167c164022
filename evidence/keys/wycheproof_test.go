package keys

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// The Ed25519 vectors of C2SP/wycheproof (Apache-2.0), which are not part of this
// repository: ROLLPROOF_TESTDATA names a directory that holds
// wycheproof/ed25519_test.json.
func TestWycheproofEd25519(t *testing.T) {
	dir := os.Getenv("ROLLPROOF_TESTDATA")
	if dir == "" {
		t.Skip("ROLLPROOF_TESTDATA is not set")
	}
	var file struct {
		NumberOfTests int `json:"numberOfTests"`
		TestGroups    []struct {
			PublicKeyPEM string `json:"publicKeyPem"`
			Tests        []struct {
				ID      int      `json:"tcId"`
				Comment string   `json:"comment"`
				Flags   []string `json:"flags"`
				Message string   `json:"msg"`
				Sig     string   `json:"sig"`
				Result  string   `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, "wycheproof"), "ed25519_test.json"), &file); err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for _, group := range file.TestGroups {
		key, err := envelope.ParsePublicKey([]byte(group.PublicKeyPEM))
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range group.Tests {
			message, err := hex.DecodeString(tc.Message)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := hex.DecodeString(tc.Sig)
			if err != nil {
				t.Fatal(err)
			}
			err = key.Verify(message, sig)
			if (err == nil) != (tc.Result == "valid") {
				t.Errorf("case %d (%s %v) is %s: %v", tc.ID, tc.Comment, tc.Flags, tc.Result, err)
			}
			if err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted != 88 || refused != 63 || file.NumberOfTests != 151 {
		t.Errorf("%d accepted and %d refused of %d, want 88 and 63 of 151", accepted, refused, file.NumberOfTests)
	}
}
