package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
)

// A line is one of records.jsonl.
type line struct {
	Index    int64    `json:"index"`
	Recorded string   `json:"recorded"`
	Proof    [][]byte `json:"proof"`
	Envelope []byte   `json:"envelope"`
	Entry    string   `json:"entry,omitempty"`
}

// maxLine is the size in bytes of the longest line: an envelope in base64, and room
// for proof and entry.
const maxLine = envelope.MaxDocument/3*4 + 64<<10

// marshal returns the line with its LF.
func (l line) marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return nil, err
	}
	if b.Len() > maxLine {
		return nil, fmt.Errorf("a line of %d bytes, the limit is %d", b.Len(), maxLine)
	}
	return b.Bytes(), nil
}

// parseLine reads a line with its LF. It refuses whatever [line.marshal] would not
// have written.
func parseLine(data []byte) (line, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return l, err
	}
	exact, err := l.marshal()
	if err != nil {
		return l, err
	}
	switch {
	case !bytes.Equal(exact, data) || l.Proof == nil || l.Envelope == nil:
		return l, errors.New("not in its exact encoding")
	case l.Index < 0:
		return l, fmt.Errorf("index %d", l.Index)
	case (len(l.Envelope) == 0) != (l.Entry != ""):
		return l, errors.New("a record has an envelope, or an entry where it was erased")
	}
	if _, err := l.date(); err != nil {
		return l, err
	}
	_, err = l.path()
	return l, err
}

// date is when the record came, as the store says.
func (l line) date() (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, l.Recorded)
	if err != nil || evidence.Stamp(t) != l.Recorded {
		return t, fmt.Errorf("%q is no date of a record: expected UTC with milliseconds", l.Recorded)
	}
	return t.UTC(), nil
}

// path is the inclusion proof.
func (l line) path() ([]translog.Hash, error) {
	path := make([]translog.Hash, len(l.Proof))
	for i, p := range l.Proof {
		if len(p) != len(path[i]) {
			return nil, fmt.Errorf("a hash of %d bytes, expected %d", len(p), len(path[i]))
		}
		path[i] = translog.Hash(p)
	}
	return path, nil
}

// errLong is returned for a line longer than any that is written.
var errLong = fmt.Errorf("a line of more than %d bytes", maxLine)

// readLine returns the next line with its LF, which the last may lack, and io.EOF
// after it. The bytes hold until the next call.
func readLine(r *bufio.Reader, buffer []byte) ([]byte, error) {
	buffer = buffer[:0]
	for {
		part, err := r.ReadSlice('\n')
		buffer = append(buffer, part...)
		switch {
		case len(buffer) > maxLine:
			return buffer, errLong
		case err == nil:
			return buffer, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(buffer) > 0:
			return buffer, nil
		}
		return buffer, err
	}
}
