// Package link writes in-toto link metadata for a package: the record of the step
// "package", whose materials are the files of the commit and whose products are the
// binaries (https://github.com/in-toto/specification, version 1.0, section 4.4). An
// in-toto layout can demand such a step.
//
// The link is stored as a plain DSSE envelope in one JSON line, under the name
// package.<first 8 hex of in-toto's key id>.link. in-toto's key id is the hex sha256
// of the key's canonical JSON; this is the one file of a package that names a key so.
package link

import (
	"bytes"
	"fmt"

	"github.com/in-toto/in-toto-golang/in_toto"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// Step is the name of the step that the link records.
const Step = "package"

// Write returns the link's file name and bytes. materials and products map paths to
// hex sha256 digests. A link that is larger than [envelope.MaxSigned] can't be signed
// and is an error.
func Write(signer envelope.Signer, materials, products map[string]string) (name string, data []byte, err error) {
	keyid, err := KeyID(signer.Public())
	if err != nil {
		return "", nil, err
	}
	payload, err := envelope.Encode(in_toto.Link{
		Type: "link", Name: Step,
		Materials: artifacts(materials), Products: artifacts(products),
		ByProducts: map[string]any{}, Command: []string{}, Environment: map[string]any{},
	})
	if err != nil {
		return "", nil, err
	}
	b, err := envelope.Sign(signer, in_toto.PayloadType, payload)
	if err != nil {
		return "", nil, err
	}
	data, err = b.MarshalDSSE(keyid)
	return fmt.Sprintf("%s.%.8s.link", Step, keyid), data, err
}

func artifacts(sums map[string]string) map[string]in_toto.HashObj {
	objects := make(map[string]in_toto.HashObj, len(sums))
	for path, sum := range sums {
		objects[path] = in_toto.HashObj{"sha256": sum}
	}
	return objects
}

// KeyID returns in-toto's key id of a public key.
func KeyID(k envelope.PublicKey) (string, error) {
	text, err := k.PEM()
	if err != nil {
		return "", err
	}
	var key in_toto.Key
	if err := key.LoadKeyReaderDefaults(bytes.NewReader(text)); err != nil {
		return "", fmt.Errorf("in-toto does not know the key: %w", err)
	}
	return key.KeyID, nil
}
