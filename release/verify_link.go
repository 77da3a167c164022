package release

import (
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
)

// linkName matches the in-toto link, whose name holds the first 8 hex digits of
// in-toto's key id.
var linkName = regexp.MustCompile(`^package\.[0-9a-f]{8}\.link$`)

// A linkMetadata is an in-toto link, as release/link writes it.
type linkMetadata struct {
	Type        string                        `json:"_type"`
	Name        string                        `json:"name"`
	Materials   map[string]evidence.DigestSet `json:"materials"`
	Products    map[string]evidence.DigestSet `json:"products"`
	ByProducts  struct{}                      `json:"byproducts"`
	Command     []string                      `json:"command"`
	Environment struct{}                      `json:"environment"`
}

// checkLink checks the in-toto link, if the package has one: signature, and products
// that are exactly the binaries. Its materials are the commit's files, of which a
// package holds only some; those are compared.
func (v *verification) checkLink() {
	switch {
	case v.manifest == nil:
		v.notChecked(checkLink, "", noManifest)
		return
	case v.manifest.DryRun:
		v.skipUnsigned(checkLink)
		return
	}
	for _, path := range v.manifest.paths(RoleLink) {
		v.outcome(checkLink, path, v.linkProblems(path))
	}
}

func (v *verification) linkProblems(path string) []problem {
	const hint = "the package was changed, or made by something else"
	data, err := v.read(path, maxBundle)
	var b envelope.Bundle
	if err == nil {
		b, err = envelope.ParseDSSE(data)
	}
	if err == nil && b.PayloadType != evidence.PayloadType {
		err = fmt.Errorf("payload type %q", b.PayloadType)
	}
	if err != nil {
		return []problem{wrong(path, "a signed in-toto link", archive.Printable(err.Error()), hint)}
	}
	_, p := v.authorize(path, v.manifest.KeyID, "", func(k envelope.PublicKey) error {
		if want := inTotoKeyID(k); b.KeyID != want || path != "package."+want[:8]+".link" {
			return fmt.Errorf("keyid %s does not name %s", b.KeyID, k.KeyID())
		}
		return k.Verify(envelope.PAE(b.PayloadType, b.Payload), b.Signature)
	})
	if p != nil {
		return []problem{*p}
	}
	var link linkMetadata
	if err := envelope.Decode(b.Payload, &link); err != nil {
		return []problem{wrong(path, "in-toto link metadata", archive.Printable(err.Error()), hint)}
	}
	if link.Type != "link" || link.Name != "package" {
		return []problem{wrong(path, "a link of the step package", archive.Printable(link.Type+" "+link.Name), hint)}
	}
	return v.linkArtifacts(link)
}

// linkArtifacts compares products with binaries, and the materials that the package
// carries with those files.
func (v *verification) linkArtifacts(link linkMetadata) []problem {
	said, binaries := map[string]string{}, map[string]string{}
	for path, digest := range link.Products {
		said[path] = digest["sha256"]
	}
	for _, path := range v.manifest.paths(RoleBinary) {
		binaries[path] = v.files[path].sha256
	}
	problems := differences(said, binaries, "a product of the link")
	materials, carried := map[string]string{}, map[string]string{}
	prefix := ""
	if d := v.manifest.Release.Source.Directory; d != "" {
		prefix = d + "/"
	}
	for _, role := range []Role{RoleLicense, RoleNotice} {
		for _, path := range v.manifest.paths(role) {
			materials[path], carried[path] = link.Materials[prefix+path]["sha256"], v.files[path].sha256
		}
	}
	return append(problems, differences(materials, carried, "a material of the link")...)
}

// inTotoKeyID returns in-toto's key id of an Ed25519 key: the hex sha256 of the key's
// canonical JSON (securesystemslib). Other keys have none here, because none signs.
func inTotoKeyID(k envelope.PublicKey) string {
	raw := k.Blob()
	if k.Algorithm() != "ed25519" {
		return "no in-toto key id for " + k.Algorithm()
	}
	public := hex.EncodeToString(raw[len(raw)-32:])
	return evidence.SHA256([]byte(`{"keyid_hash_algorithms":["sha256","sha512"],"keytype":"ed25519","keyval":{"public":"` + public + `"},"scheme":"ed25519"}`))
}
