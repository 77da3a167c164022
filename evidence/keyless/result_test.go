package keyless

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// What the trusted root leaves out is not checked, and what a flag excuses is named.
// The conforming client has no such choice and refuses these bundles, except for
// tokens of timestamp authorities that it doesn't know, which it passes over too.
func TestExcused(t *testing.T) {
	i := newInstance(t)
	ec, ed := newKey(t), newEd25519(t)
	noTime := sample{key: ec}.bundle(i)
	logEntry(t, noTime).without("inclusionPromise")
	excuseLog, excuseSCT := Options{AllowNoLogEntry: true}, Options{AllowNoSCT: true}
	for name, c := range map[string]struct {
		trial
		checks   string // not checked
		weakened string
	}{
		"no log entry":               {trial{bundle: sample{noEntry: true, token: time.Minute}.bundle(i), options: excuseLog}, "log", "--allow-no-log-entry [log]"},
		"no log entry, key":          {trial{bundle: sample{noEntry: true, key: ec}.bundle(i), key: ec, options: excuseLog}, "log timestamp", "--allow-no-log-entry [log]"},
		"excuse that was not needed": {trial{bundle: sample{}.bundle(i), options: excuseLog}, "", "--allow-no-log-entry []"},
		"no SCT":                     {trial{bundle: sample{noSCT: true}.bundle(i), options: excuseSCT}, "sct", "--allow-no-sct [sct]"},
		"SCT excused and there":      {trial{bundle: sample{}.bundle(i), options: excuseSCT}, "", "--allow-no-sct []"},
		"no CT log known":            {trial{bundle: sample{noSCT: true}.bundle(i), root: i.trustedRoot().without("ctlogs")}, "sct", ""},
		"no log known, key":          {trial{bundle: sample{key: ec}.bundle(i), root: i.trustedRoot().without("tlogs"), key: ec}, "log timestamp", ""},
		"key that tells no time":     {trial{bundle: noTime, key: ec}, "timestamp", ""},
		"token of nobody known":      {trial{bundle: sample{token: time.Minute}.bundle(i), root: i.trustedRoot().without("timestampAuthorities")}, "timestamp", ""},
		"key and no root":            {trial{bundle: sample{key: ec, noEntry: true}.bundle(i), key: ec, alone: true}, "log timestamp", ""},
		"key and no root, Ed25519":   {trial{bundle: sample{key: ed, noEntry: true}.bundle(i), key: ed, alone: true}, "log timestamp", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.verify(i)
			if err != nil {
				t.Fatal(err)
			}
			var checks, weakened []string
			for _, n := range r.NotChecked {
				checks = append(checks, n.Check)
			}
			for _, w := range r.Weakenings {
				weakened = append(weakened, w.Flag+" ["+strings.Join(w.Checks, " ")+"]")
			}
			if got := strings.Join(checks, " "); got != c.checks {
				t.Errorf("not checked: %q, expected %q", got, c.checks)
			}
			if got := strings.Join(weakened, " "); got != c.weakened {
				t.Errorf("weakened by %q, expected %q", got, c.weakened)
			}
			needed := c.checks != "" && name != "token of nobody known"
			if refused := c.plain(i) != nil; refused != needed {
				t.Errorf("the conforming client refuses it: %t, expected %t", refused, needed)
			}
		})
	}
}

