// Package evidence holds the nouns that every part of rollproof signs, stores and
// verifies.
//
// A statement is an in-toto Statement v1: subjects, which are digests with names,
// a predicate type, and a predicate of that type. Its bytes are its one exact
// encoding (see [github.com/rollproof/rollproof/evidence/envelope]), and the sha256
// of those bytes is the identity of the act that the statement records:
//
//	{
//	  "_type": "https://in-toto.io/Statement/v1",
//	  "subject": [
//	    {
//	      "name": "bin/age_v1.2.1_linux_amd64",
//	      "digest": {
//	        "sha256": "5d5a…"
//	      }
//	    }
//	  ],
//	  "predicateType": "https://sigstore.dev/cosign/sign/v1",
//	  "predicate": {}
//	}
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// StatementType is the type of every statement
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md).
const StatementType = "https://in-toto.io/Statement/v1"

// PayloadType is the DSSE payload type of a statement.
const PayloadType = "application/vnd.in-toto+json"

// Namespace is what our own predicate types and schema identifiers begin with.
const Namespace = "https://github.com/rollproof/rollproof/schemas/"

// PredicateType and schema identifiers of our own, and the standard predicates
// that rollproof writes.
const (
	// DetachedSignature is cosign's predicate type for a signature over the
	// statement's one subject; its predicate is {}.
	DetachedSignature = "https://sigstore.dev/cosign/sign/v1"
	// Provenance is SLSA provenance v1.
	Provenance = "https://slsa.dev/provenance/v1"
	// Release is in-toto's release predicate: these files are that release.
	Release = "https://in-toto.io/attestation/release/v0.1"
	// ReleaseEvidence closes a package: its subjects are every file of it.
	ReleaseEvidence = Namespace + "release-evidence/v1"
)

// A DigestSet maps an algorithm of in-toto's list (sha256, sha512, gitCommit,
// gitTree, dirHash) to a value, in hex except for dirHash.
type DigestSet map[string]string

// A Subject is something that a statement is about.
type Subject struct {
	Name   string    `json:"name"`
	Digest DigestSet `json:"digest"`
}

// A Statement is an in-toto Statement v1 with a predicate of type P.
type Statement[P any] struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     P         `json:"predicate"`
}

// NewStatement returns a statement of the current type.
func NewStatement[P any](predicateType string, subjects []Subject, predicate P) Statement[P] {
	return Statement[P]{StatementType, subjects, predicateType, predicate}
}

// A TypeError says that a statement is of another type than the one expected, or
// that its predicate type is one of ours that this version doesn't know.
type TypeError struct{ Field, Got, Want string }

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s is %q, expected %q", e.Field, e.Got, e.Want)
}

// DecodeStatement reads the exact bytes of a statement whose predicate type must be
// predicateType. Errors are those of [envelope.Decode] and [*TypeError].
func DecodeStatement[P any](data []byte, predicateType string) (Statement[P], error) {
	var s Statement[P]
	if err := envelope.Decode(data, &s); err != nil {
		return s, err
	}
	if s.Type != StatementType {
		return s, &TypeError{"_type", s.Type, StatementType}
	}
	if s.PredicateType != predicateType {
		return s, &TypeError{"predicateType", s.PredicateType, predicateType}
	}
	if len(s.Subject) == 0 {
		return s, errors.New("a statement without subjects")
	}
	return s, nil
}

// Sign signs a statement of any predicate type.
func Sign[P any](signer envelope.Signer, s Statement[P]) (envelope.Bundle, error) {
	payload, err := envelope.Encode(s)
	if err != nil {
		return envelope.Bundle{}, err
	}
	return envelope.Sign(signer, PayloadType, payload)
}

// SHA256 returns the hex sha256 of data.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// FileSubject returns the subject for a file with the given hex sha256.
func FileSubject(name, sha256Hex string) Subject {
	return Subject{Name: name, Digest: DigestSet{"sha256": sha256Hex}}
}
