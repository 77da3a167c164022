package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollproof/rollproof/evidence/keyless"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
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
	verifiers, err := instances(root)
	if err != nil {
		return nil, nil, failure{exitEvidence, trustedRoot + ": " + archive.Printable(err.Error()), "get the trusted_root.json of the Sigstore instance"}
	}
	return bundles, verifyAsListed(verifiers, authority), nil
}

// instances reads a trusted_root.json, or a trusted_root.jsonl with one for each
// Sigstore instance: GitHub attests public repositories with one and private ones with
// another, and "gh attestation trusted-root" prints both.
func instances(data []byte) ([]*keyless.Verifier, error) {
	var list []*keyless.Verifier
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var root json.RawMessage
		err := d.Decode(&root)
		if errors.Is(err, io.EOF) && len(list) > 0 {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not a trusted root: %w", err)
		}
		v, err := keyless.New(root, keyless.Options{})
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

// verifyAsListed tries each identity that the trust root lists: a bundle counts for
// somebody who is named there, or for nobody. One of the Sigstore instances must have
// issued it; that it is a stranger's there says more than what the others lack.
func verifyAsListed(instances []*keyless.Verifier, authority trust.Authority) release.BundleVerifier {
	return func(bundle []byte, sha256Hex string) (trust.Identity, string, error) {
		identities := trust.Identities(authority)
		if len(identities) == 0 {
			return trust.Identity{}, "", errors.New("the trust root lists no identity")
		}
		var stranger error
		var refusals []string
		for _, instance := range instances {
			id, predicateType, err := verifyAsOneOf(instance, bundle, sha256Hex, identities)
			if err == nil {
				return id, predicateType, nil
			}
			if atIdentity(err) {
				stranger = nameStranger(instance, bundle, sha256Hex, err)
			}
			refusals = append(refusals, err.Error())
		}
		if stranger == nil {
			stranger = errors.New(strings.Join(refusals, "; "))
		}
		return trust.Identity{}, "", stranger
	}
}

// verifyAsOneOf verifies a bundle as one of the identities.
func verifyAsOneOf(verifier *keyless.Verifier, bundle []byte, sha256Hex string, identities []trust.Identity) (id trust.Identity, predicateType string, err error) {
	for _, id = range identities {
		var result *keyless.Result
		result, err = verifyAs(verifier, bundle, sha256Hex, id)
		switch {
		case err != nil && atIdentity(err):
			continue
		case err != nil:
			return id, "", err
		case result.Statement != nil:
			predicateType = result.Statement.PredicateType
		}
		return id, predicateType, nil
	}
	return id, "", err
}

// atIdentity reports whether a bundle is good but somebody else's.
func atIdentity(err error) bool {
	var staged *keyless.StageError
	return errors.As(err, &staged) && staged.Stage == keyless.StageIdentity
}

// nameStranger says whose a good bundle is that no listed identity made. Its answer is
// a refusal whatever it finds.
func nameStranger(verifier *keyless.Verifier, bundle []byte, sha256Hex string, refusal error) error {
	anybody, err := keyless.Pattern(".*")
	if err != nil {
		return refusal
	}
	artifact, err := keyless.Digest(sha256Hex)
	if err != nil {
		return refusal
	}
	result, err := verifier.Verify(bundle, artifact, keyless.Identity{Subject: anybody, Issuer: anybody})
	if err != nil {
		return refusal
	}
	return fmt.Errorf("identity: signed by %s of %s, whom the trust root does not list", result.Signer.Subject, result.Signer.Issuer)
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
