package translog_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestExampleIsReal holds the package comment's leaf and signed checkpoint, which
// fixed keys make, byte for byte.
func TestExampleIsReal(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	must(t, err)
	one := leaves(1)
	for _, want := range [][]byte{
		marshal(t, one[0]),
		marshal(t, signed(t, tree(t, store(t, one), 1))),
	} {
		var comment strings.Builder
		for line := range strings.Lines(string(want)) {
			comment.WriteString(strings.TrimSuffix("//\t"+strings.TrimSuffix(line, "\n"), "\t") + "\n")
		}
		if !bytes.Contains(source, []byte(comment.String())) {
			t.Errorf("doc.go does not have the example\n%s", comment.String())
		}
	}
}
