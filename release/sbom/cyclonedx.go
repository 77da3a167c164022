package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// cycloneDXMapping names the rules by which a CycloneDX document follows from an SPDX
// one. Other rules need another name, so that documents of these stay verifiable.
const cycloneDXMapping = "v1"

// propertyPrefix begins the name of every property.
const propertyPrefix = "rollproof:"

// emptySerial is what the serial number is while its digest is made.
const emptySerial = `"serialNumber": ""`

// CycloneDX returns the CycloneDX 1.6 document, in JSON, that says what an SPDX
// document says: the same bytes for the same bytes. Whoever has both compares them by
// calling it again. An error is one of [Read], or says that the result is larger than
// [MaxSize].
func CycloneDX(spdx []byte) ([]byte, error) {
	r, err := read(spdx)
	if err != nil {
		return nil, err
	}
	c := &converter{document: r.document, dependsOn: map[string][]string{}, binaries: r.binaries}
	c.sortRelations()
	data, err := encode(c.bom(spdx))
	if err != nil {
		return nil, err
	}
	data = bytes.Replace(data, []byte(emptySerial), fmt.Appendf(nil, `"serialNumber": %q`, serialOf(data)), 1)
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the CycloneDX document has %d bytes, at most %d are allowed", len(data), MaxSize)
	}
	return data, nil
}

// serialOf makes a UUID of version 8 (RFC 9562, section 5.8) from the sha256 of a
// document with an empty serial number.
func serialOf(data []byte) string {
	sum := sha256.Sum256(data)
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// A converter holds what is looked up in an SPDX document.
type converter struct {
	*document
	dependsOn map[string][]string // by identifier; an empty list where there is nothing
	unknown   []string            // whose dependencies nobody asserts
	binaries  []string
}

// sortRelations gathers DEPENDS_ON. The other relationships follow from what a
// package is: the strict reader made sure of it.
func (c *converter) sortRelations() {
	for _, r := range c.Relationships {
		switch {
		case r.Kind != dependsOn:
		case r.To == noAssertion:
			c.unknown = append(c.unknown, r.From)
		case r.To == none:
			c.dependsOn[r.From] = nil
		default:
			c.dependsOn[r.From] = append(c.dependsOn[r.From], r.To)
		}
	}
}

func (c *converter) bom(spdx []byte) *bom {
	b := &bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: c.metadata(), Annotations: c.annotations(),
		References: []bomReference{{
			URL: c.Namespace, Comment: "the SPDX document of the same facts", Type: "bom",
			Hashes: []bomHash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(spdx))}},
		}},
		Compositions: []bomComposition{{"complete", sortedKeys(c.dependsOn)}},
		Formulation:  c.formulation(),
	}
	for i := range c.Packages {
		if p := &c.Packages[i]; p.ID != releaseID {
			b.Components = append(b.Components, c.component(p))
		}
	}
	for _, id := range sortedKeys(c.dependsOn) {
		b.Dependencies = append(b.Dependencies, bomDependency{id, c.dependsOn[id]})
	}
	if len(c.unknown) > 0 {
		b.Compositions = append(b.Compositions, bomComposition{"unknown", c.unknown})
	}
	return b
}

func (c *converter) metadata() bomMetadata {
	m := bomMetadata{
		Timestamp: c.CreationInfo.Created, Tools: bomTools{[]bomTool{c.tool()}},
		Manufacturer: entityOf(c.CreationInfo.Creators[0]),
		Licenses:     []bomLicense{{License: &bomLicenseID{c.DataLicense}}},
		Lifecycles:   []bomLifecycle{{strings.TrimPrefix(lifecycle, "lifecycle: ")}},
		Properties:   properties("mapping", cycloneDXMapping, "name", c.Name, "creationComment", c.CreationInfo.Comment, "comment", c.Comment),
	}
	for i := range c.Packages {
		if p := &c.Packages[i]; p.ID == releaseID {
			m.Component = c.component(p)
		}
	}
	return m
}

// tool is the creator that wrote the SPDX document: "Tool: <name>-<version>".
func (c *converter) tool() bomTool {
	name, version, _ := strings.Cut(strings.TrimPrefix(c.CreationInfo.Creators[1], "Tool: "), "-")
	return bomTool{"application", name, version}
}

// entityOf reads an organization as clause 7.5 of SPDX 2.3 writes it: a name and, in
// parentheses, an address.
func entityOf(supplier string) bomEntity {
	supplier = strings.TrimPrefix(supplier, "Organization: ")
	name, contact, ok := strings.Cut(strings.TrimSuffix(supplier, ")"), " (")
	switch {
	case !ok || !strings.HasSuffix(supplier, ")"):
		return bomEntity{Name: supplier}
	case strings.Contains(contact, "@") && !strings.Contains(contact, "/"):
		return bomEntity{Name: name, Contact: []bomContact{{contact}}}
	}
	return bomEntity{Name: name, URL: []string{contact}}
}

