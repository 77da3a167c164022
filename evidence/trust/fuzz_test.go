package trust

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzTrustDecodeIsExact(f *testing.F) {
	f.Add(fullDocument(f))
	d, err := firstEdit(f).Document()
	must(f, err)
	data, err := d.Marshal()
	must(f, err)
	f.Add(data)
	f.Add([]byte(`{"schema": "` + Schema + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		again, err := d.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
	})
}

// Whatever stands in a name, an accepted one shows as one script in NFC.
func FuzzNamesAreOneScript(f *testing.F) {
	for _, seed := range []string{"Ada", "Аda", "山田太郎", "Jose\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		if strings.ContainsFunc(name, func(r rune) bool {
			return r < ' ' || r == 0x7f || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e
		}) {
			t.Errorf("accepted %+q", name)
		}
		latin := strings.ContainsFunc(name, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' })
		cyrillic := strings.ContainsFunc(name, func(r rune) bool { return r >= 0x400 && r <= 0x4ff && r != 0x485 && r != 0x486 })
		if latin && cyrillic {
			t.Errorf("accepted %+q", name)
		}
	})
}

// Files that were never signed by two owners are never loaded.
func FuzzLoadNeedsThePin(f *testing.F) {
	h := newHistory(f)
	pin := h.pin()
	ada := BundleName(1, signer("root-ada").Public())
	f.Add(h.files["1.trust.json"], h.files[ada])
	f.Fuzz(func(t *testing.T, document, bundle []byte) {
		_, err := Load(map[string][]byte{"1.trust.json": document, ada: bundle}, pin)
		if err == nil {
			t.Error("loaded with one signature of two")
		}
	})
}
