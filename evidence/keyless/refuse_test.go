package keyless

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// A refusal is a trial that must end at a stage.
type refusal struct {
	trial
	stage Stage
}

// refused runs the attacks. The conforming client must refuse each of them too.
func refused(t *testing.T, i *instance, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := c.verify(i)
			var stage *StageError
			switch {
			case err == nil:
				t.Errorf("verified: %+v", r)
			case !errors.As(err, &stage):
				t.Errorf("got %v, expected a refusal at stage %s", err, c.stage)
			case stage.Stage != c.stage:
				t.Errorf("refused at %v, expected stage %s", err, c.stage)
			case strings.Contains(err.Error(), "\n"):
				t.Errorf("more than one line: %q", err)
			}
			if c.plain(i) == nil {
				t.Error("the conforming client accepts it")
			}
		})
	}
}

// bent makes a sample's bundle and lets change change it.
func bent(i *instance, s sample, change func(b object)) trial {
	b := s.bundle(i)
	change(b)
	return trial{bundle: b}
}

const material = "verificationMaterial"

// logEntry is a bundle's log entry.
func logEntry(t testing.TB, b object) object { return at(t, b, material, "tlogEntries", 0) }

func TestMalformed(t *testing.T) {
	i := newInstance(t)
	good := sample{}.bundle(i).json(t)
	media := func(name string) trial {
		return bent(i, sample{}, func(b object) { b["mediaType"] = name })
	}
	many := func(b object) {
		list := []any{}
		for range 33 {
			list = append(list, logEntry(t, b))
		}
		at(t, b, material)["tlogEntries"] = list
	}
	refused(t, i, map[string]refusal{
		"nothing":               {trial{raw: []byte{}}, StageParse},
		"no JSON":               {trial{raw: []byte("not a bundle")}, StageParse},
		"an array":              {trial{raw: []byte("[]")}, StageParse},
		"an empty object":       {trial{raw: []byte("{}")}, StageParse},
		"cut off":               {trial{raw: good[:len(good)-1]}, StageParse},
		"something behind it":   {trial{raw: append(bytes.Clone(good), '{', '}')}, StageParse},
		"deep":                  {trial{raw: bytes.Repeat([]byte("["), 1<<20)}, StageParse},
		"a key twice":           {trial{raw: append([]byte(`{"mediaType":"`+v03+`",`), good[1:]...)}, StageParse},
		"no UTF-8":              {trial{raw: bytes.Replace(good, []byte("hashedrekord"), []byte("hashed\xffrekord"), 1)}, StageParse},
		"no media type":         {bent(i, sample{}, func(b object) { b.without("mediaType") }), StageParse},
		"unknown media type":    {media("application/json"), StageParse},
		"version 0.4":           {media("application/vnd.dev.sigstore.bundle.v0.4+json"), StageParse},
		"version 0.0":           {media("application/vnd.dev.sigstore.bundle.v0.0+json"), StageParse},
		"version 99.9":          {media("application/vnd.dev.sigstore.bundle+json;version=99.9"), StageParse},
		"no material":           {bent(i, sample{}, func(b object) { b.without(material) }), StageParse},
		"no content":            {bent(i, sample{}, func(b object) { b.without("messageSignature") }), StageParse},
		"no digest":             {bent(i, sample{}, func(b object) { at(t, b, "messageSignature").without("messageDigest") }), StageParse},
		"both contents":         {bent(i, sample{}, func(b object) { b["dsseEnvelope"] = sample{dsse: true}.bundle(i)["dsseEnvelope"] }), StageParse},
		"a field of our own":    {bent(i, sample{}, func(b object) { b["rollproof"] = true }), StageParse},
		"base64 with a newline": {bent(i, sample{}, func(b object) { at(t, b, "messageSignature")["signature"] = "MEUC\nIQ==" }), StageParse},
		"chain in v0.3": {bent(i, sample{version: v02}, func(b object) {
			b["mediaType"] = v03
		}), StageParse},
		"empty chain": {bent(i, sample{version: v02}, func(b object) {
			at(t, b, material, "x509CertificateChain")["certificates"] = []any{}
		}), StageParse},
		"v0.1 without promise":   {bent(i, sample{version: v01}, func(b object) { logEntry(t, b).without("inclusionPromise") }), StageParse},
		"v0.2 without proof":     {bent(i, sample{version: v02}, func(b object) { logEntry(t, b).without("inclusionProof") }), StageParse},
		"v0.3 without proof":     {bent(i, sample{}, func(b object) { logEntry(t, b).without("inclusionProof") }), StageParse},
		"proof of no checkpoint": {bent(i, sample{}, func(b object) { at(t, logEntry(t, b), "inclusionProof").without("checkpoint") }), StageParse},
		"negative index":         {bent(i, sample{}, func(b object) { logEntry(t, b)["logIndex"] = "-1" }), StageParse},
		"entry body is junk":     {bent(i, sample{}, func(b object) { logEntry(t, b)["canonicalizedBody"] = []byte("{}") }), StageParse},
		"33 entries":             {bent(i, sample{}, many), StageParse},
		"payload is no statement": {trial{bundle: sample{dsse: true, statement: []byte(strings.Replace(string(statementAbout(text)),
			`"_type"`, `"ours":1,"_type"`, 1))}.bundle(i)}, StageParse},
	})
}

