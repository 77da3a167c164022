package trust

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/envelope"
)

func expect(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v: expected the word %q", err, w)
		}
	}
}

func TestWholeChain(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	must(t, e.AddKey(signer("new root").Public(), Key{Person: "grace"}))
	must(t, e.Grant(Grant{KeyID: keyid("new root"), Role: Root}))
	must(t, e.Retire(keyid("root-grace"), date("2026-03-01")))
	h.add(e, "root-ada", "root-grace", "new root")
	h.add(h.next("2026-04-01"), "new root", "root-third")
	for n := 1; n <= 3; n++ {
		c, err := Load(h.files, Digest(h.files[FileName(n)]))
		if err != nil {
			t.Fatalf("pinned version %d: %v", n, err)
		}
		if c.Newest().Version != 3 || c.Digest() != Digest(h.files["3.trust.json"]) {
			t.Errorf("pinned version %d: arrived at version %d", n, c.Newest().Version)
		}
	}
}

func TestPackageWithItsOwnTrust(t *testing.T) {
	mine := newHistory(t)
	e := New(date("2026-01-01"), date("2027-01-01"))
	e.Person(Person{"ada", "Ada", "ada@example.com"})
	must(t, e.AddKey(signer("forger").Public(), Key{Person: "ada"}))
	must(t, e.Grant(Grant{KeyID: keyid("forger"), Role: Root}))
	forged := &history{t: t, files: map[string][]byte{}}
	forged.add(e, "forger")
	_, err := Load(forged.files, mine.pin())
	expect(t, err, ErrPin)
	_, err = mine.load().Extend(forged.files)
	expect(t, err, ErrFork)
}

func TestCutBeforeTheRevocation(t *testing.T) {
	h := newHistory(t)
	memory := mapMemory{}
	must(t, h.load().Remember(memory))
	e := h.next("2026-03-02")
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-03-02")}))
	h.add(e, "root-ada", "root-third")
	must(t, h.load().Remember(memory))
	if r := h.at("2026-04-01", Options{}).Rule(byReleaser()); r.Outcome != Denied {
		t.Errorf("the whole directory: %v", r)
	}

	cut, err := Load(h.until(1), h.pin())
	must(t, err)
	a, err := cut.At(date("2026-04-01"), Options{})
	must(t, err)
	if f := a.Facts(); f.Version != 1 || f.Digest != h.pin() || f.Age.Hours() != 90*24 {
		t.Errorf("without memory the verdict has to show what it stands on: %+v", f)
	}
	expect(t, cut.Remember(memory), ErrRollback, "version 1", "version 2")
	_, err = cut.At(date("2026-04-01"), Options{MinVersion: 2})
	expect(t, err, ErrMinVersion)
	late, err := cut.At(date("2027-01-01"), Options{})
	must(t, err)
	if f := late.Facts(); f.Current != Unproved || f.CurrentReason == "" {
		t.Errorf("an expired version is current: %+v", f)
	}
}

func TestTwoDocumentsOfOneVersion(t *testing.T) {
	h := newHistory(t)
	one, other := h.clone(), h.clone()
	one.add(one.next("2026-03-01"), "root-ada", "root-grace")
	other.add(other.next("2026-03-02"), "root-ada", "root-third")
	memory := mapMemory{}
	must(t, one.load().Remember(memory))
	must(t, one.load().Remember(memory))
	expect(t, other.load().Remember(memory), ErrFork, "version 2")
	other.add(other.next("2026-04-01"), "root-ada", "root-third")
	expect(t, other.load().Remember(memory), ErrFork, "version 2")
	if memory[h.pin()].Digest != one.load().Digest() {
		t.Error("the fork was remembered")
	}
	_, err := one.load().Extend(other.files)
	expect(t, err, ErrFork, "version 2")
}

func TestOneStolenRootKey(t *testing.T) {
	h := newHistory(t)
	own := &history{t: t, files: map[string][]byte{}}
	e := firstEdit(t)
	e.Threshold(Root, 1)
	own.add(e, "root-ada")
	_, err := Load(own.files, h.pin())
	expect(t, err, ErrPin)

	next := h.clone()
	next.add(next.next("2026-03-01"), "root-ada")
	_, err = Load(next.files, h.pin())
	expect(t, err, ErrThreshold, "2.trust.json", "1 of 2 persons")
}

func TestLoweredThreshold(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	e.Threshold(Root, 1)
	h.add(e, "root-ada")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrThreshold, "version 1's root role")
	h.sign(2, "root-grace")
	if _, err := Load(h.files, h.pin()); err != nil {
		t.Errorf("lowered by those who may: %v", err)
	}
	h.add(h.next("2026-04-01"), "root-third")
	if _, err := Load(h.files, h.pin()); err != nil {
		t.Errorf("one of one: %v", err)
	}
}

func TestRaisedThresholdBindsItself(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	e.Threshold(Root, 3)
	h.add(e, "root-ada", "root-grace")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrThreshold, "2 of 3 persons of version 2's root role")
}

