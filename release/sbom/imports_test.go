package sbom_test

import (
	"slices"
	"strings"
	"testing"
)

// TestImports keeps the package on the verification path: no license scanner, no
// network, and nothing of rollproof. Files, clocks and randomness come in as facts.
func TestImports(t *testing.T) {
	for _, path := range strings.Fields(output(t, ".", "go", "list", "-deps", ".")) {
		if strings.Contains(path, "licensecheck") || path == "net/http" || path == "os/exec" ||
			strings.HasPrefix(path, "github.com/rollproof/") && path != "github.com/rollproof/rollproof/release/sbom" {
			t.Errorf("%s is linked", path)
		}
	}
	direct := strings.Fields(output(t, ".", "go", "list", "-f", "{{join .Imports \" \"}}", "."))
	for _, path := range []string{"os", "io/fs", "math/rand", "math/rand/v2", "crypto/rand"} {
		if slices.Contains(direct, path) {
			t.Errorf("%s is imported", path)
		}
	}
}
