package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// Constants of every document.
const (
	lifecycle       = "lifecycle: build"
	documentComment = "Lifecycle: build. What is linked was read from the build information of the shipped binaries; " +
		"zip digests, licenses and imports come from go.sum, the module cache and go list."
	emptyNamespace = `"documentNamespace": ""`
)

// Write returns the document for the facts: the same bytes for the same facts.
// An error names the fact that is missing, malformed or contradicts another.
func Write(f Facts) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	w, err := newWriter(f)
	if err != nil {
		return nil, err
	}
	doc, err := w.document()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := spdxjson.Write(doc, &b, spdxjson.Indent("  "), spdxjson.EscapeHTML(false)); err != nil {
		return nil, err
	}
	data := withNamespace(b.Bytes(), f.Project, f.Version, f.Module)
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the document has %d bytes, at most %d are allowed", len(data), MaxSize)
	}
	return data, nil
}

// withNamespace puts the namespace into a document that was encoded without one.
func withNamespace(data []byte, project, version, module string) []byte {
	namespace := fmt.Sprintf(`"documentNamespace": %q`, namespaceOf(data, project, version, module))
	return bytes.Replace(data, []byte(emptyNamespace), []byte(namespace), 1)
}

// namespaceOf names a document after what it describes and the digest of its
// bytes with an empty namespace.
func namespaceOf(data []byte, project, version, module string) string {
	sum := sha256.Sum256(data)
	return "https://" + module + "/spdx/" + project + "-" + version + "-" + hex.EncodeToString(sum[:])
}

// A writer holds the facts and what is looked up in them.
type writer struct {
	Facts
	supplier string
	linked   map[string]Linked     // by SPDX identifier
	facts    map[string]Module     // by SPDX identifier
	named    map[ModuleName]string // SPDX identifier of a module under each of its names
	terms    map[string]expression // declared licenses by text
	texts    map[string]string     // extracted license texts by identifier
	packages map[string]*v2_3.Package
}

func newWriter(f Facts) (*writer, error) {
	f.Binaries = slices.Clone(f.Binaries)
	slices.SortFunc(f.Binaries, func(a, b Binary) int { return strings.Compare(a.Path, b.Path) })
	for i, b := range f.Binaries[1:] {
		if b.Path == f.Binaries[i].Path {
			return nil, fmt.Errorf("%s: two binaries have this path", b.Path)
		}
	}
	w := &writer{
		Facts: f, supplier: f.Supplier.text(f.Module),
		linked: map[string]Linked{}, facts: map[string]Module{}, named: map[ModuleName]string{},
		terms: map[string]expression{}, texts: map[string]string{}, packages: map[string]*v2_3.Package{},
	}
	facts := map[ModuleName]Module{}
	for _, m := range f.Modules {
		name := ModuleName{m.Path, m.Version}
		if m.Path == stdName {
			name.Version = ""
		}
		if _, ok := facts[name]; ok {
			return nil, fmt.Errorf("module %s %s: its facts are given twice", m.Path, m.Version)
		}
		facts[name] = m
	}
	for _, b := range f.Binaries {
		for _, m := range b.Modules {
			if err := w.link(m, facts); err != nil {
				return nil, fmt.Errorf("%s: %w", b.Path, err)
			}
		}
	}
	w.facts[stdID] = facts[ModuleName{Path: stdName}]
	return w, w.collectLicenses()
}

// link enters a linked module with its facts.
func (w *writer) link(m Linked, facts map[ModuleName]Module) error {
	path, version, sum := m.effective()
	required, effective := ModuleName{m.Path, m.Version}, ModuleName{path, version}
	about, ok := facts[effective]
	if !ok {
		about, ok = facts[required]
	}
	id := moduleIdentity(m).id
	switch {
	case !ok:
		return fmt.Errorf("module %s %s: it is linked and there are no facts about it", path, version)
	case about.Sum != "" && sum != "" && about.Sum != sum:
		return fmt.Errorf("module %s %s: go.sum has %s, build information %s", path, version, about.Sum, sum)
	case m.isDirectory() && about.ZipSHA256+about.ZipSHA512 != "":
		return fmt.Errorf("module %s: it was replaced by a directory and has zip digests", path)
	}
	for _, name := range []ModuleName{required, effective} {
		if other, ok := w.named[name]; ok && other != id {
			return fmt.Errorf("module %s %s: it is linked in two ways, as %+v and as %+v", name.Path, name.Version, w.linked[other], m)
		}
		w.named[name] = id
	}
	w.linked[id], w.facts[id] = m, about
	return nil
}

