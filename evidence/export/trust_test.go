package export_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
)

// TestForgedConsistency brings a request without a proof to a recipient who needs one.
func TestForgedConsistency(t *testing.T) {
	w := newWorld(t)
	old := must[translog.SignedCheckpoint](t)(openNewest(t, w))
	storetest.Add(t, w.store, storetest.Rollout(1))
	seal(t, w.store)
	o := w.options(t)
	o.Checkpoint = must[[]byte](t)(old.Marshal())
	u := unpack(t, w.write(t, nil))
	u.files["consistency"] = []byte("old 7\n\n" + string(u.files["checkpoint"]))
	fails(t, verify(t, u.reseal(t, auditor, "auditor", nil).pack(t), o), "held-checkpoint")
}

// TestOlderTree shows an auditor a state of the log from before his checkpoint.
func TestOlderTree(t *testing.T) {
	w := newWorld(t)
	data := w.write(t, func(s *export.Source) { s.Completeness = export.Complete })
	storetest.Add(t, w.store, storetest.Rollout(1))
	o := w.options(t)
	o.Checkpoint = must[[]byte](t)(seal(t, w.store).Marshal())
	r := verify(t, data, o)
	fails(t, r, "held-checkpoint")
	if got := check(r, "held-checkpoint").Actual; !strings.Contains(got, "an older tree than the one you hold") {
		t.Error(got)
	}
}

// TestRewrittenLog exports a log of the same size or a larger one that is not the one
// of the recipient's checkpoint.
func TestRewrittenLog(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	o.Checkpoint = must[[]byte](t)(must[translog.SignedCheckpoint](t)(openNewest(t, w)).Marshal())
	other := world{newStore(t), w.chain}
	for n := range 9 {
		storetest.Add(t, other.store, storetest.Rollout(n))
		if n < 6 {
			continue
		}
		seal(t, other.store)
		fails(t, verify(t, other.write(t, func(s *export.Source) { s.Completeness = export.Complete }), o), "held-checkpoint")
	}
}

// TestHeldCheckpointIsChecked holds up a checkpoint that no log's key has signed, one
// of another log, and no checkpoint.
func TestHeldCheckpointIsChecked(t *testing.T) {
	w := newWorld(t)
	data := w.write(t, nil)
	c := must[translog.SignedCheckpoint](t)(openNewest(t, w)).Checkpoint
	forged := must[translog.SignedCheckpoint](t)(translog.Sign(c, public("stranger"), strangerLog{}))
	c.Origin = "example.com/other-4f1c0a9b2d3e5f60"
	other := must[translog.SignedCheckpoint](t)(translog.Sign(c, public("log"), logSigner{}))
	for name, note := range map[string][]byte{"forged": must[[]byte](t)(forged.Marshal()), "another log": must[[]byte](t)(other.Marshal()), "none": []byte("x"), "empty": {}} {
		o := w.options(t)
		o.Checkpoint = note
		if r := verify(t, data, o); !slices.Equal(failing(r), []string{"held-checkpoint"}) {
			t.Errorf("%s: %v", name, failing(r))
		}
	}
}

type strangerLog struct{}

func (strangerLog) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(private("stranger"), message), nil
}

// TestForeignLogKey exports a log whose key the recipient's trust root does not list.
func TestForeignLogKey(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(map[string]trust.Grant){
		"not listed":   func(g map[string]trust.Grant) { delete(g, "log") },
		"another role": func(g map[string]trust.Grant) { g["log"] = trust.Grant{Role: trust.Witness} },
	} {
		w.chain = newChain(t, "root", change)
		r := w.verify(t, w.write(t, nil))
		if !slices.Equal(failing(r), []string{"checkpoint"}) {
			t.Errorf("%s: %v", name, failing(r))
		}
	}
}

