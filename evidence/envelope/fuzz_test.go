package envelope

import (
	"bytes"
	"testing"
)

func FuzzBundleHasOneEncoding(f *testing.F) {
	f.Add(signed(f, newSigner(1)))
	f.Add([]byte(`{"mediaType":"` + MediaType + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBundle(data)
		if err != nil {
			return
		}
		again, err := b.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
	})
}

func FuzzDocumentHasOneEncoding(f *testing.F) {
	good, _ := Encode(document{Name: "a", Items: []document{{}}, Map: map[string]string{"a": "b"}, Any: []any{1.5, "x", nil}})
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d document
		if Decode(data, &d) != nil {
			return
		}
		if again, err := Encode(d); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
	})
}

func FuzzPublicKeyNeverPanics(f *testing.F) {
	k := newSigner(1).Public()
	text, _ := k.PEM()
	f.Add(text)
	f.Add([]byte(k.OpenSSH()))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParsePublicKey(data)
		if err != nil {
			return
		}
		if again, err := ParsePublicKey([]byte(k.OpenSSH())); err != nil || !again.Equal(k) {
			t.Errorf("%q does not survive its OpenSSH line: %v", data, err)
		}
	})
}