func TestRootIsRefused(t *testing.T) {
	i := newInstance(t)
	b := sample{}.bundle(i)
	root := func(change func(object)) trial {
		r := i.trustedRoot()
		change(r)
		return trial{bundle: b, root: r}
	}
	nothing := object{"mediaType": i.trustedRoot()["mediaType"]}
	refused(t, i, map[string]refusal{
		"an empty object":         {trial{bundle: b, root: object{}}, StageParse},
		"another media type":      {root(func(r object) { r["mediaType"] = "application/json" }), StageParse},
		"a field of our own":      {root(func(r object) { r["rollproof"] = 1 }), StageParse},
		"certificate is junk":     {root(func(r object) { at(t, r, "certificateAuthorities", 0)["certChain"] = object{} }), StageParse},
		"a log without a key":     {root(func(r object) { at(t, r, "tlogs", 0).without("publicKey") }), StageParse},
		"a log without beginning": {root(func(r object) { at(t, r, "tlogs", 0, "publicKey")["validFor"] = object{} }), StageParse},
		"nothing in it":           {trial{bundle: b, root: nothing}, StageTimestamp},
		"nothing in it, token":    {trial{bundle: sample{token: time.Minute}.bundle(i), root: nothing}, StageTimestamp},
		"no authority":            {root(func(r object) { r.without("certificateAuthorities") }), StageCertificate},
		"authority ended before":  {root(func(r object) { at(t, r, "certificateAuthorities", 0)["validFor"] = ended() }), StageCertificate},
		"log ended before":        {root(func(r object) { at(t, r, "tlogs", 0, "publicKey")["validFor"] = ended() }), StageLog},
		"CT log ended before":     {root(func(r object) { at(t, r, "ctlogs", 0, "publicKey")["validFor"] = ended() }), StageCertificate},
	})
	for name, data := range map[string][]byte{"junk": []byte("junk"), "empty": {}, "too large": append(i.trustedRoot().json(t), bytes.Repeat([]byte(" "), MaxTrustedRoot)...)} {
		var stage *StageError
		if _, err := New(data, Options{}); !errors.As(err, &stage) || stage.Stage != StageParse {
			t.Errorf("%s: got %v, expected a refusal at stage parse", name, err)
		}
	}
}

// ended is a time of validity that ends before everything happens.
func ended() object {
	return object{"start": "2020-01-01T00:00:00Z", "end": "2021-03-04T05:06:06Z"}
}

func TestBadCertificate(t *testing.T) {
	i, foreign := newInstance(t), newInstance(t)
	impostor := *i // everything of the instance but its certificate authority
	impostor.ca = foreign.ca
	named := *i // an authority of the same names
	named.ca = i.authority("ca", 3)
	server := *i
	server.ca = i.authority("ca", 1)
	serverRoot := i.trustedRoot()
	serverRoot["certificateAuthorities"] = server.trustedRoot()["certificateAuthorities"]
	refused(t, i, map[string]refusal{
		"junk":                     {bent(i, sample{noEntry: true}, func(b object) { at(t, b, material, "certificate")["rawBytes"] = []byte("junk") }), StageCertificate},
		"foreign authority":        {trial{bundle: sample{}.bundle(&impostor)}, StageCertificate},
		"authority of one name":    {trial{bundle: sample{}.bundle(&named)}, StageCertificate},
		"not for code signing":     {trial{bundle: sample{}.bundle(&server), root: serverRoot}, StageCertificate},
		"logged a second early":    {trial{bundle: sample{logged: -time.Second}.bundle(i)}, StageCertificate},
		"logged a second late":     {trial{bundle: sample{logged: lifetime + time.Second}.bundle(i)}, StageCertificate},
		"token a second late":      {trial{bundle: sample{token: lifetime + time.Second}.bundle(i)}, StageCertificate},
		"token late, no log":       {trial{bundle: sample{noEntry: true, token: lifetime + time.Second}.bundle(i), root: i.trustedRoot().without("tlogs")}, StageCertificate},
		"no SCT":                   {trial{bundle: sample{noSCT: true}.bundle(i)}, StageCertificate},
		"SCT of a foreign CT log":  {trial{bundle: sample{ctLog: foreign.ctLog}.bundle(i)}, StageCertificate},
		"SCT of a foreign log, v1": {trial{bundle: sample{version: v01, ctLog: foreign.ctLog}.bundle(i)}, StageCertificate},
		"SCT of a foreign log, excused": {trial{
			bundle: sample{ctLog: foreign.ctLog}.bundle(i), options: Options{AllowNoSCT: true},
		}, StageCertificate},
	})
}