func TestSignedByNewKeysOnly(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	for _, person := range []string{"ada", "grace"} {
		must(t, e.AddKey(signer("new "+person).Public(), Key{Person: person}))
		must(t, e.Grant(Grant{KeyID: keyid("new " + person), Role: Root}))
	}
	h.add(e, "new ada", "new grace")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrThreshold, "0 of 2 persons of version 1's root role")
}

func TestDuplicatedSignature(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-03-01"), "root-ada")
	ada := BundleName(2, signer("root-ada").Public())
	grace := BundleName(2, signer("root-grace").Public())
	for _, name := range []string{grace, "2.trust.0000000000000000.sigstore.json", strings.ToUpper(ada), "2.trust.sigstore.json", "02" + ada[1:]} {
		files := maps.Clone(h.files)
		files[name] = files[ada]
		_, err := Load(files, h.pin())
		expect(t, err, ErrForeignFile)
	}
	files := maps.Clone(h.files) // the same signature, under the id of another key
	b, err := envelope.ParseBundle(files[ada])
	must(t, err)
	b.KeyID = keyid("root-grace")
	files[grace], err = b.Marshal()
	must(t, err)
	_, err = Load(files, h.pin())
	expect(t, err, envelope.ErrSignature)
}

// A signature over the same bytes as something else than a trust document.
func TestAnotherPayloadType(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-03-01"), "root-ada")
	b, err := envelope.Sign(signer("root-grace"), "application/vnd.in-toto+json", h.files["2.trust.json"])
	must(t, err)
	h.files[BundleName(2, signer("root-grace").Public())], err = b.Marshal()
	must(t, err)
	if _, err := Load(h.files, h.pin()); err == nil || !strings.Contains(err.Error(), "signs something else") {
		t.Errorf("got %v", err)
	}
}

func TestTwoKeysOfOnePerson(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-02-01")
	must(t, e.AddKey(signer("second of ada").Public(), Key{Person: "ada"}))
	must(t, e.Grant(Grant{KeyID: keyid("second of ada"), Role: Root}))
	h.add(e, "root-ada", "root-grace")
	h.add(h.next("2026-03-01"), "root-ada", "second of ada")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrThreshold, "1 of 2 persons")
}

func TestThresholdNobodyCanMeet(t *testing.T) {
	e := firstEdit(t)
	e.Threshold(Root, 4)
	if _, err := e.Document(); err == nil || !strings.Contains(err.Error(), "3 persons hold a root key that may sign, the threshold is 4") {
		t.Errorf("four of three: %v", err)
	}
	e.Threshold(Root, 3)
	must(t, e.Revoke(keyid("root-ada"), Revocation{At: date("2026-01-01")}))
	if _, err := e.Document(); err == nil || !strings.Contains(err.Error(), "2 persons") {
		t.Errorf("three of which one is revoked: %v", err)
	}
	for _, n := range []int{0, -1} {
		e := firstEdit(t)
		e.Threshold(Root, n)
		if _, err := e.Document(); err == nil || !strings.Contains(err.Error(), "expected 1 or more") {
			t.Errorf("threshold %d: %v", n, err)
		}
	}
}

// A root key that was revoked, that is not valid at the date that the version
// claims, or that has another role, does not count and is not tolerated either.
func TestRootKeysThatDoNotCount(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-02-01")
	must(t, e.Revoke(keyid("root-third"), Revocation{At: date("2026-01-15")}))
	must(t, e.AddKey(signer("late").Public(), Key{Person: "third", NotBefore: date("2026-06-01")}))
	must(t, e.AddKey(signer("early").Public(), Key{Person: "third", NotAfter: date("2026-02-15")}))
	for _, name := range []string{"late", "early"} {
		must(t, e.Grant(Grant{KeyID: keyid(name), Role: Root}))
	}
	h.add(e, "root-ada", "root-grace")
	h.add(h.next("2026-03-01"), "root-ada")
	for name, words := range map[string]string{
		"root-third": "revoked as compromised",
		"late":       "not valid before 2026-06-01",
		"early":      "not valid after 2026-02-15",
		"approver":   "is an approver, not a root key",
		"stranger":   "does not list",
	} {
		bad := h.clone()
		bad.sign(3, name)
		if _, err := Load(bad.files, h.pin()); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v, want %q", name, err, words)
		}
	}
}

// The version before may be signed for by a key that the new version retires or
// revokes; the new version's own role not.
func TestRevokedInTheVersionItSigns(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-02-01")
	must(t, e.Revoke(keyid("root-third"), Revocation{At: date("2026-01-15")}))
	h.add(e, "root-ada", "root-third")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrThreshold, "1 of 2 persons of version 2's root role")
	h.sign(2, "root-grace")
	if _, err := Load(h.files, h.pin()); err != nil {
		t.Error(err)
	}
}
