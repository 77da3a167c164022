package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// githubIssuer is the issuer of the tokens that GitHub gives to workflows.
const githubIssuer = "https://token.actions.githubusercontent.com"

// A sigstore is a Sigstore instance in memory, by sigstore-go: certificate authority,
// transparency log and timestamp authority. A private one has no log, as the instance
// with which GitHub attests private repositories.
type sigstore struct {
	*ca.VirtualSigstore
	private bool
}

func newSigstore(t testing.TB, private bool) sigstore {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	check(t, err)
	return sigstore{v, private}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trustedRoot is the instance's trusted_root.json on one line. The instance keeps log
// ids in hex where the format wants them raw.
func (s sigstore) trustedRoot(t testing.TB) []byte {
	t.Helper()
	logs := s.RekorLogs()
	for id, l := range logs {
		raw, err := hex.DecodeString(id)
		check(t, err)
		l.ID = raw
	}
	if s.private {
		logs = nil
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, s.FulcioCertificateAuthorities(), nil, s.TimestampingAuthorities(), logs)
	check(t, err)
	data, err := r.MarshalJSON()
	check(t, err)
	return data
}

// attest returns the bundle of one SLSA provenance statement about all subjects, the
// way GitHub's attest action writes it: version 0.3, one certificate, a log entry, a
// token.
func (s sigstore) attest(t testing.TB, issuer, workflow string, subjects ...evidence.Subject) []byte {
	t.Helper()
	statement, err := json.Marshal(evidence.NewStatement(evidence.Provenance, subjects, map[string]any{
		"buildDefinition": map[string]any{"buildType": "https://actions.github.io/buildtypes/workflow/v1"},
	}))
	check(t, err)
	e, err := s.AttestHashedRekordV2(workflow, issuer, statement)
	check(t, err)
	by, err := e.VerificationContent()
	check(t, err)
	signed, err := e.SignatureContent()
	check(t, err)
	tokens, err := e.Timestamps()
	check(t, err)
	envelope := signed.EnvelopeContent().RawEnvelope()
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	check(t, err)
	type object = map[string]any
	bundle, err := json.Marshal(object{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": object{
			"certificate":               object{"rawBytes": by.Certificate().Raw},
			"timestampVerificationData": object{"rfc3161Timestamps": []any{object{"signedTimestamp": tokens[0]}}},
			"tlogEntries":               s.entries(t, e),
		},
		"dsseEnvelope": object{"payload": payload, "payloadType": envelope.PayloadType, "signatures": []any{object{"sig": envelope.Signatures[0].Sig}}},
	})
	check(t, err)
	return bundle
}

// entries are the log entries of a bundle.
func (s sigstore) entries(t testing.TB, e *ca.TestEntity) []any {
	t.Helper()
	list := []any{}
	if s.private {
		return list
	}
	entries, err := e.TlogEntries()
	check(t, err)
	type object = map[string]any
	for _, entry := range entries {
		p := entry.TransparencyLogEntry()
		in := p.GetInclusionProof()
		list = append(list, object{
			"logIndex": p.GetLogIndex(), "logId": object{"keyId": p.GetLogId().GetKeyId()}, "integratedTime": p.GetIntegratedTime(),
			"kindVersion": object{"kind": "hashedrekord", "version": "0.0.2"}, "canonicalizedBody": p.GetCanonicalizedBody(),
			"inclusionProof": object{
				"logIndex": in.GetLogIndex(), "treeSize": in.GetTreeSize(), "rootHash": in.GetRootHash(), "hashes": in.GetHashes(),
				"checkpoint": object{"envelope": in.GetCheckpoint().GetEnvelope()},
			},
		})
	}
	return list
}