func TestBadLogEntry(t *testing.T) {
	i, foreign := newInstance(t), newInstance(t)
	elsewhere := *i // everything of the instance but its log
	elsewhere.log = foreign.log
	bentEntry := func(change func(e object)) trial {
		return bent(i, sample{}, func(b object) { change(logEntry(t, b)) })
	}
	proof := func(change func(p object)) trial {
		return bentEntry(func(e object) { change(at(t, e, "inclusionProof")) })
	}
	p256 := newKey(t)
	borrowed := func(s sample) func(object) { // the entry of another bundle
		return func(b object) { at(t, b, material)["tlogEntries"] = at(t, s.bundle(i), material)["tlogEntries"] }
	}
	twice := func(b object) { at(t, b, material)["tlogEntries"] = []any{logEntry(t, b), logEntry(t, b)} }
	another := append(statementAbout(text), '\n')
	refused(t, i, map[string]refusal{
		"none":               {trial{bundle: sample{noEntry: true}.bundle(i)}, StageLog},
		"none, token":        {trial{bundle: sample{noEntry: true, token: time.Minute}.bundle(i)}, StageLog},
		"none, key":          {trial{bundle: sample{noEntry: true, key: p256}.bundle(i), key: p256}, StageLog},
		"foreign log":        {trial{bundle: sample{}.bundle(&elsewhere)}, StageLog},
		"foreign log, token": {trial{bundle: sample{token: time.Minute}.bundle(&elsewhere)}, StageLog},
		"foreign log that claims the id": {bent(&elsewhere, sample{}, func(b object) {
			logEntry(t, b)["logId"] = object{"keyId": i.keyID(i.log)}
		}), StageLog},
		"foreign log, excused": {trial{bundle: sample{token: time.Minute}.bundle(&elsewhere), options: Options{AllowNoLogEntry: true}}, StageLog},
		"promise tampered":     {bentEntry(func(e object) { at(t, e, "inclusionPromise")["signedEntryTimestamp"] = i.sign(i.log, text) }), StageLog},
		"promise of another log, good proof": {bentEntry(func(e object) {
			e["inclusionPromise"] = logEntry(t, sample{}.bundle(&elsewhere))["inclusionPromise"]
		}), StageLog},
		"promise of another time":   {bentEntry(func(e object) { e["integratedTime"] = fmt.Sprint(day.Unix() + 1) }), StageLog},
		"promise of another index":  {bentEntry(func(e object) { e["logIndex"] = "4712" }), StageLog},
		"proof with a bit flipped":  {proof(func(p object) { p["hashes"] = [][]byte{flip(p["hashes"].([][]byte)[0])} }), StageLog},
		"proof without hashes":      {proof(func(p object) { p["hashes"] = [][]byte{} }), StageLog},
		"proof with a short hash":   {proof(func(p object) { p["hashes"] = [][]byte{{1}} }), StageLog},
		"proof of another size":     {proof(func(p object) { p["treeSize"] = "3" }), StageLog},
		"proof of another place":    {proof(func(p object) { p["logIndex"] = "0" }), StageLog},
		"proof of negative numbers": {proof(func(p object) { p["logIndex"], p["treeSize"] = "-1", "-5" }), StageLog},
		"another root hash":         {proof(func(p object) { p["rootHash"] = flip(p["rootHash"].([]byte)) }), StageLog},
		"checkpoint of another root": {proof(func(p object) {
			at(t, p, "checkpoint")["envelope"] = i.checkpoint(i.log, tlog.RecordHash(text))
		}), StageLog},
		"checkpoint by another key": {proof(func(p object) {
			at(t, p, "checkpoint")["envelope"] = i.checkpoint(foreign.log, tlog.Hash(p["rootHash"].([]byte)))
		}), StageLog},
		"checkpoint is junk":         {proof(func(p object) { at(t, p, "checkpoint")["envelope"] = "junk" }), StageLog},
		"entry of another signature": {bent(i, sample{}, borrowed(sample{})), StageLog},
		"entry of another envelope":  {bent(i, sample{dsse: true}, borrowed(sample{dsse: true, statement: another})), StageLog},
		"entry of an envelope":       {bent(i, sample{}, borrowed(sample{dsse: true})), StageLog},
		"one entry twice":            {bent(i, sample{}, twice), StageLog},
		"another kind": {bentEntry(func(e object) {
			e["kindVersion"] = object{"kind": "dsse", "version": "0.0.1"}
			e["logId"] = object{"keyId": []byte("x")}
		}), StageLog},
		"signature swapped for a better": {bent(i, sample{}, func(b object) { at(t, b, "messageSignature")["signature"] = i.sign(p256, text) }), StageLog},
		"payload swapped":                {bent(i, sample{dsse: true}, func(b object) { at(t, b, "dsseEnvelope")["payload"] = another }), StageLog},
		"digest swapped":                 {bent(i, sample{}, func(b object) { at(t, b, "messageSignature", "messageDigest")["digest"] = bytes.Repeat([]byte{1}, 32) }), StageLog},
	})
}

