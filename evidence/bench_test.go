package evidence_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// BenchmarkExamine compares the examination of a bundle of about 2 KB with the one
// thing in it that can't be made cheaper: verifying an Ed25519 signature.
func BenchmarkExamine(b *testing.B) {
	data := storetest.Envelope(ada, storetest.RolloutType, subjects, storetest.Story{})
	intake := storetest.Intake()
	b.Run("examine", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := intake.Examine(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	bundle, err := envelope.ParseBundle(data)
	if err != nil {
		b.Fatal(err)
	}
	public := ada.Public().Crypto().(ed25519.PublicKey)
	message := envelope.PAE(evidence.PayloadType, bundle.Payload)
	b.Run("ed25519", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(public, message, bundle.Signature) {
				b.Fatal("bad signature")
			}
		}
	})
}
