package trust

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestForeignFiles(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-02-01"), "root-ada", "root-grace")
	good := h.files["2.trust.json"]
	for name, tc := range map[string]struct {
		file string
		data []byte
		want error
	}{
		"readme":            {"README.md", nil, ErrForeignFile},
		"other directory":   {"old/1.trust.json", h.files["1.trust.json"], ErrForeignFile},
		"leading zero":      {"03.trust.json", good, ErrForeignFile},
		"version zero":      {"0.trust.json", good, ErrForeignFile},
		"huge version":      {"1000000.trust.json", good, ErrForeignFile},
		"upper case":        {"3.TRUST.JSON", good, ErrForeignFile},
		"another number":    {"3.trust.json", good, ErrForeignFile},
		"bundle alone":      {"3.trust.0123456789abcdef.sigstore.json", h.files[BundleName(2, signer("root-ada").Public())], ErrForeignFile},
		"line end in name":  {"3.trust.json\n", good, ErrForeignFile},
		"bundle of another": {BundleName(1, signer("root-third").Public()), h.files[BundleName(2, signer("root-ada").Public())], nil},
		"damaged bundle":    {BundleName(2, signer("root-third").Public()), []byte("{}"), nil},
		"damaged document":  {"3.trust.json", []byte("{}"), nil},
	} {
		files := maps.Clone(h.files)
		files[tc.file] = tc.data
		_, err := Load(files, h.pin())
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGaps(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-02-01"), "root-ada", "root-grace")
	h.add(h.next("2026-03-01"), "root-ada", "root-grace")
	for _, missing := range []string{"1.trust.json", "2.trust.json"} {
		files := maps.Clone(h.files)
		delete(files, missing)
		_, err := Load(files, Digest(h.files["3.trust.json"]))
		expect(t, err, ErrGap, missing)
	}
	_, err := Load(map[string][]byte{}, h.pin())
	expect(t, err, ErrGap)
	files := h.until(2)
	delete(files, "2.trust.json") // its bundles stay
	_, err = Load(files, h.pin())
	expect(t, err, ErrForeignFile)
}

func TestEverySignatureIsNeeded(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-02-01"), "root-ada", "root-grace")
	for name := range h.files {
		if !strings.HasSuffix(name, ".sigstore.json") {
			continue
		}
		files := maps.Clone(h.files)
		delete(files, name)
		_, err := Load(files, h.pin())
		expect(t, err, ErrThreshold)
	}
}

func TestEveryBitFlip(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-02-01"), "root-ada", "root-grace")
	for name, data := range h.files {
		for i := 0; i < len(data); i += 29 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << (i % 8)
			files := maps.Clone(h.files)
			files[name] = bad
			if _, err := Load(files, h.pin()); err == nil {
				t.Fatalf("%s with byte %d changed loads", name, i)
			}
		}
	}
}

func TestPinForms(t *testing.T) {
	h := newHistory(t)
	for _, pin := range []string{"", "sha256:", keyid("root-ada"), strings.ToUpper(h.pin()), h.pin()[7:], h.pin() + " ", "sha512:" + h.pin()[7:]} {
		if _, err := Load(h.files, pin); err == nil || !strings.Contains(err.Error(), "a pin is") {
			t.Errorf("%q: %v", pin, err)
		}
	}
}

// What one version said of a key, the next may not take back, nor may one that
// follows a version without it.
func TestRevocationsStay(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	must(t, e.Revoke(keyid("releaser"), Revocation{At: date("2026-02-01")}))
	must(t, e.Retire(keyid("approver"), date("2026-02-01")))
	h.add(e, "root-ada", "root-grace")
	edit := func(change func(d *Document, k *Key)) *history {
		bad := h.clone()
		d := bad.next("2026-04-01").doc
		for i := range d.Keys {
			change(&d, &d.Keys[i])
		}
		bad.add(&Edit{d}, "root-ada", "root-grace")
		return bad
	}
	for name, change := range map[string]func(*Document, *Key){
		"valid again":       func(_ *Document, k *Key) { k.Revoked = nil },
		"later":             func(_ *Document, k *Key) { moved(k, "2026-02-02") },
		"milder":            func(_ *Document, k *Key) { milder(k) },
		"of another person": func(_ *Document, k *Key) { stolen(k) },
	} {
		_, err := Load(edit(change).files, h.pin())
		if !errors.Is(err, ErrStep) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Document, *Key){
		"as it was": func(*Document, *Key) {},
		"earlier":   func(_ *Document, k *Key) { moved(k, "2026-01-15") },
		"graver":    func(_ *Document, k *Key) { graver(k) },
	} {
		if _, err := Load(edit(change).files, h.pin()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	without := h.next("2026-04-01")
	must(t, without.RemoveKey(keyid("releaser")))
	h.add(without, "root-ada", "root-grace")
	back := h.next("2026-05-01")
	must(t, back.AddKey(signer("releaser").Public(), Key{Person: "ada"}))
	h.add(back, "root-ada", "root-grace")
	_, err := Load(h.files, h.pin())
	expect(t, err, ErrStep, "valid again")
}

func moved(k *Key, day string) {
	if k.Revoked != nil {
		k.Revoked.At = date(day)
	}
}

func milder(k *Key) {
	if k.Revoked != nil {
		k.Revoked.Reason = Retired
	}
}

func graver(k *Key) {
	if k.Revoked != nil {
		k.Revoked.Reason = Compromised
	}
}

func stolen(k *Key) {
	if k.KeyID == keyid("approver") {
		k.Person = "third"
	}
}

func TestStepsFollow(t *testing.T) {
	h := newHistory(t)
	h.add(h.next("2026-03-01"), "root-ada", "root-grace")
	bad := h.clone()
	d := bad.next("2026-04-01").doc
	d.Previous = h.pin()
	bad.add(&Edit{d}, "root-ada", "root-grace")
	_, err := Load(bad.files, h.pin())
	expect(t, err, ErrStep, "follows")

	bad = h.clone()
	d = bad.next("2026-04-01").doc
	d.Issued = date("2026-02-28")
	bad.add(&Edit{d}, "root-ada", "root-grace")
	_, err = Load(bad.files, h.pin())
	expect(t, err, ErrStep, "issued")
}

func TestExtend(t *testing.T) {
	h := newHistory(t)
	old := h.load()
	h.add(h.next("2026-03-01"), "root-ada", "root-grace")
	newer, err := old.Extend(h.files)
	must(t, err)
	if newer.Newest().Version != 2 || newer.Pin() != h.pin() {
		t.Errorf("moved to version %d", newer.Newest().Version)
	}
	if kept, err := newer.Extend(h.until(1)); err != nil || kept != newer {
		t.Errorf("a shorter chain changes nothing: %v", err)
	}
	pinned, err := Load(h.files, Digest(h.files["2.trust.json"]))
	must(t, err)
	if _, err := pinned.Extend(h.until(1)); err != nil {
		t.Errorf("a package from before the pin: %v", err)
	}
	h.add(h.next("2026-04-01"), "root-ada")
	_, err = newer.Extend(h.files)
	expect(t, err, ErrThreshold)
	d, err := Read(h.files)
	must(t, err)
	if _, err := Load(d.Complete(), h.pin()); err != nil {
		t.Errorf("without its unfinished version: %v", err)
	}
}

// TestAtVersion looks back: what an older version said is judged by that version and
// at that time, and by no other document of its number.
func TestAtVersion(t *testing.T) {
	h := newHistory(t)
	e := h.next("2026-03-01")
	must(t, e.Revoke(keyid("approver"), Revocation{At: date("2026-02-20"), Reason: Compromised}))
	h.add(e, "root-ada", "root-grace")
	c := h.load()
	approval := Use{KeyID: keyid("approver"), Role: Approver, Project: "age", Environment: "production", Ring: "production"}
	for _, tc := range []struct {
		version int
		digest  string
		at      string
		want    Outcome
	}{
		{1, Digest(h.files["1.trust.json"]), "2026-02-15", Granted},
		{2, Digest(h.files["2.trust.json"]), "2026-03-02", Denied},
		{1, Digest(h.files["1.trust.json"]), "1999-01-01", Denied}, // before the key's first day
	} {
		a, err := c.AtVersion(tc.version, tc.digest, date(tc.at))
		must(t, err)
		if got := a.Rule(approval); got.Outcome != tc.want {
			t.Errorf("version %d at %s: %v, expected %v: %s", tc.version, tc.at, got.Outcome, tc.want, got.Reason)
		}
		if f := a.Facts(); f.Version != tc.version || f.Digest != tc.digest {
			t.Errorf("facts say version %d, %s", f.Version, f.Digest)
		}
	}
	for version, digest := range map[int]string{
		0: Digest(h.files["1.trust.json"]), 3: Digest(h.files["2.trust.json"]), 1: Digest(h.files["2.trust.json"]), 2: "",
	} {
		if _, err := c.AtVersion(version, digest, date("2026-03-02")); err == nil {
			t.Errorf("version %d with digest %q is accepted", version, digest)
		}
	}
}