// collectLicenses parses every declared license once and gathers the texts.
func (w *writer) collectLicenses() error {
	licenses := []License{w.Source.License, w.stdLicense()}
	for id := range w.linked {
		licenses = append(licenses, w.facts[id].License)
	}
	for _, l := range licenses {
		for _, x := range l.Extracted {
			if err := checkExtracted(x); err != nil {
				return err
			}
			w.texts[x.ID] = x.Text
		}
	}
	used := map[string]bool{}
	for _, l := range licenses {
		if _, ok := w.terms[l.Expression]; ok || l.Expression == "" {
			continue
		}
		parsed, err := parseExpression(l.Expression)
		if err != nil {
			return err
		}
		w.terms[l.Expression] = parsed
		for _, ref := range parsed.refs {
			if _, ok := w.texts[ref]; !ok {
				return fmt.Errorf("license expression %q: there is no text for %s", l.Expression, ref)
			}
			used[ref] = true
		}
	}
	for ref := range w.texts {
		if !used[ref] {
			return fmt.Errorf("%s: no license expression uses this text", ref)
		}
	}
	return nil
}

// stdLicense is the license of the standard library and the toolchain.
func (w *writer) stdLicense() License {
	if l := w.facts[stdID].License; l.Expression != "" {
		return l
	}
	return License{Expression: "BSD-3-Clause", Copyright: "Copyright 2009 The Go Authors."}
}

func (w *writer) document() (*v2_3.Document, error) {
	imports, err := w.imports()
	if err != nil {
		return nil, err
	}
	g := graph{binaries: map[string][]string{}, imports: imports, known: len(w.Direct) > 0}
	w.addRelease()
	w.addSource()
	w.addGo()
	for _, b := range w.Binaries {
		g.binaries[w.addBinary(b)] = w.linkedInto(b)
	}
	for id := range w.linked {
		w.addModule(id)
		g.modules = append(g.modules, id)
	}
	doc := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: elementID(documentID),
		DocumentName: w.Project + "-" + w.Version, DocumentComment: documentComment,
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{
				{CreatorType: "Organization", Creator: w.supplier},
				{CreatorType: "Tool", Creator: w.Tool},
			},
			Created:        w.Source.CommitTime.UTC().Format(time.RFC3339),
			CreatorComment: lifecycle,
		},
	}
	for _, id := range sortedKeys(w.packages) {
		doc.Packages = append(doc.Packages, w.packages[id])
	}
	for _, id := range sortedKeys(w.texts) {
		doc.OtherLicenses = append(doc.OtherLicenses, &v2_3.OtherLicense{LicenseIdentifier: id, ExtractedText: w.texts[id], LicenseName: noAssertion})
	}
	for _, r := range g.relations() {
		doc.Relationships = append(doc.Relationships, &v2_3.Relationship{RefA: endOf(r.from), Relationship: r.kind, RefB: endOf(r.to)})
	}
	return doc, nil
}

func (w *writer) linkedInto(b Binary) []string {
	var ids []string
	for _, m := range b.Modules {
		ids = append(ids, moduleIdentity(m).id)
	}
	return ids
}

// imports translates the import graph of the facts into identifiers.
func (w *writer) imports() (map[string][]string, error) {
	edges := map[string][]ModuleName{sourceID: w.Direct}
	for id := range w.linked {
		edges[id] = w.facts[id].DependsOn
	}
	imports := map[string][]string{}
	for from, names := range edges {
		for _, name := range names {
			to, ok := w.named[name]
			switch {
			case name.Path == stdName:
				to = stdID
			case name.Path == w.Module:
				to = sourceID
			case !ok:
				return nil, fmt.Errorf("%s imports module %s %s, which no binary links", from, name.Path, name.Version)
			}
			if to != from {
				imports[from] = append(imports[from], to)
			}
		}
	}
	return imports, nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func elementID(id string) common.ElementID {
	return common.ElementID(strings.TrimPrefix(id, "SPDXRef-"))
}

func endOf(id string) common.DocElementID {
	if id == none || id == noAssertion {
		return common.MakeDocElementSpecial(id)
	}
	return common.DocElementID{ElementRefID: elementID(id)}
}
