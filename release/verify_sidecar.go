package release

import (
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

// A SidecarBundle is a Sigstore bundle of a keyless identity that was made after the
// package and lies beside it, in <name>-<version>.evidence/<path>.sigstore.json.
type SidecarBundle struct {
	Path string // of the package's file that it is about
	Data []byte
}

// A BundleVerifier verifies a keyless bundle over a file with the given hex sha256. It
// returns whom the certificate names and the predicate type, "" for a signature
// without a statement. evidence/keyless has the one implementation; package
// verification never links it.
type BundleVerifier func(bundle []byte, sha256Hex string) (signer trust.Identity, predicateType string, err error)

// checkSidecar checks each keyless bundle: it verifies, and the trust root lets its
// identity sign such a thing for this project.
func (v *verification) checkSidecar() {
	for _, b := range v.opts.Sidecar {
		if v.opts.Keyless == nil || v.opts.Authority == nil {
			v.notChecked(checkSidecarID, archive.Printable(b.Path), "a keyless bundle needs --trusted-root and a trust root that names its identity")
			continue
		}
		v.outcome(checkSidecarID, archive.Printable(b.Path), problemList(v.sidecarProblem(b)))
	}
}

func (v *verification) sidecarProblem(b SidecarBundle) *problem {
	const hint = "remove the bundle from beside the package, or get the right one"
	shown := archive.Printable(b.Path)
	file, exists := v.files[b.Path]
	if !exists {
		return new(wrong(shown, "a file of the package", "missing", hint))
	}
	signer, predicateType, err := v.opts.Keyless(b.Data, file.sha256)
	if err != nil {
		return new(wrong(shown, "a keyless bundle of an identity that the trust root names", archive.Printable(err.Error()), hint))
	}
	use := v.use("", predicateType)
	use.Identity = signer
	if predicateType != "" {
		use.Role = "" // the predicate type says it
	}
	ruling := v.opts.Authority.Rule(use)
	if ruling.Outcome != trust.Granted {
		return new(wrong(shown, "a signature that counts", archive.Printable(ruling.Reason), ruling.Hint))
	}
	v.note(ruling.Notes...)
	v.note(archive.Printable(b.Path + " is also signed by " + signer.Subject + " of " + signer.Issuer))
	return nil
}
