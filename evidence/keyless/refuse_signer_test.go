package keyless

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAnotherIdentity(t *testing.T) {
	i := newInstance(t)
	b := sample{}.bundle(i)
	subject := func(s string) refusal {
		return refusal{trial{bundle: b, who: person{subject: s, issuer: ada.issuer}}, StageIdentity}
	}
	issuer := func(s string) refusal {
		return refusal{trial{bundle: b, who: person{subject: ada.subject, issuer: s}}, StageIdentity}
	}
	refused(t, i, map[string]refusal{
		"a user name":           {trial{bundle: sample{who: grace}.bundle(i), who: person{subject: "ada", issuer: grace.issuer}}, StageIdentity},
		"another subject":       subject("grace@example.com"),
		"part of the subject":   subject("ada@example"),
		"end of the subject":    subject("a@example.com"),
		"more than the subject": subject("ada@example.com.evil.example"),
		"subject in capitals":   subject("Ada@example.com"),
		"subject and a newline": subject("ada@example.com\n"),
		"subject as a pattern":  subject(".*"),
		"another issuer":        issuer("https://other.example.com"),
		"part of the issuer":    issuer("https://issuer.example"),
		"issuer and a slash":    issuer("https://issuer.example.com/"),
		"swapped":               {trial{bundle: b, who: person{subject: ada.issuer, issuer: ada.subject}}, StageIdentity},
	})
}

func TestAnotherKey(t *testing.T) {
	i := newInstance(t)
	mine, other, ed := newKey(t), newKey(t), newEd25519(t)
	hinted := func(hint string) object {
		b := sample{key: mine}.bundle(i)
		at(t, b, material, "publicKey")["hint"] = hint
		return b
	}
	noLog := i.trustedRoot().without("tlogs")
	unlogged := sample{key: mine, noEntry: true, token: time.Minute}.bundle(i)
	openSSH := clone(unlogged)
	at(t, openSSH, material, "publicKey")["hint"] = keyOf(t, mine).public.KeyID()
	refused(t, i, map[string]refusal{
		"another key":                {trial{bundle: sample{key: mine}.bundle(i), key: other}, StageKey},
		"another key, by digest":     {trial{bundle: sample{key: mine}.bundle(i), key: other, digest: true}, StageKey},
		"another key, dsse":          {trial{bundle: sample{key: mine, dsse: true}.bundle(i), key: other}, StageKey},
		"another key, no hint":       {trial{bundle: hinted(""), key: other}, StageKey},
		"another key, odd hint":      {trial{bundle: hinted("release key"), key: other}, StageKey},
		"another key by its hint":    {trial{bundle: unlogged, root: noLog, key: other}, StageKey},
		"another key by OpenSSH's":   {trial{bundle: openSSH, root: noLog, key: other}, StageKey},
		"a key of another kind":      {trial{bundle: sample{key: mine}.bundle(i), key: ed}, StageKey},
		"a certificate":              {trial{bundle: sample{}.bundle(i), key: mine}, StageKey},
		"the certificate's own key":  {trial{bundle: sample{leaf: mine}.bundle(i), key: mine}, StageKey},
		"a key, identity expected":   {trial{bundle: sample{key: mine}.bundle(i)}, StageKey},
		"a key whose hint is a name": {bent(i, sample{key: mine}, func(b object) { at(t, b, material, "publicKey")["hint"] = ada.subject }), StageKey},
	})
}

// A refusal names what was found and what was expected.
func TestReasons(t *testing.T) {
	i, foreign := newInstance(t), newInstance(t)
	elsewhere := *i
	elsewhere.log = foreign.log
	impostor := *i
	impostor.ca = foreign.ca
	for reason, c := range map[string]trial{
		"log: no log entry; logs that the trusted root names: 1":                                                    {bundle: sample{noEntry: true}.bundle(i)},
		"log: no entry of a log that the trusted root names: the bundle's is of log " + hexOf(i.keyID(foreign.log)): {bundle: sample{}.bundle(&elsewhere)},
		"log: the inclusion promise of entry 4711: unable to verify SET":                                            bent(i, sample{}, func(b object) { logEntry(t, b)["integratedTime"] = fmt.Sprint(day.Unix() + 1) }),
		"log: the inclusion proof of entry 4711 does not lead to the root hash that it names": bent(i, sample{}, func(b object) {
			at(t, logEntry(t, b), "inclusionProof")["logIndex"] = "0"
		}),
		"certificate: logged at 2021-03-04T05:16:08Z, outside of the certificate's validity, 2021-03-04T05:06:07Z to 2021-03-04T05:16:07Z":     {bundle: sample{logged: lifetime + time.Second}.bundle(i)},
		`certificate: no certificate authority of the trusted root vouches at 2021-03-04T05:06:07Z for a certificate by "CN=ca,O=example.com"`: {bundle: sample{}.bundle(&impostor)},
		"certificate: the certificate has no SCT; CT logs that the trusted root names: 1":                                                      {bundle: sample{noSCT: true}.bundle(i)},
		`identity: expected SAN value "grace", got "ada@example.com"`:                                                                          {bundle: sample{}.bundle(i), who: grace},
		"key: signed with a key, expected a certificate":                                                                                       {bundle: sample{key: newKey(t)}.bundle(i)},
		"artifact: not about sha256:" + sha256Of([]byte{}):                                                                                     {bundle: sample{dsse: true}.bundle(i), artifact: []byte{}},
	} {
		if _, err := c.verify(i); err == nil || !strings.HasPrefix(err.Error(), reason) {
			t.Errorf("got %v, expected %s", err, reason)
		}
	}
}
