package sbom

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// An origin is the part of a package entry that its writer vouches for.
type origin struct {
	supplier, location, sourceInfo string
	declared, concluded            string // license expressions
	licenseComments                string
	copyright                      string
	checksums                      Checksums
}

// add makes the entry for a package and returns its identifier.
func (w *writer) add(i identity, o origin) string {
	p := &v2_3.Package{
		PackageName:               i.name,
		PackageSPDXIdentifier:     elementID(i.id),
		PackageVersion:            i.version,
		PackageFileName:           i.file,
		PackageSupplier:           &common.Supplier{SupplierType: "Organization", Supplier: o.supplier},
		PackageDownloadLocation:   o.location,
		IsFilesAnalyzedTagPresent: true,
		PackageSourceInfo:         o.sourceInfo,
		PackageLicenseConcluded:   orNoAssertion(o.concluded),
		PackageLicenseDeclared:    orNoAssertion(o.declared),
		PackageLicenseComments:    o.licenseComments,
		PackageCopyrightText:      orNoAssertion(o.copyright),
		PackageComment:            i.comment,
		PrimaryPackagePurpose:     i.purpose,
	}
	for _, c := range []common.Checksum{{Algorithm: common.SHA256, Value: o.checksums.SHA256}, {Algorithm: common.SHA512, Value: o.checksums.SHA512}} {
		if c.Value != "" {
			p.PackageChecksums = append(p.PackageChecksums, c)
		}
	}
	for _, r := range i.refs {
		p.PackageExternalReferences = append(p.PackageExternalReferences, &v2_3.PackageExternalReference{Category: r.category, RefType: r.kind, Locator: r.locator})
	}
	w.packages[i.id] = p
	return i.id
}

func orNoAssertion(text string) string {
	if text == "" {
		return noAssertion
	}
	return text
}

// own is the origin of what the release's supplier made from the commit.
func (w *writer) own(listing Checksums) origin {
	return origin{
		supplier: w.supplier, location: sourceLocation(w.Source),
		sourceInfo: "built from " + w.Source.text(),
		declared:   w.Source.License.Expression, concluded: w.Source.License.Expression,
		copyright: w.Source.License.Copyright, checksums: listing,
	}
}

// text tells where the source is from.
func (s Source) text() string {
	text := fmt.Sprintf("%s at git commit %s, tree %s", s.URI, s.GitCommit, s.GitTree)
	if s.Dirty {
		text += ", with changes that are not committed"
	}
	return text
}

func (w *writer) addRelease() {
	i := releaseIdentity(w.Project, w.Version, w.Module, moduleVersion(w.Version, w.Binaries))
	i.comment = "checksums are those of the listing that sha256sum prints for the binaries, sorted by path"
	o := w.own(listBinaries(w.Binaries))
	o.concluded, o.licenseComments = w.conclude(sortedKeys(w.linked))
	w.add(i, o)
}

func (w *writer) addSource() {
	s := w.Source
	i := sourceIdentity(w.Version, w.Module, moduleVersion(w.Version, w.Binaries), s.GitCommit, s.GitTree)
	if s.Listing != (Checksums{}) {
		i.comment = "checksums are those of the listing that sha256sum prints for the files of the commit, sorted by path"
	}
	o := w.own(s.Listing)
	o.sourceInfo = s.text()
	w.add(i, o)
}

// addGo adds the standard library and the toolchain.
func (w *writer) addGo() {
	version, license := w.Toolchain.Version, w.stdLicense()
	o := origin{
		supplier: goAuthors, location: goLocation(version), sourceInfo: "standard library of " + version,
		declared: license.Expression, concluded: license.Expression, copyright: license.Copyright,
		checksums: w.Toolchain.Listing,
	}
	std, tool := stdIdentity(version), toolchainIdentity(version)
	if w.Toolchain.Listing != (Checksums{}) {
		std.comment = "checksums are those of the listing that sha256sum prints for the files below $GOROOT/src, sorted by path"
		tool.comment = std.comment
	}
	w.add(std, o)
	o.sourceInfo = "toolchain " + version
	w.add(tool, o)
}

func (w *writer) addBinary(b Binary) string {
	o := w.own(Checksums{b.SHA256, b.SHA512})
	o.concluded, o.licenseComments = w.conclude(w.linkedInto(b))
	return w.add(binaryIdentity(w.Version, w.Module, b), o)
}

func (w *writer) addModule(id string) {
	m, about := w.linked[id], w.facts[id]
	path, version, _ := m.effective()
	o := origin{
		supplier: supplierOf(path), location: moduleLocation(path, version),
		sourceInfo: "Go module " + path + " " + version,
		declared:   about.License.Expression, concluded: about.License.Expression,
		copyright: about.License.Copyright,
		checksums: Checksums{about.ZipSHA256, about.ZipSHA512},
	}
	if m.isDirectory() {
		o.supplier, o.location = w.supplier, sourceLocation(w.Source)
		o.sourceInfo = "directory " + m.Replace.Path + " of " + w.Source.text()
	}
	w.add(moduleIdentity(m), o)
}

// conclude joins the licenses of the release, the standard library and modules,
// and names the modules that have none. Nothing can be concluded for a release
// that has no license itself.
func (w *writer) conclude(modules []string) (concluded, comments string) {
	if w.Source.License.Expression == "" {
		return "", ""
	}
	var known []expression
	var without []string
	include := func(l License, name string) {
		if l.Expression == "" {
			without = append(without, name)
		} else {
			known = append(known, w.terms[l.Expression])
		}
	}
	known = append(known, w.terms[w.Source.License.Expression])
	include(w.stdLicense(), stdName)
	for _, id := range modules {
		path, version, _ := w.linked[id].effective()
		include(w.facts[id].License, path+" "+version)
	}
	if len(without) > 0 {
		slices.Sort(without)
		comments = "no license file: " + strings.Join(slices.Compact(without), ", ")
	}
	return conjunction(known), comments
}