// TestRevokedLogKey exports a log whose key somebody else may hold.
func TestRevokedLogKey(t *testing.T) {
	w := newWorld(t)
	keyid := storetest.NewSigner("log").Public().KeyID()
	w.chain = newChain(t, "root", nil, func(e *trust.Edit) error {
		return e.Revoke(keyid, trust.Revocation{At: storetest.Start.AddDate(0, 0, -1), Reason: trust.Compromised})
	})
	r := w.verify(t, w.write(t, nil))
	fails(t, r, "checkpoint")
	if got := check(r, "checkpoint").Actual; !strings.Contains(got, "compromised") {
		t.Error(got)
	}
}

// TestExportersOwnTrust lets an exporter bring a trust root of his own, in which
// everything is in order.
func TestExportersOwnTrust(t *testing.T) {
	w := newWorld(t)
	own := w
	own.chain = newChain(t, "stranger", nil)
	data := own.write(t, nil)
	if r := own.verify(t, data); r.Result != export.Pass {
		t.Fatal(describe(r))
	}
	r := w.verify(t, data)
	if got := failing(r); !slices.Contains(got, "trust") || r.Result != export.Fail || r.Tally.Verified != 0 {
		t.Errorf("%v\n%s", got, describe(r))
	}
	extend := w.options(t)
	extend.Trust = func(files map[string][]byte) (trust.Authority, error) {
		chain, err := w.chain.Extend(files)
		if err != nil {
			return nil, err
		}
		return chain.At(storetest.Start, trust.Options{})
	}
	if got := failing(verify(t, data, extend)); !slices.Contains(got, "trust") {
		t.Errorf("extended: %v", got)
	}
	// A recipient who does not even look at the files finds two documents of one version.
	ignore := w.options(t)
	ignore.Trust = func(map[string][]byte) (trust.Authority, error) { return authority(t, w.chain), nil }
	fails(t, verify(t, data, ignore), "trust")
}

func TestNobodyTrusted(t *testing.T) {
	w := newWorld(t)
	data := w.write(t, nil)
	for name, load := range map[string]func(map[string][]byte) (trust.Authority, error){
		"no loader":    nil,
		"no authority": func(map[string][]byte) (trust.Authority, error) { return nil, nil },
		"an error":     func(map[string][]byte) (trust.Authority, error) { return nil, errors.New("x") },
		"both":         func(map[string][]byte) (trust.Authority, error) { return authority(t, w.chain), errors.New("x") },
		"one key":      func(map[string][]byte) (trust.Authority, error) { return trust.SingleKey(auditor.Public()), nil },
	} {
		o := w.options(t)
		o.Trust = load
		if r := verify(t, data, o); r.Result != export.Fail || r.Tally.Verified != 0 || r.Exporter != "" {
			t.Errorf("%s: %s by %q", name, r.Result, r.Exporter)
		}
	}
}

// TestOldTrust judges by a trust root past its last day.
func TestOldTrust(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	load := func(opts trust.Options) func(map[string][]byte) (trust.Authority, error) {
		return func(map[string][]byte) (trust.Authority, error) {
			return w.chain.At(storetest.Start.AddDate(11, 0, 0), opts)
		}
	}
	data := w.write(t, nil)
	o.Trust = load(trust.Options{})
	fails(t, verify(t, data, o), "trust-current")
	o.Trust = load(trust.Options{AllowExpired: true})
	if r := verify(t, data, o); r.Result != export.Pass || len(r.Notes) == 0 {
		t.Errorf("allowed: %s, %v", r.Result, r.Notes)
	}
}

