package keyless

import (
	"bytes"
	"crypto"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// plain is a conforming client: it asks of sigstore-go what sigstore-go's own client
// for the conformance suite asks. A nil public key means an identity.
func plain(data, trustedRoot, artifact []byte, digest []byte, public crypto.PublicKey, who person) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(data); err != nil {
		return err
	}
	r, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return err
	}
	var (
		material root.TrustedMaterial = r
		policy   verify.PolicyOption
		options  []verify.VerifierOption
	)
	if public != nil {
		policy = verify.WithKey()
		material = root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
			v, err := signature.LoadDefaultVerifier(public)
			if err != nil {
				return nil, err
			}
			return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
		}), r}
	} else {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
		id, err := verify.NewShortCertificateIdentity(who.issuer, "", who.subject, "")
		if err != nil {
			return err
		}
		policy = verify.WithCertificateIdentity(id)
	}
	tokens, err := b.Timestamps()
	if err != nil {
		return err
	}
	if len(material.TimestampingAuthorities()) > 0 && len(tokens) > 0 {
		options = append(options, verify.WithSignedTimestamps(1))
	}
	if len(material.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
		if b.HasInclusionPromise() {
			options = append(options, verify.WithIntegratedTimestamps(1))
		}
	}
	v, err := verify.NewVerifier(material, options...)
	if err != nil {
		return err
	}
	subject := verify.WithArtifact(bytes.NewReader(artifact))
	if digest != nil {
		subject = verify.WithArtifactDigest("sha256", digest)
	}
	_, err = v.Verify(&b, verify.NewPolicy(subject, policy))
	return err
}