func TestBadTime(t *testing.T) {
	i, foreign := newInstance(t), newInstance(t)
	token := func(of *instance, sig []byte, at time.Time) []any {
		return []any{object{"signedTimestamp": of.token(sig, at)}}
	}
	sigOf := func(b object) []byte { return at(t, b, "messageSignature")["signature"].([]byte) }
	tokens := func(make func(b object) []any) trial {
		return bent(i, sample{}, func(b object) {
			at(t, b, material)["timestampVerificationData"] = object{"rfc3161Timestamps": make(b)}
		})
	}
	younger := i.trustedRoot()
	at(t, younger, "timestampAuthorities", 0)["validFor"] = ended()
	var many []any
	for range 33 {
		many = append(many, object{"signedTimestamp": []byte("x")})
	}
	refused(t, i, map[string]refusal{
		"proof alone":            {bent(i, sample{}, func(b object) { logEntry(t, b).without("inclusionPromise") }), StageTimestamp},
		"no log known, no token": {trial{bundle: sample{}.bundle(i), root: i.trustedRoot().without("tlogs")}, StageTimestamp},
		"log excused, no token":  {trial{bundle: sample{noEntry: true}.bundle(i), root: i.trustedRoot().without("tlogs"), options: Options{AllowNoLogEntry: true}}, StageTimestamp},
		"foreign authority":      {tokens(func(b object) []any { return token(foreign, sigOf(b), day) }), StageTimestamp},
		"over something else":    {tokens(func(b object) []any { return token(i, text, day) }), StageTimestamp},
		"junk":                   {tokens(func(b object) []any { return []any{object{"signedTimestamp": []byte("junk")}} }), StageTimestamp},
		"nothing":                {tokens(func(b object) []any { return []any{object{}} }), StageTimestamp},
		"33 tokens":              {tokens(func(b object) []any { return many }), StageTimestamp},
		"authority ended before": {trial{bundle: sample{token: time.Minute}.bundle(i), root: younger}, StageTimestamp},
	})
}

