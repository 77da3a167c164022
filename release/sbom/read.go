package sbom

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Document is what a document says about the release and what is in its
// binaries: the facts that can be compared with a commit and with build
// information.
type Document struct {
	Project, Version, Module string
	GitCommit, GitTree       string    // hex
	Created                  time.Time // the commit's time, UTC
	Tool                     string    // that wrote the document: "rollproof-v1.4.2"
	Toolchain                string    // "go1.26.8"
	Binaries                 []Binary  // sorted by path, the modules of each by path
}

// Read reads the exact bytes of a document. It refuses every byte sequence that
// [Write] would not have written for what it says: other fields, doubled or
// misspelled ones, other spacing or order, identifiers, purls, checksums of
// listings or a namespace that do not follow from the content, and relationships
// that are missing or too many. Licenses, copyright, suppliers, locations, zip
// digests and imports are taken as they are, for nothing at hand can confirm them.
func Read(data []byte) (*Document, error) {
	raw, err := decode(data)
	if err != nil {
		return nil, err
	}
	r := &reader{document: raw, entries: map[string]*entry{}, modules: map[string]Linked{}}
	for _, step := range []func() error{r.readHeader, r.readEntries, r.readLicenses, r.readSource, r.readGo, r.readModules, r.readBinaries, r.readRelease, r.readRelationships} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := checkNamespace(data, raw.Namespace, r.result); err != nil {
		return nil, err
	}
	return &r.result, nil
}

// A reader turns decoded fields into a Document.
type reader struct {
	*document
	result   Document
	entries  map[string]*entry
	modules  map[string]Linked // by identifier
	binaries []string          // identifiers in the order of result.Binaries
}

func (r *reader) readHeader() error {
	for _, f := range []struct{ name, got, want string }{
		{"spdxVersion", r.SPDXVersion, "SPDX-2.3"},
		{"dataLicense", r.DataLicense, "CC0-1.0"},
		{"SPDXID", r.ID, documentID},
	} {
		if f.got != f.want {
			return fmt.Errorf("%s is %q, expected %q", f.name, f.got, f.want)
		}
	}
	info := r.CreationInfo
	if len(info.Creators) != 2 || !strings.HasPrefix(info.Creators[0], "Organization: ") || !strings.HasPrefix(info.Creators[1], "Tool: ") {
		return fmt.Errorf("creators are %q, expected an Organization and a Tool", info.Creators)
	}
	r.result.Tool = strings.TrimPrefix(info.Creators[1], "Tool: ")
	const layout = "2006-01-02T15:04:05Z"
	created, err := time.Parse(layout, info.Created)
	if err != nil || created.Format(layout) != info.Created {
		return fmt.Errorf("created is %q, expected the form %s", info.Created, layout)
	}
	r.result.Created = created
	return checkFields([]field{{"tool", r.result.Tool, toolPattern, false}})
}

// readEntries checks what all package entries have in common.
func (r *reader) readEntries() error {
	for i := range r.Packages {
		p := &r.Packages[i]
		if i > 0 && r.Packages[i-1].ID >= p.ID {
			return fmt.Errorf("package %s stands after %s, expected each once and in order", p.ID, r.Packages[i-1].ID)
		}
		r.entries[p.ID] = p
		switch {
		case p.FilesAnalyzed:
			return fmt.Errorf("package %s: filesAnalyzed is true", p.ID)
		case !strings.HasPrefix(p.Supplier, "Organization: "):
			return fmt.Errorf("package %s: supplier is %q, expected an organization", p.ID, p.Supplier)
		case p.DownloadLocation == "" || p.CopyrightText == "" || p.SourceInfo == "":
			return fmt.Errorf("package %s: downloadLocation, copyrightText or sourceInfo is empty", p.ID)
		}
		sums := Checksums{p.checksum("SHA256"), p.checksum("SHA512")}
		if err := sums.check("package "+p.ID, true); err != nil {
			return err
		}
		if !slices.Equal(p.Checksums, checksumFields(sums)) {
			return fmt.Errorf("package %s: checksums are %v, expected SHA256 and SHA512, each once", p.ID, p.Checksums)
		}
	}
	for _, id := range []string{releaseID, sourceID, stdID, toolchainID} {
		if r.entries[id] == nil {
			return fmt.Errorf("package %s is missing", id)
		}
	}
	return nil
}

