package trust

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence/envelope"
)

func TestEditOperations(t *testing.T) {
	h := newHistory(t)
	for name, tc := range map[string]struct {
		run  func(e *Edit) error
		want string
	}{
		"key twice":     {func(e *Edit) error { return e.AddKey(signer("releaser").Public(), Key{Person: "grace"}) }, "already listed, as a key of ada"},
		"no key":        {func(e *Edit) error { return e.AddKey(envelope.PublicKey{}, Key{Person: "ada"}) }, "no key to add"},
		"remove nobody": {func(e *Edit) error { return e.RemovePerson("nobody") }, `no person "nobody"`},
		"remove no key": {func(e *Edit) error { return e.RemoveKey(keyid("stray")) }, "no key"},
		"retire no key": {func(e *Edit) error { return e.Retire(keyid("stray"), date("2026-02-01")) }, "no key"},
		"grant twice": {func(e *Edit) error {
			return e.Grant(Grant{KeyID: keyid("releaser"), Role: Releaser, Projects: []string{"age"}})
		}, "already listed"},
		"withdraw no grant": {func(e *Edit) error {
			return e.Withdraw(Grant{KeyID: keyid("releaser"), Role: Releaser, Projects: []string{"rage"}})
		}, "no such grant"},
		"scope of no name": {func(e *Edit) error {
			return e.Grant(Grant{KeyID: keyid("releaser"), Role: Releaser, Projects: []string{"a b"}})
		}, "is no name"},
		"environment": {func(e *Edit) error {
			return e.Grant(Grant{KeyID: keyid("releaser"), Role: Releaser, Projects: []string{"x"}, Environments: []string{"production"}})
		}, "the role knows no environments"},
		"no such identity": {func(e *Edit) error { return e.RemoveIdentity(Identity{"a", "b"}) }, "no identity"},
		"remove with keys": {func(e *Edit) error { must(t, e.RemovePerson("ada")); return finish(e) }, "not among the people"},
		"second role": {func(e *Edit) error {
			must(t, e.Grant(Grant{KeyID: keyid("releaser"), Role: Verifier, Projects: []string{"age"}}))
			return finish(e)
		}, "one key has one role"},
		"expires before": {func(e *Edit) error { e.Expires(date("2026-01-01")); return finish(e) }, "expires"},
		"retire compromised": {func(e *Edit) error {
			must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-01")}))
			return e.Retire(keyid("releaser"), date("2026-01-01"))
		}, "now as retired"},
		"revoked later": {func(e *Edit) error {
			must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-01")}))
			return e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-02")})
		}, "now only since"},
	} {
		if err := tc.run(h.next("2026-03-01")); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
	if _, err := h.last.Next(date("2025-12-31")); err == nil {
		t.Error("a version from before the one before")
	}
}

func finish(e *Edit) error {
	_, err := e.Document()
	return err
}

func TestEditLeavesTheOldVersion(t *testing.T) {
	h := newHistory(t)
	before, err := h.last.Marshal()
	must(t, err)
	e := h.next("2026-03-01")
	e.Person(Person{"ada", "Ada King", ""})
	e.Threshold(Root, 3)
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-01"), Keep: []string{Digest([]byte("b")), Digest([]byte("a"))}}))
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-01"), Keep: []string{Digest([]byte("c")), Digest([]byte("a"))}}))
	must(t, e.RemoveKey(keyid("attester")))
	must(t, e.Withdraw(Grant{KeyID: keyid("approver"), Role: Approver, Projects: []string{"*"}, Environments: []string{"production"}, Rings: []string{"production", "pilot"}}))
	must(t, e.Grant(Grant{KeyID: keyid("releaser"), Role: Releaser, Projects: []string{"rage", "age2"}, Environments: []string{"*"}, Rings: []string{"*"}}))
	d, err := e.Document()
	must(t, err)
	after, err := h.last.Marshal()
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the edit changed the version before")
	}
	if k, _ := d.key(keyid("releaser")); len(k.Revoked.Keep) != 3 {
		t.Errorf("kept digests do not add up: %v", k.Revoked.Keep)
	}
	var what []string
	for _, c := range Diff(h.last, d) {
		what = append(what, c.What+" "+c.Name+" "+presence(c.Before)+presence(c.After))
	}
	want := strings.Join([]string{
		"threshold root ++", "person ada ++",
		sorted("key "+keyid("attester")+" +-", "key "+keyid("releaser")+" ++"),
		sorted("grant "+keyid("attester")+" +-", "grant "+keyid("approver")+" +-", "grant "+keyid("releaser")+" -+"),
	}, "\n")
	if got := strings.Join(what, "\n"); got != want {
		t.Errorf("differences:\n%s\nwant:\n%s", got, want)
	}
	if same := Diff(d, d); same == nil || len(same) != 0 {
		t.Errorf("differences of a version from itself: %v", same)
	}
}

// Several edits make one version, as long as nobody has signed it.
func TestAmend(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	must(t, e.AddKey(signer("one").Public(), Key{Person: "grace"}))
	h.add(e)
	before, err := h.last.Marshal()
	must(t, err)
	e, err = h.last.Amend(date("2026-03-02"))
	must(t, err)
	must(t, e.AddKey(signer("two").Public(), Key{Person: "grace"}))
	h.add(e, "root-ada", "root-grace")
	if h.last.Version != 2 || h.last.Previous != h.pin() || !h.last.Issued.Equal(date("2026-03-02")) {
		t.Errorf("version %d after %s of %s", h.last.Version, h.last.Previous, h.last.Issued)
	}
	for name, want := range map[string]string{"one": "2026-03-02", "two": "2026-03-02", "releaser": "2026-01-01"} {
		if k, _ := h.last.key(keyid(name)); !k.NotBefore.Equal(date(want)) {
			t.Errorf("%s is valid from %s, want %s", name, k.NotBefore, want)
		}
	}
	if again, err := Parse(before); err != nil || len(again.Keys) != len(h.last.Keys)-1 {
		t.Errorf("the amended version was changed in place (%v)", err)
	}
	h.load()
}

func presence(v any) string {
	if v == nil {
		return "-"
	}
	return "+"
}

func sorted(lines ...string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestSignRefusesWhatWouldNotCount(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-03-01"))
	d, err := Read(h.files)
	must(t, err)
	if v := d.Votes()[1]; v.Complete() || v.Own != 0 || v.OwnNeeded != 2 || v.BeforeNeeded != 2 || len(v.MaySignStill) != 3 {
		t.Errorf("votes of an unsigned version: %+v", v)
	}
	if _, _, err := d.Sign(signer("approver"), 2); err == nil || !strings.Contains(err.Error(), "is an approver, not a root key") {
		t.Errorf("an approver: %v", err)
	}
	if _, _, err := d.Sign(signer("root-ada"), 3); err == nil {
		t.Error("signed a version that is not there")
	}
	for _, name := range []string{"root-ada", "root-third"} {
		file, data, err := d.Sign(signer(name), 2)
		must(t, err)
		h.files[file] = data
	}
	d, err = Read(h.files)
	must(t, err)
	if v := d.Votes()[1]; !v.Complete() || v.Own != 2 || v.Before != 2 || len(v.SignedBy) != 2 || len(v.MaySignStill) != 1 {
		t.Errorf("votes of a signed version: %+v", v)
	}
	h.load()
}
