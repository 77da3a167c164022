package translog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// A Checkpoint says what the tree of a log is. It carries no time.
type Checkpoint struct {
	Origin string // the log, see [NewOrigin]
	Tree
}

// Marshal returns the checkpoint's one exact encoding, the text that is signed
// (C2SP tlog-checkpoint, without extension lines). It fails with a [*FormatError],
// or a [*RootError] where an empty tree has leaves' root.
func (c Checkpoint) Marshal() ([]byte, error) {
	if err := CheckName(c.Origin); err != nil {
		return nil, err
	}
	if err := c.check("checkpoint"); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:])), nil
}

// ParseCheckpoint reads the text of a checkpoint, without signatures. It refuses,
// with the errors of [Checkpoint.Marshal], whatever that would not have written.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	if len(text) > MaxName+128 {
		return Checkpoint{}, malformed("checkpoint", "text of %d bytes, expected at most %d", len(text), MaxName+128)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 {
		return Checkpoint{}, malformed("checkpoint", "%d line ends, expected 3: origin, size and root, no extensions", len(lines)-1)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, malformed("checkpoint", "size %s, expected a decimal number", shown(lines[1]))
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(Hash{}) {
		return Checkpoint{}, malformed("checkpoint", "root %s, expected %d bytes in base64", shown(lines[2]), len(Hash{}))
	}
	c := Checkpoint{lines[0], Tree{size, Hash(root)}}
	exact, err := c.Marshal()
	if err != nil {
		return Checkpoint{}, err
	}
	if err := exactly("checkpoint", exact, text); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}
