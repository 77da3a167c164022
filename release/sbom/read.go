package sbom

import (
	"bytes"
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
	r, err := read(data)
	if err != nil {
		return nil, err
	}
	return &r.result, nil
}

func read(data []byte) (*reader, error) {
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
	return r, nil
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
			return fmt.Errorf("%s is %.80q, expected %q", f.name, f.got, f.want)
		}
	}
	info := r.CreationInfo
	if len(info.Creators) != 2 || !strings.HasPrefix(info.Creators[0], "Organization: ") || !strings.HasPrefix(info.Creators[1], "Tool: ") {
		return fmt.Errorf("creators are %.200q, expected an Organization and a Tool", info.Creators)
	}
	r.result.Tool = strings.TrimPrefix(info.Creators[1], "Tool: ")
	const layout = "2006-01-02T15:04:05Z"
	created, err := time.Parse(layout, info.Created)
	if err != nil || created.Format(layout) != info.Created {
		return fmt.Errorf("created is %.40q, expected the form %s", info.Created, layout)
	}
	r.result.Created = created
	return checkFields([]field{{"tool", r.result.Tool, toolPattern, false}})
}

// readEntries checks what all package entries have in common.
func (r *reader) readEntries() error {
	for i := range r.Packages {
		p := &r.Packages[i]
		if i > 0 && r.Packages[i-1].ID >= p.ID {
			return fmt.Errorf("package %.80q stands after %.80q, expected each once and in order", p.ID, r.Packages[i-1].ID)
		}
		r.entries[p.ID] = p
		if err := checkFields([]field{{"SPDXID", p.ID, idPattern, false}}); err != nil {
			return err
		}
		switch {
		case p.FilesAnalyzed:
			return fmt.Errorf("package %s: filesAnalyzed is true", p.ID)
		case !strings.HasPrefix(p.Supplier, "Organization: "):
			return fmt.Errorf("package %s: supplier is %.200q, expected an organization", p.ID, p.Supplier)
		case p.DownloadLocation == "" || p.CopyrightText == "" || p.SourceInfo == "":
			return fmt.Errorf("package %s: downloadLocation, copyrightText or sourceInfo is empty", p.ID)
		}
		sums := Checksums{p.checksum("SHA256"), p.checksum("SHA512")}
		if err := sums.check("package "+p.ID, true); err != nil {
			return err
		}
		if !slices.Equal(p.Checksums, checksumFields(sums)) {
			return fmt.Errorf("package %s: checksums are %.400q, expected SHA256 and SHA512, each once", p.ID, p.Checksums)
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
			return fmt.Errorf("license text %.80q stands after %.80q, expected each once and in order", x.ID, r.Extracted[i-1].ID)
		}
		if err := checkExtracted(ExtractedText{x.ID, x.Text}); err != nil {
			return err
		}
		if x.Name != noAssertion || !used[x.ID] {
			return fmt.Errorf("%s: it has the name %.80q, or no license expression uses it", x.ID, x.Name)
		}
		delete(used, x.ID)
	}
	if len(used) > 0 {
		return fmt.Errorf("license expressions use %.400s, whose texts are missing", strings.Join(sortedKeys(used), ", "))
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
			return fmt.Errorf("package %s: %s is %.400q, expected %.400q", p.ID, f.name, f.got, f.want)
		}
	}
	facts := strings.HasPrefix(p.ID, binaryPref) || strings.HasPrefix(p.ID, modulePref)
	if facts && p.Comment != want.comment {
		return fmt.Errorf("package %s: comment is %.400q, expected %.400q", p.ID, p.Comment, want.comment)
	}
	return nil
}

func checkNamespace(data []byte, namespace string, d Document) error {
	quoted := []byte(fmt.Sprintf(`"documentNamespace": %q`, namespace))
	want := namespaceOf(bytes.Replace(data, quoted, []byte(emptyNamespace), 1), d.Project, d.Version, d.Module)
	if namespace != want {
		return fmt.Errorf("documentNamespace is %.300q, the content gives %q", namespace, want)
	}
	return nil
}