func TestBadSignature(t *testing.T) {
	i := newInstance(t)
	ed, ec, other := newEd25519(t), newKey(t), newKey(t)
	noLog := i.trustedRoot().without("tlogs")
	// A token makes the conforming client content without a log.
	forged := func(s sample, change func(b object)) trial {
		s.noEntry = true
		b := s.bundle(i)
		change(b)
		var sig []byte
		if s.dsse {
			sig = at(t, b, "dsseEnvelope", "signatures", 0)["sig"].([]byte)
		} else {
			sig = at(t, b, "messageSignature")["signature"].([]byte)
		}
		at(t, b, material)["timestampVerificationData"] = object{"rfc3161Timestamps": []any{object{"signedTimestamp": i.token(sig, day)}}}
		return trial{bundle: b, root: noLog, key: s.key}
	}
	bySomebodyElse := func(b object) { at(t, b, "messageSignature")["signature"] = i.sign(other, text) }
	flipped := func(b object) {
		m := at(t, b, "messageSignature")
		m["signature"] = flip(m["signature"].([]byte))
	}
	anotherPayload := func(b object) { at(t, b, "dsseEnvelope")["payload"] = append(statementAbout(text), ' ') }
	anotherType := func(b object) { at(t, b, "dsseEnvelope")["payloadType"] = "application/vnd.in-toto+jsonx" }
	twoSignatures := func(b object) {
		e := at(t, b, "dsseEnvelope")
		e["signatures"] = append(e["signatures"].([]any), e["signatures"].([]any)[0])
	}
	// What was signed is the text; the bundle claims another file and is shown it.
	evil := []byte("evil\n")
	claimsEvil := func(b object) {
		at(t, b, "messageSignature", "messageDigest")["digest"] = hexBytes(t, sha256Of(evil))
	}
	withEvil := func(c trial) trial { c.artifact = evil; return c }
	refused(t, i, map[string]refusal{
		"message by another key":          {forged(sample{}, bySomebodyElse), StageSignature},
		"message flipped":                 {forged(sample{}, flipped), StageSignature},
		"message flipped, key":            {forged(sample{key: ec}, flipped), StageSignature},
		"message flipped, Ed25519 key":    {forged(sample{key: ed}, flipped), StageSignature},
		"message signature is empty":      {forged(sample{key: ec}, func(b object) { at(t, b, "messageSignature")["signature"] = []byte{} }), StageSignature},
		"message claims another file":     {withEvil(forged(sample{}, claimsEvil)), StageSignature},
		"message claims another, key":     {withEvil(forged(sample{key: ec}, claimsEvil)), StageSignature},
		"message claims another, Ed25519": {withEvil(forged(sample{key: ed}, claimsEvil)), StageSignature},
		"payload swapped":                 {forged(sample{dsse: true}, anotherPayload), StageSignature},
		"payload swapped, key":            {forged(sample{dsse: true, key: ed}, anotherPayload), StageSignature},
		"payload type swapped":            {forged(sample{dsse: true}, anotherType), StageSignature},
		"two signatures":                  {bent(i, sample{dsse: true}, twoSignatures), StageSignature},
		"two signatures, key":             {forged(sample{dsse: true, key: ec}, twoSignatures), StageSignature},
		"pure Ed25519 under a certificate": {trial{
			bundle: forged(sample{leaf: ed}, func(object) {}).bundle, root: noLog,
		}, StageSignature},
	})
}

func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	a, err := Digest(s)
	if err != nil {
		t.Fatal(err)
	}
	return a.digest
}

func TestAnotherArtifact(t *testing.T) {
	i := newInstance(t)
	ec := newKey(t)
	other := []byte("something else\n")
	about := func(change func(s object)) trial {
		var s object
		i.check(json.Unmarshal(statementAbout(text), &s))
		change(s)
		return trial{bundle: sample{dsse: true, statement: s.json(t)}.bundle(i)}
	}
	refused(t, i, map[string]refusal{
		"message":              {trial{bundle: sample{}.bundle(i), artifact: other}, StageArtifact},
		"message by digest":    {trial{bundle: sample{}.bundle(i), artifact: other, digest: true}, StageArtifact},
		"message, key":         {trial{bundle: sample{key: ec}.bundle(i), artifact: other, key: ec}, StageArtifact},
		"an empty file":        {trial{bundle: sample{}.bundle(i), artifact: []byte{}}, StageArtifact},
		"text and a byte":      {trial{bundle: sample{}.bundle(i), artifact: append(bytes.Clone(text), 0)}, StageArtifact},
		"dsse":                 {trial{bundle: sample{dsse: true}.bundle(i), artifact: other}, StageArtifact},
		"dsse by digest":       {trial{bundle: sample{dsse: true}.bundle(i), artifact: other, digest: true}, StageArtifact},
		"no subjects":          {about(func(s object) { s["subject"] = []any{} }), StageArtifact},
		"subject of no digest": {about(func(s object) { s["subject"] = []any{object{"name": "text"}} }), StageArtifact},
		"digest of another name": {about(func(s object) {
			s["subject"] = []any{object{"name": "text", "digest": object{"gitCommit": sha256Of(text)}}}
		}), StageArtifact},
		"digest cut short": {about(func(s object) {
			s["subject"] = []any{object{"name": "text", "digest": object{"sha256": sha256Of(text)[:62]}}}
		}), StageArtifact},
		"payload is not in-toto": {trial{bundle: sample{dsse: true, payload: "application/json"}.bundle(i)}, StageArtifact},
	})
}
