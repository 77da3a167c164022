package keyless

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// parts are the places of a bundle that a fuzz target fills with bytes: what is
// parsed behind the JSON.
var parts = []func(t testing.TB, i *instance, b object, data []byte){
	func(t testing.TB, _ *instance, b object, data []byte) {
		at(t, b, material, "certificate")["rawBytes"] = data
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		logEntry(t, b)["canonicalizedBody"] = data
	},
	func(t testing.TB, i *instance, b object, data []byte) { // a log that takes anything
		kind := logEntry(t, b)["kindVersion"].(object)
		at(t, b, material)["tlogEntries"] = []any{i.entry(kind["kind"].(string), kind["version"].(string), data, day)}
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		at(t, logEntry(t, b), "inclusionProof", "checkpoint")["envelope"] = string(data)
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		at(t, logEntry(t, b), "inclusionPromise")["signedEntryTimestamp"] = data
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		at(t, b, material)["timestampVerificationData"] = object{"rfc3161Timestamps": []any{object{"signedTimestamp": data}}}
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		if e, ok := b["dsseEnvelope"].(object); ok {
			e["payload"] = data
		}
	},
	func(t testing.TB, _ *instance, b object, data []byte) {
		if m, ok := b["messageSignature"].(object); ok {
			m["signature"] = data
		}
	},
}

// oddBodies are log entries that lack what their kind should have.
var oddBodies = []string{
	`null`, `{"apiVersion":"0.0.1","kind":"dsse"}`, `{"apiVersion":"0.0.1","kind":"dsse","spec":null}`,
	`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[]}}`,
	`{"apiVersion":"0.0.1","kind":"dsse","spec":{"envelopeHash":null,"payloadHash":null,"signatures":[null]}}`,
	`{"apiVersion":"0.0.1","kind":"dsse","spec":{"envelopeHash":{},"payloadHash":{},"signatures":[{"signature":"","verifier":""}]}}`,
	`{"apiVersion":"0.0.1","kind":"dsse","spec":{"proposedContent":{"envelope":"{}","verifiers":[""]}}}`,
	`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}`,
	`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{},"signature":{}}}`,
	`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{}},"signature":{"publicKey":{}}}}`,
	`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{}}`,
	`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{}}}`,
	`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{},"signature":{"verifier":{"x509Certificate":{}}}}}}`,
	`{"apiVersion":"0.0.1","kind":"intoto","spec":{"content":{}}}`,
	`{"apiVersion":"0.0.2","kind":"intoto","spec":{}}`,
	`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"x","signatures":[]}}}}`,
	`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"x","signatures":[null]}}}}`,
	`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"x","signatures":[{}]},"payloadHash":{"algorithm":"sha256","value":"00"}}}}`,
	`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"x","signatures":[{"sig":"eA==","publicKey":"eA=="}]},"hash":{"algorithm":"sha256","value":"` + "0000000000000000000000000000000000000000000000000000000000000000" + `"},"payloadHash":{"algorithm":"sha256","value":"` + "0000000000000000000000000000000000000000000000000000000000000000" + `"}}}}`,
	`{"apiVersion":"0.0.1","kind":"rekord","spec":{}}`,
}

// samples are what fuzz targets begin with.
func samples(i *instance) []object {
	return []object{
		sample{token: time.Minute}.bundle(i), sample{dsse: true, token: time.Minute}.bundle(i),
		sample{version: v01}.bundle(i), sample{key: newKey(i.t)}.bundle(i), sample{key: newEd25519(i.t), noEntry: true}.bundle(i),
	}
}

// judge verifies data in every way, without the net that Verify has under it, and
// compares with the conforming client.
func judge(t *testing.T, i *instance, trusted, data []byte) {
	t.Helper()
	v, err := New(trusted, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.verify(data, Content(bytes.NewReader(text)), identity(t, ada))
	var stage *StageError
	if err != nil && !errors.As(err, &stage) {
		t.Errorf("refused without a stage: %v", err)
	}
	if theirs := plain(data, trusted, text, nil, nil, ada); (theirs == nil) != (err == nil) {
		t.Errorf("the conforming client says %v, we say %v", theirs, err)
	}
	// With a key the conforming client wants more; we must not panic.
	excused, err := New(trusted, Options{AllowNoLogEntry: true, AllowNoSCT: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Verifier{v, excused} {
		_, _ = v.verify(data, Content(bytes.NewReader(text)), keyOf(t, i.log))
	}
}

func FuzzVerifyNeverPanics(f *testing.F) {
	i := newFixedInstance(f)
	trusted := i.trustedRoot().json(f)
	for _, b := range samples(i) {
		f.Add(b.json(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) { judge(t, i, trusted, data) })
}

func FuzzPartsNeverPanic(f *testing.F) {
	i := newFixedInstance(f)
	trusted := i.trustedRoot().json(f)
	all := samples(i)[:2]
	for n, b := range all {
		for p := range parts {
			f.Add(byte(n), byte(p), []byte("x"))
		}
		e := logEntry(f, b)
		f.Add(byte(n), byte(1), e["canonicalizedBody"].([]byte))
		f.Add(byte(n), byte(2), e["canonicalizedBody"].([]byte))
		f.Add(byte(n), byte(0), at(f, b, material, "certificate")["rawBytes"].([]byte))
		f.Add(byte(n), byte(3), []byte(at(f, e, "inclusionProof", "checkpoint")["envelope"].(string)))
		f.Add(byte(n), byte(5), i.token(text, day))
	}
	f.Add(byte(1), byte(6), statementAbout(text))
	for _, body := range oddBodies {
		f.Add(byte(0), byte(2), []byte(body))
		f.Add(byte(1), byte(2), []byte(body))
	}
	f.Fuzz(func(t *testing.T, n, part byte, data []byte) {
		here := *i
		here.t = t
		b := clone(all[int(n)%len(all)])
		parts[int(part)%len(parts)](t, &here, b, data)
		judge(t, &here, trusted, b.json(t))
	})
}

// clone copies the objects and lists of a bundle.
func clone(o object) object {
	out := object{}
	for k, v := range o {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case object:
		return clone(v)
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, cloneValue(e))
		}
		return list
	}
	return v
}

func FuzzTrustedRootNeverPanics(f *testing.F) {
	i := newFixedInstance(f)
	f.Add(i.trustedRoot().json(f))
	f.Add([]byte(`{"mediaType":"` + root.TrustedRootMediaType01 + `"}`))
	b := sample{token: time.Minute}.bundle(i).json(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := New(data, Options{})
		if err != nil {
			refusedAt(t, err, StageParse)
			return
		}
		_, err = v.verify(b, Content(bytes.NewReader(text)), identity(t, ada))

		noCT := len(v.root.CTLogs()) == 0
		if theirs := plain(b, data, text, nil, nil, ada); (theirs == nil) != (err == nil) && !noCT {
			t.Errorf("the conforming client says %v, we say %v", theirs, err)
		}
	})
}