func TestResult(t *testing.T) {
	i := newInstance(t)
	got, err := trial{bundle: sample{who: robot, dsse: true, logged: time.Second, token: 2 * time.Second}.bundle(i), who: robot}.verify(i)
	if err != nil {
		t.Fatal(err)
	}
	want := &Result{
		Version:  "v0.3",
		Artifact: "sha256:" + sha256Of(text),
		Signer: SignedBy{
			Subject: robot.subject, Issuer: robot.issuer, CertificateIssuer: "CN=ca,O=example.com",
			Extensions: map[string]string{"buildTrigger": "push"},
		},
		Statement: &Statement{
			Type: evidence.StatementType, PredicateType: "https://example.com/released/v1",
			Subjects: []evidence.Subject{evidence.FileSubject("other", strings.Repeat("0", 64)), evidence.FileSubject("text", sha256Of(text))},
		},
		Times: []Time{
			{"timestamp-authority", "https://tsa.example.com", day.Add(2 * time.Second)},
			{"log", logURI, day.Add(time.Second)},
		},
		Log:        []LogEntry{{URI: logURI, LogID: hexOf(i.keyID(i.log)), Index: 4711, Kind: "dsse 0.0.1", Proof: true}},
		NotChecked: []NotChecked{}, Weakenings: []Weakening{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := got.RequireType("https://example.com/released/v1"); err != nil {
		t.Error(err)
	}
	refusedAt(t, got.RequireType("https://example.com/released/v2"), StageType)
}

func TestResultOfKey(t *testing.T) {
	i := newInstance(t)
	k := newKey(t)
	got, err := trial{bundle: sample{key: k, version: v01}.bundle(i), key: k}.verify(i)
	if err != nil {
		t.Fatal(err)
	}
	if want := (SignedBy{KeyID: keyOf(t, k).public.KeyID()}); !cmp.Equal(got.Signer, want) {
		t.Errorf("signed by %+v, expected %+v", got.Signer, want)
	}
	if len(got.Log) != 1 || got.Log[0].Proof {
		t.Errorf("log %+v, expected one entry without proof", got.Log)
	}
	refusedAt(t, got.RequireType("https://example.com/released/v1"), StageType)
}

// An entry of a log that the root doesn't name is passed over, and is no evidence.
func TestForeignEntryIsNotListed(t *testing.T) {
	i, foreign := newInstance(t), newInstance(t)
	b := sample{}.bundle(i)
	m := at(t, b, material)
	body := logEntry(t, b)["canonicalizedBody"].([]byte)
	m["tlogEntries"] = []any{foreign.entry("hashedrekord", "0.0.1", body, day), logEntry(t, b)}
	r, err := trial{bundle: b}.verify(i)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Log) != 1 || r.Log[0].LogID != hexOf(i.keyID(i.log)) {
		t.Errorf("log %+v", r.Log)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func refusedAt(t *testing.T, err error, want Stage) {
	t.Helper()
	var stage *StageError
	if !errors.As(err, &stage) || stage.Stage != want {
		t.Errorf("got %v, expected a refusal at stage %s", err, want)
	}
}

func TestUnanswerable(t *testing.T) {
	i := newInstance(t)
	ed := newEd25519(t)
	message := sample{key: ed, noEntry: true}.bundle(i)
	if _, err := (trial{bundle: message, key: ed, digest: true}).verify(i); !errors.Is(err, ErrNeedsContent) {
		t.Errorf("pure Ed25519 by digest: got %v, expected %v", err, ErrNeedsContent)
	}
	if _, err := (trial{bundle: sample{}.bundle(i), alone: true}).verify(i); !errors.Is(err, ErrNeedsRoot) {
		t.Errorf("identity without a root: got %v, expected %v", err, ErrNeedsRoot)
	}
	v, err := New(i.trustedRoot().json(t), Options{})
	i.check(err)
	broken := io.MultiReader(bytes.NewReader(text), iotest.ErrReader(io.ErrClosedPipe))
	for name, b := range map[string]object{"message": sample{}.bundle(i), "dsse": sample{dsse: true}.bundle(i)} {
		_, err := v.Verify(b.json(t), Content(broken), identity(t, ada))
		var stage *StageError
		if !errors.Is(err, io.ErrClosedPipe) || errors.As(err, &stage) {
			t.Errorf("%s: got %v, expected the reader's own error", name, err)
		}
	}
	if _, err := v.Verify(sample{}.bundle(i).json(t), Content(bytes.NewReader(text)), Identity{}); err == nil {
		t.Error("verified for nobody")
	}
}

type panics struct{ Identity }

func (panics) material(root.TrustedMaterial) root.TrustedMaterial { panic("a malformed part") }

func TestPanicIsRefusal(t *testing.T) {
	i := newInstance(t)
	v, err := New(i.trustedRoot().json(t), Options{})
	i.check(err)
	r, err := v.Verify(sample{}.bundle(i).json(t), Content(bytes.NewReader(text)), panics{})
	if r != nil {
		t.Error("a result after a panic")
	}
	refusedAt(t, err, StageParse)
}

func TestBundleTooLarge(t *testing.T) {
	i := newInstance(t)
	raw := append(sample{}.bundle(i).json(t), bytes.Repeat([]byte(" "), MaxBundle)...)
	_, err := trial{raw: raw}.verify(i)
	refusedAt(t, err, StageParse)
}

// The bytes that a signature must see as a whole are bounded.
func TestWholeArtifactIsBounded(t *testing.T) {
	w, _ := Content(bytes.NewReader(make([]byte, 100))).watch(0, true)
	if w.limit != MaxWhole {
		t.Errorf("limit %d, expected %d", w.limit, MaxWhole)
	}
	w.limit = 99
	if _, err := io.ReadAll(w); err == nil || w.err == nil {
		t.Error("100 bytes read, the limit is 99")
	}
	i := newInstance(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	i.check(err)
	for _, c := range []struct {
		sample
		whole bool
	}{
		{sample{}, false},
		{sample{dsse: true}, false},
		{sample{leaf: p384}, true},
		{sample{leaf: phSigner{newEd25519(t)}}, false},
		{sample{key: newKey(t)}, false},
		{sample{key: newEd25519(t), noEntry: true}, true},
		{sample{key: newEd25519(t), dsse: true}, false},
	} {
		var signer Signer = identity(t, ada)
		if c.key != nil {
			signer = keyOf(t, c.key)
		}
		v, err := New(i.trustedRoot().json(t), Options{})
		i.check(err)
		a, err := v.parse(c.bundle(i).json(t), signer)
		i.check(err)
		if a.needsWhole() != c.whole {
			t.Errorf("%+v: read as a whole: %t, expected %t", c.sample, !c.whole, c.whole)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Every other artifact passes through a small buffer.
func TestArtifactIsStreamed(t *testing.T) {
	i := newInstance(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	i.check(err)
	v, err := New(i.trustedRoot().json(t), Options{})
	i.check(err)
	const size = 16 << 20
	for name, s := range map[string]sample{
		"P-256": {}, "RSA": {leaf: rsaKey}, "Ed25519ph": {leaf: phSigner{newEd25519(t)}}, "dsse": {dsse: true},
	} {
		data := s.bundle(i).json(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := v.Verify(data, Content(io.LimitReader(zeros{}, size)), identity(t, ada))
		runtime.ReadMemStats(&after)
		refusedAt(t, err, StageArtifact)
		if used := after.TotalAlloc - before.TotalAlloc; used > size/4 {
			t.Errorf("%s: %d bytes allocated for an artifact of %d", name, used, size)
		}
	}
}

// rollproof's own envelopes are bundles like any other.
func TestOwnEnvelope(t *testing.T) {
	seed := newEd25519(t)
	k := keyOf(t, seed)
	b, err := envelope.Sign(ownSigner{seed, k.public}, evidence.PayloadType, statementAbout(text))
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(data, Content(bytes.NewReader(text)), k); err != nil {
		t.Error(err)
	}
	other := keyOf(t, newEd25519(t))
	_, err = v.Verify(data, Content(bytes.NewReader(text)), other)
	refusedAt(t, err, StageKey)
	if want := "signed by " + k.public.KeyID() + ", expected " + other.public.KeyID(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, expected %s", err, want)
	}
}

type ownSigner struct {
	key    ed25519.PrivateKey
	public envelope.PublicKey
}

func (s ownSigner) Public() envelope.PublicKey          { return s.public }
func (s ownSigner) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

func TestPatterns(t *testing.T) {
	i := newInstance(t)
	b := sample{who: robot}.bundle(i)
	for pattern, want := range map[string]bool{
		`https://example\.com/ada/.*`:                  true,
		`https://example\.com/ada/`:                    false, // matches only a part
		`.*/release\.yml@refs/tags/v1`:                 true,
		`release\.yml`:                                 false,
		`https://example\.com/(ada|grace)/.*@.*`:       true,
		`x|https://example\.com`:                       false, // an alternative is anchored too
		`(?i)HTTPS://EXAMPLE\.COM/.*`:                  true,
		`(?m)https://example\.com/ada/age$`:            false,
		`^https://example\.com/ada/age/.*/tags/v[12]$`: true,
	} {
		subject, err := Pattern(pattern)
		i.check(err)
		issuer, err := Pattern(`https://issuer\.example\.com`)
		i.check(err)
		v, err := New(i.trustedRoot().json(t), Options{})
		i.check(err)
		_, err = v.Verify(b.json(t), Content(bytes.NewReader(text)), Identity{subject, issuer})
		if want && err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		if !want {
			refusedAt(t, err, StageIdentity)
		}
	}
	for _, bad := range []string{"", "(", "a)|(b", `\Qa`, "*"} {
		if _, err := Pattern(bad); err == nil {
			t.Errorf("pattern %q was taken", bad)
		}
	}
	if _, err := Exact(""); err == nil {
		t.Error("an empty text was taken")
	}
	one, err := Exact("x")
	i.check(err)
	for _, half := range []Identity{{Subject: one}, {Issuer: one}, {}} {
		if _, err := half.policy(); err == nil {
			t.Errorf("%+v was taken", half)
		}
	}
}

func TestKeys(t *testing.T) {
	i := newInstance(t)
	odd, err := rsa.GenerateKey(rand.Reader, 2304)
	i.check(err)
	private := pemBlock("PRIVATE KEY", []byte("secret"))
	if _, err := ParseKey(private); !errors.Is(err, envelope.ErrPrivateKey) {
		t.Errorf("a private key: got %v, expected %v", err, envelope.ErrPrivateKey)
	}
	for name, data := range map[string][]byte{
		"RSA of 2304 bits": pemBlock("PUBLIC KEY", i.spki(odd)),
		"junk":             []byte("junk"),
		"not on the curve": pemBlock("PUBLIC KEY", flip(i.spki(newKey(t)))),
	} {
		_, err := ParseKey(data)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		refusedAt(t, err, StageKey)
	}
	if _, err := NewKey(envelope.PublicKey{}); err == nil {
		t.Error("no key was taken for a key")
	}
	if _, err := Digest(strings.Repeat("0", 63)); err == nil {
		t.Error("63 digits were taken for a sha256")
	}
}