func checksumFields(c Checksums) []checksum {
	var fields []checksum
	for _, f := range []checksum{{"SHA256", c.SHA256}, {"SHA512", c.SHA512}} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

// readLicenses checks that expressions can be parsed and that their texts are here.
func (r *reader) readLicenses() error {
	used := map[string]bool{}
	parsed := map[string]bool{noAssertion: true}
	for _, p := range r.Packages {
		for _, text := range []string{p.LicenseDeclared, p.LicenseConcluded} {
			if parsed[text] {
				continue
			}
			e, err := parseExpression(text)
			if err != nil {
				return fmt.Errorf("package %s: %w", p.ID, err)
			}
			parsed[text] = true
			for _, ref := range e.refs {
				used[ref] = true
			}
		}
	}
	for i, x := range r.Extracted {
		if i > 0 && r.Extracted[i-1].ID >= x.ID {
			return fmt.Errorf("license text %s stands after %s, expected each once and in order", x.ID, r.Extracted[i-1].ID)
		}
		if err := checkExtracted(ExtractedText{x.ID, x.Text}); err != nil {
			return err
		}
		if x.Name != noAssertion || !used[x.ID] {
			return fmt.Errorf("%s: it has the name %q, or no license expression uses it", x.ID, x.Name)
		}
		delete(used, x.ID)
	}
	if len(used) > 0 {
		return fmt.Errorf("license expressions use %s, whose texts are missing", strings.Join(sortedKeys(used), ", "))
	}
	return nil
}

func (r *reader) readSource() error {
	p := r.entries[sourceID]
	r.result.Module, r.result.Version = p.Name, p.Version
	if len(p.ExternalRefs) != 3 {
		return fmt.Errorf("package %s has %d external references, expected 3", sourceID, len(p.ExternalRefs))
	}
	r.result.GitCommit, r.result.GitTree = lastColon(p.ExternalRefs[1].Locator), lastColon(p.ExternalRefs[2].Locator)
	return checkFields([]field{
		{"module", p.Name, pathPattern, false},
		{"version", p.Version, tagPattern, false},
		{"source commit", r.result.GitCommit, objectPattern, false},
		{"source tree", r.result.GitTree, objectPattern, false},
	})
}

func lastColon(locator string) string { return locator[strings.LastIndexByte(locator, ':')+1:] }

func (r *reader) readGo() error {
	r.result.Toolchain = "go" + r.entries[stdID].Version
	if err := checkFields([]field{{"toolchain", r.result.Toolchain, goPattern, false}}); err != nil {
		return err
	}
	if err := r.entries[stdID].compare(stdIdentity(r.result.Toolchain)); err != nil {
		return err
	}
	return r.entries[toolchainID].compare(toolchainIdentity(r.result.Toolchain))
}

func (r *reader) readModules() error {
	for _, p := range r.Packages {
		if !strings.HasPrefix(p.ID, modulePref) {
			continue
		}
		m := p.linked()
		if err := m.check(); err != nil {
			return fmt.Errorf("package %s: %w", p.ID, err)
		}
		if err := p.compare(moduleIdentity(m)); err != nil {
			return err
		}
		r.modules[p.ID] = m
	}
	return nil
}

// linked reads back what moduleIdentity wrote.
func (p *entry) linked() Linked {
	sum := commentValue(p.Comment, "dirHash")
	required := commentValue(p.Comment, "replaces")
	if required == "" {
		return Linked{Path: p.Name, Version: p.Version, Sum: sum}
	}
	path, version, _ := strings.Cut(required, " ")
	m := Linked{Path: path, Version: version, Replace: Replacement{p.Name, p.Version, sum}}
	if dir := commentValue(p.Comment, "directory"); dir != "" {
		m.Replace.Path = dir
	}
	return m
}

func (r *reader) readBinaries() error {
	for _, p := range r.Packages {
		if !strings.HasPrefix(p.ID, binaryPref) {
			continue
		}
		b := p.binary()
		if err := b.check(r.result.Module, r.result.Toolchain); err != nil {
			return fmt.Errorf("package %s: %w", p.ID, err)
		}
		if err := p.compare(binaryIdentity(r.result.Version, r.result.Module, b)); err != nil {
			return err
		}
		r.result.Binaries = append(r.result.Binaries, b)
		r.binaries = append(r.binaries, p.ID)
	}
	if len(r.binaries) == 0 {
		return errors.New("no package is a binary")
	}
	if known := 4 + len(r.binaries) + len(r.modules); known != len(r.Packages) {
		return fmt.Errorf("%d of %d packages are neither the release, its source, Go, a binary nor a module", len(r.Packages)-known, len(r.Packages))
	}
	return nil
}

// binary reads back what binaryIdentity wrote. What can't be read stays empty and
// fails the comparison.
func (p *entry) binary() Binary {
	b := Binary{
		Path: p.FileName, Name: p.Name, SHA256: p.checksum("SHA256"), SHA512: p.checksum("SHA512"),
		GoVersion:   commentValue(p.Comment, "goVersion"),
		MainPackage: commentValue(p.Comment, "mainPackage"),
		MainVersion: commentValue(p.Comment, "mainVersion"),
	}
	b.OS, b.Arch, _ = strings.Cut(commentValue(p.Comment, "platform"), "/")
	if _, err := fmt.Sscan(commentValue(p.Comment, "size"), &b.Size); err != nil {
		b.Size = 0
	}
	return b
}

func (r *reader) readRelease() error {
	p := r.entries[releaseID]
	r.result.Project = p.Name
	if err := checkFields([]field{{"project", p.Name, namePattern, false}}); err != nil {
		return err
	}
	d := &r.result
	version := moduleVersion(d.Version, d.Binaries)
	if err := r.entries[sourceID].compare(sourceIdentity(d.Version, d.Module, version, d.GitCommit, d.GitTree)); err != nil {
		return err
	}
	if err := p.compare(releaseIdentity(d.Project, d.Version, d.Module, version)); err != nil {
		return err
	}
	if got, want := (Checksums{p.checksum("SHA256"), p.checksum("SHA512")}), listBinaries(d.Binaries); got != want {
		return fmt.Errorf("package %s: checksums are %v, the listing of the binaries has %v", p.ID, got, want)
	}
	if want := d.Project + "-" + d.Version; r.Name != want {
		return fmt.Errorf("document is named %q, expected %q", r.Name, want)
	}
	return nil
}

// compare reports the first difference between an entry and the identity that its
// content has. Comments of entries that hold no facts there are free.
func (p *entry) compare(want identity) error {
	var refs []reference
	for _, x := range p.ExternalRefs {
		refs = append(refs, reference{x.Category, x.Type, x.Locator})
	}
	for _, f := range []struct{ name, got, want string }{
		{"SPDXID", p.ID, want.id},
		{"name", p.Name, want.name},
		{"versionInfo", p.Version, want.version},
		{"packageFileName", p.FileName, want.file},
		{"primaryPackagePurpose", p.Purpose, want.purpose},
		{"externalRefs", fmt.Sprint(refs), fmt.Sprint(want.refs)},
	} {
		if f.got != f.want {
			return fmt.Errorf("package %s: %s is %q, expected %q", p.ID, f.name, f.got, f.want)
		}
	}
	facts := strings.HasPrefix(p.ID, binaryPref) || strings.HasPrefix(p.ID, modulePref)
	if facts && p.Comment != want.comment {
		return fmt.Errorf("package %s: comment is %q, expected %q", p.ID, p.Comment, want.comment)
	}
	return nil
}

// readRelationships takes the links and imports from the relationships and checks
// that these are all that follow from them.
func (r *reader) readRelationships() error {
	g := graph{binaries: map[string][]string{}, imports: map[string][]string{}, known: true, modules: sortedKeys(r.modules)}
	for _, id := range r.binaries {
		g.binaries[id] = nil
	}
	var all []relation
	for _, x := range r.Relationships {
		all = append(all, relation{x.From, x.Kind, x.To})
		if x.Kind != dependsOn || x.From == x.To {
			continue
		}
		_, isModule := r.modules[x.From]
		_, toModule := r.modules[x.To]
		_, isBinary := g.binaries[x.From]
		switch {
		case isBinary && toModule:
			g.binaries[x.From] = append(g.binaries[x.From], x.To)
		case isModule && x.To == noAssertion:
			g.known = false
		case (isModule || x.From == sourceID) && (toModule || x.To == stdID || x.To == sourceID):
			g.imports[x.From] = append(g.imports[x.From], x.To)
		}
	}
	if len(g.imports[sourceID]) == 0 {
		g.known = false
	}
	if err := compareRelationships(all, g.relations()); err != nil {
		return err
	}
	return r.assignModules(g)
}

func compareRelationships(got, want []relation) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i == len(want) || i < len(got) && compareRelations(got[i], want[i]) < 0:
			return fmt.Errorf("relationship %v does not belong here", got[i])
		case i == len(got) || got[i] != want[i]:
			return fmt.Errorf("relationship %v is missing", want[i])
		}
	}
	return nil
}

// assignModules gives each binary its modules and refuses modules of none.
func (r *reader) assignModules(g graph) error {
	linked := map[string]bool{}
	for i, id := range r.binaries {
		for _, m := range g.binaries[id] {
			r.result.Binaries[i].Modules = append(r.result.Binaries[i].Modules, r.modules[m])
			linked[m] = true
		}
		slices.SortFunc(r.result.Binaries[i].Modules, compareLinked)
	}
	slices.SortFunc(r.result.Binaries, func(a, b Binary) int { return strings.Compare(a.Path, b.Path) })
	for _, id := range g.modules {
		if !linked[id] {
			return fmt.Errorf("package %s is linked into no binary", id)
		}
	}
	return nil
}

func checkNamespace(data []byte, namespace string, d Document) error {
	quoted := []byte(fmt.Sprintf(`"documentNamespace": %q`, namespace))
	want := namespaceOf(bytes.Replace(data, quoted, []byte(emptyNamespace), 1), d.Project, d.Version, d.Module)
	if namespace != want {
		return fmt.Errorf("documentNamespace is %q, the content gives %q", namespace, want)
	}
	return nil
}
