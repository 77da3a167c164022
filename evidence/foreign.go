package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// Envelopes and statements of other tools have no one exact encoding. What is read
// from them is what every reader reads: an object whose keys stand once and in their
// exact case. The bytes are kept as they came.

// maxNesting is how deep a foreign document may nest.
const maxNesting = 100

// A sealed is an envelope that was read and not verified.
type sealed struct {
	envelope.Bundle
	exact bool // the one exact encoding of a bundle or of a plain DSSE envelope
}

// readEnvelope reads a Sigstore bundle or a plain DSSE envelope.
func readEnvelope(data []byte) (sealed, error) {
	bundle, err := envelope.ParseBundle(data)
	if err == nil {
		return sealed{bundle, true}, nil
	}
	if dsse, err := envelope.ParseDSSE(data); err == nil {
		return sealed{dsse, true}, nil
	}
	foreign, foreignErr := readForeign(data)
	if foreignErr != nil {
		return sealed{}, errors.Join(foreignErr, err)
	}
	return sealed{foreign, false}, nil
}

func readForeign(data []byte) (envelope.Bundle, error) {
	var b envelope.Bundle
	if err := checkJSON(data); err != nil {
		return b, err
	}
	dsse, err := object(data, "payload", "payloadType", "signatures")
	if outer, outerErr := object(data, "mediaType", "verificationMaterial", "dsseEnvelope"); outerErr == nil {
		dsse, err = object(outer["dsseEnvelope"], "payload", "payloadType", "signatures")
	}
	if err != nil {
		return b, fmt.Errorf("neither a Sigstore bundle nor a DSSE envelope: %w", err)
	}
	var signatures []json.RawMessage
	if err := json.Unmarshal(dsse["signatures"], &signatures); err != nil || len(signatures) != 1 {
		return b, fmt.Errorf("%d signatures, expected 1", len(signatures))
	}
	return readSigned(dsse, signatures[0])
}

func readSigned(dsse map[string]json.RawMessage, signature json.RawMessage) (envelope.Bundle, error) {
	var b envelope.Bundle
	sig, err := object(signature)
	if err != nil {
		return b, err
	}
	if _, named := sig["keyid"]; named {
		if b.KeyID, err = text(sig, "keyid"); err != nil {
			return b, err
		}
	}
	if b.PayloadType, err = text(dsse, "payloadType"); err != nil {
		return b, err
	}
	if b.Payload, err = base64Field(dsse, "payload"); err != nil {
		return b, err
	}
	b.Signature, err = base64Field(sig, "sig")
	return b, err
}

func base64Field(fields map[string]json.RawMessage, name string) ([]byte, error) {
	s, err := text(fields, name)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(data) == 0 || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%s is not base64", name)
	}
	return data, nil
}

func text(fields map[string]json.RawMessage, name string) (string, error) {
	var s string
	if err := json.Unmarshal(fields[name], &s); err != nil || fields[name] == nil || string(fields[name]) == "null" {
		return "", fmt.Errorf("%s is no string", name)
	}
	return s, nil
}

// A head is the part of any statement that in-toto defines.
type head struct {
	Type          string
	PredicateType string
	Subjects      []Subject
	Predicate     json.RawMessage
}

// maxPredicateType is what an entry of the log can name, in bytes.
const maxPredicateType = 1024

// statementV01 is the statement type before [StatementType], which tools still write
// (https://github.com/in-toto/attestation/blob/main/spec/v0.1.0/statement.md).
const statementV01 = "https://in-toto.io/Statement/v0.1"

// readStatement reads a statement of any predicate type.
func readStatement(payload []byte) (head, error) {
	var h head
	if err := checkJSON(payload); err != nil {
		return h, err
	}
	fields, err := object(payload, "_type", "subject", "predicateType", "predicate")
	if err != nil {
		return h, err
	}
	h.Predicate = fields["predicate"]
	if h.Type, err = text(fields, "_type"); err != nil {
		return h, err
	}
	if h.PredicateType, err = text(fields, "predicateType"); err != nil {
		return h, err
	}
	if len(h.PredicateType) > maxPredicateType || strings.ContainsFunc(h.PredicateType, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return h, &TypeError{"predicateType", h.PredicateType, fmt.Sprintf("at most %d visible characters of ASCII", maxPredicateType)}
	}
	if h.Type != StatementType && (h.Type != statementV01 || isOurs(h.PredicateType)) {
		return h, &TypeError{"_type", h.Type, StatementType}
	}
	h.Subjects, err = readSubjects(fields["subject"])
	return h, err
}

// descriptorFields are the fields of a subject
// (https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md).
var descriptorFields = []string{"name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"}

func readSubjects(data json.RawMessage) ([]Subject, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		return nil, errors.New("a statement without subjects")
	}
	subjects := make([]Subject, len(list))
	for i, raw := range list {
		fields, err := object(raw)
		if err == nil {
			err = only(fields, descriptorFields)
		}
		if err != nil {
			return nil, fmt.Errorf("subject %d: %w", i, err)
		}
		if _, named := fields["name"]; named {
			if subjects[i].Name, err = text(fields, "name"); err != nil {
				return nil, fmt.Errorf("subject %d: %w", i, err)
			}
		}
		if err := json.Unmarshal(fields["digest"], &subjects[i].Digest); err != nil || len(subjects[i].Digest) == 0 {
			return nil, fmt.Errorf("subject %d: no digest", i)
		}
		for algorithm, value := range subjects[i].Digest {
			if algorithm == "" || value == "" {
				return nil, fmt.Errorf("subject %d: an empty digest", i)
			}
		}
	}
	return subjects, nil
}

// object splits an object into its fields. Where keys are named, all of them must be
// there and no others.
func object(data json.RawMessage, keys ...string) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return nil, errors.New("not a JSON object")
	}
	if len(keys) > 0 {
		if err := only(fields, keys); err != nil {
			return nil, err
		}
	}
	for _, key := range keys {
		if _, ok := fields[key]; !ok {
			return nil, fmt.Errorf("no field %q", key)
		}
	}
	return fields, nil
}

// only refuses fields with other names.
func only(fields map[string]json.RawMessage, known []string) error {
	for key := range fields {
		if !slices.Contains(known, key) {
			return fmt.Errorf("unknown field %q, expected %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

// checkJSON refuses what two readers could read differently: invalid UTF-8, a key
// that stands twice, and anything behind the document.
func checkJSON(data []byte) error {
	switch {
	case len(data) > envelope.MaxDocument:
		return fmt.Errorf("%d bytes, the limit is %d", len(data), envelope.MaxDocument)
	case !utf8.Valid(data):
		return errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON value")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("nested more than %d deep", maxNesting)
	}
	opening, err := dec.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	delim, composite := opening.(json.Delim)
	if !composite {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return fmt.Errorf("not JSON: %w", err)
			}
			if seen[key.(string)] {
				return fmt.Errorf("duplicate key %q", key)
			}
			seen[key.(string)] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}
