package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence/keyless"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// sidecar is the directory beside a package for what was made later.
func sidecar(name string) string {
	return strings.TrimSuffix(filepath.Clean(name), ".zip") + ".evidence"
}

// sidecarBundles reads the keyless bundles beside a package, and returns how to verify
// them against a Sigstore trusted root, nil without one.
func (p *program) sidecarBundles(name, trustedRoot string, authority trust.Authority) ([]release.SidecarBundle, release.BundleVerifier, error) {
	var bundles []release.SidecarBundle
	dir := sidecar(name)
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) && file == dir {
			return fs.SkipAll
		}
		path, isBundle := strings.CutSuffix(file, ".sigstore.json")
		if err != nil || e.IsDir() || !isBundle {
			return err
		}
		data, err := readFile(file, keyless.MaxBundle)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		bundles = append(bundles, release.SidecarBundle{Path: filepath.ToSlash(relative), Data: data})
		return err
	})
	if err != nil || trustedRoot == "" {
		return bundles, nil, err
	}
	if err := refuseInside(trustedRoot, name); err != nil {
		return nil, nil, err
	}
	root, err := readFile(trustedRoot, keyless.MaxTrustedRoot)
	if err != nil {
		return nil, nil, err
	}
	verifier, err := keyless.New(root, keyless.Options{})
	if err != nil {
		return nil, nil, failure{exitEvidence, trustedRoot + ": " + err.Error(), "get the trusted_root.json of the Sigstore instance"}
	}
	return bundles, verifyAsListed(verifier, authority), nil
}

// verifyAsListed tries each identity that the trust root lists: a bundle counts for
// somebody who is named there, or for nobody.
func verifyAsListed(verifier *keyless.Verifier, authority trust.Authority) release.BundleVerifier {
	return func(bundle []byte, sha256Hex string) (trust.Identity, string, error) {
		err := errors.New("the trust root lists no identity")
		for _, id := range trust.Identities(authority) {
			var result *keyless.Result
			if result, err = verifyAs(verifier, bundle, sha256Hex, id); err != nil {
				var staged *keyless.StageError
				if errors.As(err, &staged) && staged.Stage == keyless.StageIdentity {
					continue
				}
				return trust.Identity{}, "", err
			}
			if result.Statement == nil {
				return id, "", nil
			}
			return id, result.Statement.PredicateType, nil
		}
		return trust.Identity{}, "", err
	}
}

func verifyAs(verifier *keyless.Verifier, bundle []byte, sha256Hex string, id trust.Identity) (*keyless.Result, error) {
	subject, err := keyless.Exact(id.Subject)
	if err != nil {
		return nil, err
	}
	issuer, err := keyless.Exact(id.Issuer)
	if err != nil {
		return nil, err
	}
	artifact, err := keyless.Digest(sha256Hex)
	if err != nil {
		return nil, err
	}
	return verifier.Verify(bundle, artifact, keyless.Identity{Subject: subject, Issuer: issuer})
}