// componentTypes are the words of CycloneDX for the purposes of SPDX.
var componentTypes = map[string]string{application: "application", library: "library", sources: "data"}

func (c *converter) component(p *entry) bomComponent {
	x := bomComponent{
		Type: componentTypes[p.Purpose], Ref: p.ID, Supplier: entityOf(p.Supplier), Name: p.Name, Version: p.Version,
		Licenses: licenseList(p.LicenseDeclared, "declared"), Copyright: assertedText(p.CopyrightText),
		References: []bomReference{{URL: p.DownloadLocation, Type: referenceType(p.DownloadLocation)}},
		Properties: properties("sourceInfo", p.SourceInfo, "licenseComments", p.LicenseComments),
	}
	for _, s := range p.Checksums {
		x.Hashes = append(x.Hashes, bomHash{strings.Replace(s.Algorithm, "SHA", "SHA-", 1), s.Value})
	}
	for _, r := range p.ExternalRefs {
		switch {
		case r.Type == "gitoid":
			x.Gitoids = append(x.Gitoids, r.Locator)
		case x.PURL == "":
			x.PURL = r.Locator
		default:
			x.Properties = append(x.Properties, bomProperty{propertyPrefix + r.Type, r.Locator})
		}
	}
	if p.Purpose == sources {
		x.Data = []bomData{{"source-code"}}
	}
	if e := (bomEvidence{Licenses: licenseList(p.LicenseConcluded, "concluded")}); p.FileName != "" || e.Licenses != nil {
		if p.FileName != "" {
			e.Occurrences = []bomOccurrence{{p.FileName}}
		}
		x.Evidence = &e
	}
	x.Properties = append(x.Properties, c.commentProperties(p)...)
	return x
}

// commentProperties are the facts that SPDX has room for in a comment alone, and the
// relationships that CycloneDX has no words for.
func (c *converter) commentProperties(p *entry) []bomProperty {
	if p.ID == releaseID {
		list := properties("comment", p.Comment)
		for _, id := range c.binaries {
			list = append(list, bomProperty{propertyPrefix + "contains", id})
		}
		return list
	}
	isBinary := strings.HasPrefix(p.ID, binaryPref)
	if !isBinary && !strings.HasPrefix(p.ID, modulePref) {
		return properties("comment", p.Comment)
	}
	var list []bomProperty
	for line := range strings.Lines(p.Comment) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		list = append(list, bomProperty{propertyPrefix + word, value})
	}
	if isBinary {
		list = append(list, bomProperty{propertyPrefix + "dependencies", "statically linked"})
	}
	return list
}

// properties makes a list of pairs of name and value, without those that are empty.
func properties(pairs ...string) []bomProperty {
	list := []bomProperty{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, bomProperty{propertyPrefix + pairs[i], pairs[i+1]})
		}
	}
	return list
}

func licenseList(expression, acknowledgement string) []bomLicense {
	if expression == noAssertion {
		return nil
	}
	return []bomLicense{{Expression: expression, Acknowledgement: acknowledgement}}
}

func assertedText(text string) string {
	if text == noAssertion {
		return ""
	}
	return text
}

func referenceType(location string) string {
	if strings.HasPrefix(location, "git+") {
		return "vcs"
	}
	return "distribution"
}

// annotations carry the license texts: an expression has no room for them before
// CycloneDX 1.7.
func (c *converter) annotations() []bomAnnotation {
	users := map[string][]string{}
	for _, p := range c.Packages {
		declared, err := parseExpression(p.LicenseDeclared)
		if err != nil {
			continue // NOASSERTION; the reader parsed all others
		}
		slices.Sort(declared.refs)
		for _, ref := range slices.Compact(declared.refs) {
			users[ref] = append(users[ref], p.ID)
		}
	}
	var list []bomAnnotation
	for _, x := range c.Extracted {
		list = append(list, bomAnnotation{x.ID, users[x.ID], bomAnnotator{c.tool()}, c.CreationInfo.Created, x.Text})
	}
	return list
}

// formulation says GENERATED_FROM and BUILD_TOOL_OF: one build took the source, used
// the toolchain and made the binaries.
func (c *converter) formulation() []bomFormula {
	w := bomWorkflow{
		Ref: "build", UID: c.Namespace, TaskTypes: []string{"build"},
		Resources: []bomResource{{toolchainID}}, Inputs: []bomInput{{bomResource{sourceID}}},
	}
	for _, id := range c.binaries {
		w.Outputs = append(w.Outputs, bomOutput{"artifact", bomResource{id}})
	}
	return []bomFormula{{[]bomWorkflow{w}}}
}