// TestSigners seals an export with keys that are no auditor's for it.
func TestSigners(t *testing.T) {
	w := newWorld(t)
	age := func(i *export.Index) { i.Query.Projects = []string{"age"} }
	for name, tc := range map[string]struct {
		by, person string
		index      func(*export.Index)
	}{
		"operator":            {"operator", "operator", nil},
		"log":                 {"log", "log", nil},
		"stranger":            {"stranger", "auditor", nil},
		"another's name":      {"auditor", "ada", nil},
		"auditor of one":      {"age-auditor", "age-auditor", nil},
		"auditor of the half": {"age-auditor", "age-auditor", func(i *export.Index) { i.Query.Projects = []string{"age", "sops"} }},
	} {
		t.Run(name, func(t *testing.T) {
			u := unpack(t, w.write(t, nil)).reseal(t, storetest.NewSigner(tc.by), tc.person, tc.index)
			if got := failing(w.verify(t, u.pack(t))); !slices.Contains(got, "signature") {
				t.Errorf("%v", got)
			}
		})
	}
	u := unpack(t, w.write(t, func(s *export.Source) { s.Query.Projects = []string{"age"} }))
	if r := w.verify(t, u.reseal(t, storetest.NewSigner("age-auditor"), "age-auditor", nil).pack(t)); r.Result != export.Pass {
		t.Error(describe(r))
	}
	u = unpack(t, w.write(t, func(s *export.Source) { s.Completeness = export.Complete }))
	fails(t, w.verify(t, u.reseal(t, storetest.NewSigner("age-auditor"), "age-auditor", age).pack(t)), "signature")
	u = unpack(t, w.write(t, nil))
	i := bytes.Index(u.files["export.sigstore.json"], []byte(`"sig":"`)) + 12
	u.files["export.sigstore.json"][i] ^= 3
	fails(t, w.verify(t, u.pack(t)), "signature")
}

// TestRightIsTheRecipients exports records whose signer the trust root no longer lets
// sign them.
func TestRightIsTheRecipients(t *testing.T) {
	w := newWorld(t)
	w.chain = newChain(t, "root", func(g map[string]trust.Grant) {
		grant := g["grace"]
		grant.PredicateTypes = []string{storetest.ApprovalType}
		g["grace"] = grant
	})
	r := w.verify(t, w.write(t, nil))
	fails(t, r, "record-signature")
	if r.Records[3].Result != export.Fail || r.Records[2].Result != export.Pass {
		t.Errorf("%+v", r.Records)
	}
}

// TestRightsSinceRecording shows that a record which the log has without a key stays
// unverified, whatever the trust root says later.
func TestRightsSinceRecording(t *testing.T) {
	w := newWorld(t)
	w.chain = newChain(t, "root", func(g map[string]trust.Grant) {
		g["stranger"] = trust.Grant{Role: trust.Attest, Projects: []string{"*"}, PredicateTypes: []string{storetest.UnknownType}}
	})
	r := w.verify(t, w.write(t, nil))
	if r.Result != export.Pass || r.Tally.Unverified != 1 || r.Records[5].Result != export.NotChecked || r.Records[5].Signer.Person != "" {
		t.Errorf("%+v, %+v", r.Tally, r.Records[5])
	}
}

// TestNamedTrust signs a statement that names a trust root which is not there.
func TestNamedTrust(t *testing.T) {
	w := newWorld(t)
	o := w.options(t)
	o.Trust = func(map[string][]byte) (trust.Authority, error) { return authority(t, w.chain), nil }
	for name, tc := range map[string]struct {
		named export.TrustVersion
		want  string
	}{
		"another version": {export.TrustVersion{Version: 2, Digest: w.chain.Digest()}, "index"},
		"another digest":  {export.TrustVersion{Version: 2, Digest: trust.Digest(nil)}, "index"},
		"no digest":       {export.TrustVersion{Version: 2, Digest: "sha256:"}, "signature"},
		"nothing":         {export.TrustVersion{}, "signature"},
	} {
		u := unpack(t, w.write(t, nil))
		u.says = func(p *export.Predicate) { p.Trust = tc.named }
		if r := verify(t, u.reseal(t, auditor, "auditor", nil).pack(t), o); r.Result != export.Fail || !slices.Contains(failing(r), tc.want) {
			t.Errorf("%s: %v", name, failing(r))
		}
	}
}
