package checkpoint

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
)

// Schema identifiers of what is printed about a log.
const (
	LogSchema   = evidence.Namespace + "evidence-log/v1"
	ProofSchema = evidence.Namespace + "evidence-log-proof/v1"
)

// A Document is what is printed of a log.
type Document struct {
	Schema       string     `json:"schema"`
	Origin       string     `json:"origin"`
	KeyID        string     `json:"keyid"`
	VerifierKey  string     `json:"verifierKey"` // as other tools take it (C2SP signed-note)
	Records      int64      `json:"records"`
	Checkpoint   string     `json:"checkpoint"` // the signed note, "" before the first
	Cosignatures []Cosigner `json:"cosignatures"`
	Notes        []string   `json:"notes"`
}

// A Cosigner names a cosignature that nobody has verified here.
type Cosigner struct {
	Name string `json:"name"`
}

// Describe returns the document of a log, or [evidence.ErrNoLog].
func Describe(ctx context.Context, r evidence.Reader) (Document, error) {
	doc := Document{Schema: LogSchema, Cosignatures: []Cosigner{}, Notes: []string{}}
	id, err := r.Log(ctx)
	if err != nil {
		return doc, err
	}
	public, err := envelope.NewPublicKey(ed25519.PublicKey(id.Key))
	if err != nil {
		return doc, err
	}
	doc.Origin, doc.KeyID = id.Origin, public.KeyID()
	if doc.VerifierKey, err = translog.LogKey(id.Origin, id.Key); err != nil {
		return doc, err
	}
	if doc.Records, err = r.Len(ctx); err != nil {
		return doc, err
	}
	note, err := r.Checkpoint(ctx)
	if err != nil || note == nil {
		return doc, err
	}
	signed, err := translog.ParseSigned(note)
	if err != nil {
		return doc, err
	}
	doc.Checkpoint = string(note)
	for _, c := range signed.Cosignatures() {
		doc.Cosignatures = append(doc.Cosignatures, Cosigner{c.Name()})
	}
	return doc, nil
}

// A ProofDocument is a proof of the log.
type ProofDocument struct {
	Schema string `json:"schema"`
	Kind   string `json:"kind"` // "inclusion", "consistency" or "cosignature"
	Origin string `json:"origin"`
	Size   int64  `json:"size"`  // of the checkpoint
	Index  int64  `json:"index"` // of the record; of a consistency proof, the size before
	Entry  string `json:"entry"` // the record's entry of the log, "" where there is none
	Proof  string `json:"proof"` // as the C2SP text of its kind
}

// ErrNone is returned where a log has no signed checkpoint yet.
var ErrNone = errors.New("the log has no checkpoint yet")

// A YoungerError says that a record came after the newest checkpoint.
type YoungerError struct{ Index, Size int64 }

func (e *YoungerError) Error() string {
	return fmt.Sprintf("record %d is younger than the newest checkpoint, of size %d", e.Index, e.Size)
}

// Prove returns the proof that a record is in the tree of the newest checkpoint. Errors
// are [evidence.ErrNoLog], [ErrNone] and [*YoungerError].
func Prove(ctx context.Context, r evidence.Reader, index int64) (ProofDocument, error) {
	newest, ok, err := Newest(ctx, r)
	switch {
	case err != nil:
		return ProofDocument{}, err
	case !ok:
		return ProofDocument{}, ErrNone
	case index >= newest.Size:
		return ProofDocument{}, &YoungerError{index, newest.Size}
	}
	receipt, leaf, err := Receipt(ctx, r, newest, index)
	if err != nil {
		return ProofDocument{}, err
	}
	text, err := receipt.Marshal()
	if err != nil {
		return ProofDocument{}, err
	}
	entry, err := leaf.Marshal()
	return ProofDocument{ProofSchema, "inclusion", newest.Origin, newest.Size, index, string(entry), string(text)}, err
}

// A ShorterError says that the newest checkpoint is not as large as an older one.
type ShorterError struct{ Size, Old int64 }

func (e *ShorterError) Error() string {
	return fmt.Sprintf("the newest checkpoint has size %d, and the older one %d", e.Size, e.Old)
}

// ProveConsistency proves that the tree of the newest checkpoint begins with the tree of
// the first old records. The proof is a [Request] to a witness. Errors are
// [evidence.ErrNoLog], [ErrNone] and [*ShorterError].
func ProveConsistency(ctx context.Context, r evidence.Reader, old int64) (ProofDocument, error) {
	newest, ok, err := Newest(ctx, r)
	switch {
	case err != nil:
		return ProofDocument{}, err
	case !ok:
		return ProofDocument{}, ErrNone
	case old > newest.Size:
		return ProofDocument{}, &ShorterError{newest.Size, old}
	}
	request, err := NewRequest(ctx, r, old, newest)
	if err != nil {
		return ProofDocument{}, err
	}
	text, err := request.Marshal()
	return ProofDocument{Schema: ProofSchema, Kind: "consistency", Origin: newest.Origin, Size: newest.Size, Index: old, Proof: string(text)}, err
}
