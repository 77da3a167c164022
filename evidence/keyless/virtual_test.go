package keyless

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// virtual makes bundles with sigstore-go's own instance in memory, whose certificates
// carry no SCT.
type virtual struct {
	t testing.TB
	*ca.VirtualSigstore
}

func newVirtual(t testing.TB) virtual {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return virtual{t, v}
}

func (v virtual) must(e *ca.TestEntity, err error) *ca.TestEntity {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	return e
}

// root is the instance's trusted root as a file. VirtualSigstore keeps log ids in
// hex where the file format wants them raw.
func (v virtual) root() []byte {
	v.t.Helper()
	logs := v.RekorLogs()
	for id, l := range logs {
		raw, err := hex.DecodeString(id)
		if err != nil {
			v.t.Fatal(err)
		}
		l.ID = raw
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, v.FulcioCertificateAuthorities(), nil, v.TimestampingAuthorities(), logs)
	if err != nil {
		v.t.Fatal(err)
	}
	data, err := r.MarshalJSON()
	if err != nil {
		v.t.Fatal(err)
	}
	return data
}

// bundle writes an entity as a bundle, with a log entry's kind where the entity keeps
// none.
func (v virtual) bundle(e *ca.TestEntity, version, kind string) object {
	v.t.Helper()
	by, err := e.VerificationContent()
	if err != nil {
		v.t.Fatal(err)
	}
	signed, err := e.SignatureContent()
	if err != nil {
		v.t.Fatal(err)
	}
	tokens, err := e.Timestamps()
	if err != nil {
		v.t.Fatal(err)
	}
	entries, err := e.TlogEntries()
	if err != nil {
		v.t.Fatal(err)
	}
	certificate := object{"rawBytes": by.Certificate().Raw}
	m := object{"certificate": certificate}
	if version != v03 {
		m = object{"x509CertificateChain": object{"certificates": []any{certificate}}}
	}
	m["timestampVerificationData"] = object{"rfc3161Timestamps": []any{object{"signedTimestamp": tokens[0]}}}
	m["tlogEntries"] = []any{v.entry(entries[0], kind, version != v01)}
	b := content(v.t, signed)
	b["mediaType"], b[material] = version, m
	return b
}

func content(t testing.TB, s verify.SignatureContent) object {
	t.Helper()
	if m := s.MessageSignatureContent(); m != nil {
		return object{"messageSignature": object{"messageDigest": object{"algorithm": m.DigestAlgorithm(), "digest": m.Digest()}, "signature": m.Signature()}}
	}
	e := s.EnvelopeContent().RawEnvelope()
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return object{"dsseEnvelope": object{"payload": payload, "payloadType": e.PayloadType, "signatures": []any{object{"sig": e.Signatures[0].Sig}}}}
}

func (v virtual) entry(e *tlog.Entry, kind string, proof bool) object {
	v.t.Helper()
	p := e.TransparencyLogEntry()
	o := object{
		"logIndex": p.GetLogIndex(), "logId": object{"keyId": p.GetLogId().GetKeyId()}, "integratedTime": p.GetIntegratedTime(),
		"kindVersion": object{"kind": kind, "version": "0.0.1"}, "canonicalizedBody": p.GetCanonicalizedBody(),
	}
	if e.IsRekorV2() {
		o["kindVersion"] = object{"kind": kind, "version": "0.0.2"}
		in := p.GetInclusionProof()
		o["inclusionProof"] = object{
			"logIndex": in.GetLogIndex(), "treeSize": in.GetTreeSize(), "rootHash": in.GetRootHash(), "hashes": in.GetHashes(),
			"checkpoint": object{"envelope": in.GetCheckpoint().GetEnvelope()},
		}
		return o
	}
	o["inclusionPromise"] = object{"signedEntryTimestamp": v.promise(o, hex.EncodeToString([]byte(e.LogKeyID())))}
	if proof {
		in, err := v.GetInclusionProof(p.GetCanonicalizedBody())
		if err != nil {
			v.t.Fatal(err)
		}
		top, err := hex.DecodeString(*in.RootHash)
		if err != nil {
			v.t.Fatal(err)
		}
		o["inclusionProof"] = object{"logIndex": *in.LogIndex, "treeSize": *in.TreeSize, "rootHash": top, "checkpoint": object{"envelope": *in.Checkpoint}}
	}
	return o
}

func (v virtual) promise(entry object, logID string) []byte {
	v.t.Helper()
	set, err := v.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(entry["canonicalizedBody"].([]byte)), IntegratedTime: entry["integratedTime"].(int64),
		LogIndex: entry["logIndex"].(int64), LogID: logID,
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return set
}

// Bundles of sigstore-go's own instance verify, those of a second one with the same
// names don't, and neither does one bent byte.
func TestVirtualSigstore(t *testing.T) {
	mine, foreign := newVirtual(t), newVirtual(t)
	verifier, err := New(mine.root(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	judge := func(b object) error {
		_, err := verifier.Verify(b.json(t), Content(bytes.NewReader(text)), identity(t, ada))
		return err
	}
	statement := statementAbout(text)
	kinds := map[string]func(v virtual) object{
		"message v0.1": func(v virtual) object {
			return v.bundle(v.must(v.SignWithVersion(ada.subject, ada.issuer, text, "v0.1")), v01, "hashedrekord")
		},
		"message v0.2": func(v virtual) object {
			return v.bundle(v.must(v.Sign(ada.subject, ada.issuer, text)), v02, "hashedrekord")
		},
		"dsse v0.3": func(v virtual) object {
			return v.bundle(v.must(v.AttestAtTime(ada.subject, ada.issuer, statement, time.Now().Add(time.Minute), false)), v03, "dsse")
		},
		"dsse on the second kind of log": func(v virtual) object {
			return v.bundle(v.must(v.AttestHashedRekordV2(ada.subject, ada.issuer, statement)), v03, "hashedrekord")
		},
	}
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			if err := judge(make(mine)); err != nil {
				t.Error(err)
			}
			refusedAt(t, judge(make(foreign)), StageLog)
			bent := make(mine)
			e := logEntry(t, bent)
			if promise, ok := e["inclusionPromise"].(object); ok {
				promise["signedEntryTimestamp"] = flip(promise["signedEntryTimestamp"].([]byte))
			} else {
				// The second kind of log names its root in the checkpoint alone.
				checkpoint := at(t, e, "inclusionProof", "checkpoint")
				checkpoint["envelope"] = strings.Replace(checkpoint["envelope"].(string), "\n1\n", "\n2\n", 1)
			}
			refusedAt(t, judge(bent), StageLog)
			borrowed := make(mine)
			borrowed[material] = make(mine)[material]
			refusedAt(t, judge(borrowed), StageLog)
		})
	}
}
