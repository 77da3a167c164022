package access

import (
	"os"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
)

// The examples of docs/formats are statements as they are read, in their exact bytes,
// and the revocation stands on the token.
func TestExamples(t *testing.T) {
	text, err := os.ReadFile("../../docs/formats/records.md")
	if err != nil {
		t.Fatal(err)
	}
	example := func(name string) []byte {
		_, section, found := strings.Cut(string(text), "\n## "+name+"\n")
		_, from, begun := strings.Cut(section, "```json\n")
		statement, _, ended := strings.Cut(from, "```\n")
		if !found || !begun || !ended {
			t.Fatalf("records.md has no example of %s", name)
		}
		return []byte(statement)
	}
	token, err := readToken(example("token"))
	if err != nil {
		t.Error(err)
	}
	revocation, err := readRevocation(example("token-revocation"))
	if err != nil {
		t.Error(err)
	}
	if revocation.Token != evidence.DigestOf(example("token")) || revocation.ID != token.ID {
		t.Error("the example of a revocation is about another token")
	}
}
