package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/package-url/packageurl-go"
)

// Identifiers of the packages that a document has exactly once.
const (
	documentID  = "SPDXRef-DOCUMENT"
	releaseID   = "SPDXRef-Release"
	sourceID    = "SPDXRef-Source"
	stdID       = "SPDXRef-Std"
	toolchainID = "SPDXRef-Toolchain"
	binaryPref  = "SPDXRef-Binary-"
	modulePref  = "SPDXRef-Module-"
)

// Package purposes, SPDX 2.3 clause 7.24.
const (
	application = "APPLICATION"
	library     = "LIBRARY"
	sources     = "SOURCE"
)

// An identity is the part of a package entry that follows from what is in the
// binaries and the commit. Write makes entries from it; Read makes it again from
// an entry and compares.
type identity struct {
	id, name, version, file, purpose string
	comment                          string // lines "<word> <value>"
	refs                             []reference
}

// A reference is an external reference, SPDX 2.3 clause 7.21 and annex F.
type reference struct{ category, kind, locator string }

func purlReference(purl string) reference { return reference{"PACKAGE-MANAGER", "purl", purl} }

func releaseIdentity(project, version, module, moduleVersion string) identity {
	return identity{id: releaseID, name: project, version: version, purpose: application,
		refs: []reference{purlReference(modulePURL(module, moduleVersion, nil, ""))}}
}

func sourceIdentity(version, module, moduleVersion, commit, tree string) identity {
	return identity{id: sourceID, name: module, version: version, purpose: sources, refs: []reference{
		purlReference(modulePURL(module, moduleVersion, nil, "")),
		{"PERSISTENT-ID", "gitoid", gitoid("commit", commit)},
		{"PERSISTENT-ID", "gitoid", gitoid("tree", tree)},
	}}
}

func stdIdentity(toolchain string) identity {
	v := strings.TrimPrefix(toolchain, "go")
	return identity{id: stdID, name: stdName, version: v, purpose: library, refs: []reference{
		purlReference(modulePURL(stdName, v, nil, "")),
		purlReference(modulePURL("stdlib", v, nil, "")),
	}}
}

func toolchainIdentity(toolchain string) identity {
	v := strings.TrimPrefix(toolchain, "go")
	return identity{id: toolchainID, name: "go", version: v, purpose: application,
		refs: []reference{purlReference(modulePURL("toolchain", v, nil, ""))}}
}

func binaryIdentity(version, module string, b Binary) identity {
	qualifiers := packageurl.Qualifiers{{Key: "goarch", Value: b.Arch}, {Key: "goos", Value: b.OS}}
	purl := modulePURL(module, purlVersion(version, b), qualifiers, strings.TrimPrefix(strings.TrimPrefix(b.MainPackage, module), "/"))
	return identity{
		id:   binaryPref + idString(path.Base(b.Path)) + "-" + digest16(b.Path),
		name: b.Name, version: version, file: b.Path, purpose: application,
		comment: commentLines(
			"platform", b.OS+"/"+b.Arch,
			"size", fmt.Sprint(b.Size),
			"goVersion", b.GoVersion,
			"mainPackage", b.MainPackage,
			"mainVersion", b.MainVersion),
		refs: []reference{purlReference(purl)},
	}
}

func moduleIdentity(m Linked) identity {
	modulePath, version, sum := m.effective()
	replaces, directory, purlVer := "", "", version
	if m.Replace.Path != "" {
		replaces = m.Path + " " + m.Version
	}
	if m.isDirectory() {
		directory, purlVer = m.Replace.Path, ""
	}
	all := strings.Join([]string{m.Path, m.Version, m.Sum, m.Replace.Path, m.Replace.Version, m.Replace.Sum}, "\n")
	return identity{
		id:   modulePref + idString(modulePath) + "-" + idString(version) + "-" + digest16(all),
		name: modulePath, version: version, purpose: library,
		comment: commentLines("dirHash", sum, "replaces", replaces, "directory", directory),
		refs:    []reference{purlReference(modulePURL(modulePath, purlVer, nil, ""))},
	}
}

// purlVersion is the version of the main module in a purl: as Go stamped it, else
// that of the release.
func purlVersion(release string, b Binary) string {
	if strings.HasPrefix(b.MainVersion, "v") {
		return b.MainVersion
	}
	return release
}

// moduleVersion is the version of the released module that all binaries agree on.
func moduleVersion(release string, binaries []Binary) string {
	version := purlVersion(release, binaries[0])
	for _, b := range binaries[1:] {
		if purlVersion(release, b) != version {
			return release
		}
	}
	return version
}

// modulePURL names a module and keeps the case of its path.
func modulePURL(modulePath, version string, qualifiers packageurl.Qualifiers, subpath string) string {
	namespace, name := path.Split(modulePath)
	purl := packageurl.PackageURL{
		Type: packageurl.TypeGolang, Namespace: strings.TrimSuffix(namespace, "/"), Name: name,
		Version: version, Qualifiers: qualifiers, Subpath: subpath,
	}
	return purl.ToString()
}

// gitoid names a git object (SPDX 2.3 annex F.4).
func gitoid(kind, hash string) string {
	algorithm := "sha1"
	if len(hash) == sha256.Size*2 {
		algorithm = "sha256"
	}
	return "gitoid:" + kind + ":" + algorithm + ":" + hash
}

// idString maps text to the characters of an SPDX identifier. Different texts may
// give the same: a digest beside it keeps identifiers apart.
func idString(text string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			return r
		}
		return '-'
	}, text)
	return strings.Trim(mapped[:min(len(mapped), 100)], "-")
}

func digest16(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// commentLines joins pairs of word and value to lines, without those that have no value.
func commentLines(pairs ...string) string {
	var lines []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			lines = append(lines, pairs[i]+" "+pairs[i+1])
		}
	}
	return strings.Join(lines, "\n")
}

// commentValue returns the value of the line that begins with word, "" when there is none.
func commentValue(comment, word string) string {
	for line := range strings.SplitSeq(comment, "\n") {
		if value, ok := strings.CutPrefix(line, word+" "); ok {
			return value
		}
	}
	return ""
}
