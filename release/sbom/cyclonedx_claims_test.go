package sbom_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A tree is a JSON object whose members are removed as they are read.
type tree map[string]any

func parseTree(t *testing.T, data []byte) tree {
	t.Helper()
	var n tree
	if err := json.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n tree) text(key string) string {
	s, _ := n[key].(string)
	delete(n, key)
	return s
}

func (n tree) sub(key string) tree {
	o, _ := n[key].(map[string]any)
	delete(n, key)
	return o
}

func (n tree) list(key string) []tree {
	all, _ := n[key].([]any)
	var objects []tree
	for _, x := range all {
		objects = append(objects, x.(map[string]any))
	}
	delete(n, key)
	return objects
}

func (n tree) texts(key string) []string {
	all, _ := n[key].([]any)
	var texts []string
	for _, x := range all {
		texts = append(texts, x.(string))
	}
	delete(n, key)
	return texts
}

// end fails the test for members that nobody has read.
func (n tree) end(t *testing.T, at string) {
	t.Helper()
	for key := range n {
		t.Errorf("%s: nothing reads %s", at, key)
	}
}

// constant fails the test for a member that is not what it always is.
func (n tree) constant(t *testing.T, key string, want any) {
	t.Helper()
	if n[key] != want {
		t.Errorf("%s is %v, expected %v", key, n[key], want)
	}
	delete(n, key)
}

func claim(subject, what, value string) string { return subject + " | " + what + " | " + value }

func spdxClaims(t *testing.T, data []byte) []string {
	d := parseTree(t, data)
	d.constant(t, "spdxVersion", "SPDX-2.3")
	d.constant(t, "SPDXID", "SPDXRef-DOCUMENT")
	info := d.sub("creationInfo")
	all := []string{
		claim("document", "license", d.text("dataLicense")), claim("document", "name", d.text("name")),
		claim("document", "namespace", d.text("documentNamespace")), claim("document", "comment", d.text("comment")),
		claim("document", "created", info.text("created")), claim("document", "creation comment", info.text("comment")),
	}
	for _, c := range info.texts("creators") {
		kind, name, _ := strings.Cut(c, ": ")
		all = append(all, claim("document", "creator "+kind, name))
	}
	info.end(t, "creationInfo")
	for _, p := range d.list("packages") {
		all = append(all, spdxPackage(t, p)...)
	}
	for _, x := range d.list("hasExtractedLicensingInfos") {
		x.constant(t, "name", "NOASSERTION")
		all = append(all, claim(x.text("licenseId"), "text", x.text("extractedText")))
		x.end(t, "license text")
	}
	for _, r := range d.list("relationships") {
		all = append(all, claim(r.text("spdxElementId"), r.text("relationshipType"), r.text("relatedSpdxElement")))
		r.end(t, "relationship")
	}
	d.end(t, "SPDX document")
	return all
}

func spdxPackage(t *testing.T, p tree) []string {
	id := p.text("SPDXID")
	p.constant(t, "filesAnalyzed", false)
	all := []string{
		claim(id, "supplier", strings.TrimPrefix(p.text("supplier"), "Organization: ")),
		claim(id, "file", p.text("packageFileName")), claim(id, "license comments", p.text("licenseComments")),
	}
	for key, what := range map[string]string{
		"name": "name", "versionInfo": "version", "downloadLocation": "location", "sourceInfo": "source", "licenseConcluded": "concluded",
		"licenseDeclared": "declared", "copyrightText": "copyright", "primaryPackagePurpose": "purpose", "comment": "comment",
	} {
		all = append(all, claim(id, what, p.text(key)))
	}
	for _, c := range p.list("checksums") {
		all = append(all, claim(id, c.text("algorithm"), c.text("checksumValue")))
		c.end(t, id)
	}
	for _, r := range p.list("externalRefs") {
		r.text("referenceCategory") // follows from the type
		all = append(all, claim(id, r.text("referenceType"), r.text("referenceLocator")))
		r.end(t, id)
	}
	p.end(t, id)
	return all
}

// cycloneDXClaims reads the document back into the words of SPDX.
func cycloneDXClaims(t *testing.T, data []byte, spdx string) []string {
	d := parseTree(t, data)
	d.constant(t, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json")
	d.constant(t, "bomFormat", "CycloneDX")
	d.constant(t, "specVersion", "1.6")
	d.constant(t, "version", 1.0)
	d.text("serialNumber")
	link := d.list("externalReferences")[0]
	link.constant(t, "type", "bom")
	link.constant(t, "comment", "the SPDX document of the same facts")
	if hash := link.list("hashes")[0]; hash["alg"] != "SHA-256" || hash["content"] != spdx {
		t.Errorf("the SPDX document has sha256 %s, the CycloneDX one says %v", spdx, hash)
	}
	r := &cdxReader{t: t, static: map[string]bool{}, declared: map[string]string{}}
	r.add("document", "namespace", link.text("url"))
	link.end(t, "externalReferences")
	r.metadata(d.sub("metadata"))
	for _, c := range d.list("components") {
		r.component(c)
	}
	r.relations(d)
	r.texts(d.list("annotations"))
	d.end(t, "CycloneDX document")
	return r.claims
}

type cdxReader struct {
	t        *testing.T
	claims   []string
	static   map[string]bool
	declared map[string]string
}

func (r *cdxReader) add(subject, what, value string) {
	r.claims = append(r.claims, claim(subject, what, value))
}

func (r *cdxReader) metadata(m tree) {
	r.add("document", "created", m.text("timestamp"))
	r.add("document", "creator Organization", r.entity(m.sub("manufacturer")))
	tools := m.sub("tools")
	for _, x := range tools.list("components") {
		x.constant(r.t, "type", "application")
		r.add("document", "creator Tool", x.text("name")+"-"+x.text("version"))
		x.end(r.t, "tool")
	}
	tools.end(r.t, "tools")
	if l := m.list("lifecycles"); len(l) != 1 || l[0]["phase"] != "build" {
		r.t.Errorf("lifecycles are %v", l)
	}
	for _, l := range m.list("licenses") {
		r.add("document", "license", l.sub("license").text("id"))
	}
	for _, p := range m.list("properties") {
		switch name, value := p.text("name"), p.text("value"); name {
		case "rollproof:mapping":
			if value != "v1" {
				r.t.Errorf("mapping %s", value)
			}
		case "rollproof:creationComment":
			r.add("document", "creation comment", value)
		default:
			r.add("document", strings.TrimPrefix(name, "rollproof:"), value)
		}
	}
	c := m.sub("component")
	r.add("SPDXRef-DOCUMENT", "DESCRIBES", c["bom-ref"].(string))
	r.component(c)
	m.end(r.t, "metadata")
}

func (r *cdxReader) entity(e tree) string {
	text := e.text("name")
	for _, url := range e.texts("url") {
		text += " (" + url + ")"
	}
	for _, c := range e.list("contact") {
		text += " (" + c.text("email") + ")"
		c.end(r.t, "contact")
	}
	e.end(r.t, "organization")
	return text
}

func (r *cdxReader) component(c tree) {
	id := c.text("bom-ref")
	for _, key := range []string{"name", "version", "purl"} {
		r.add(id, key, c.text(key))
	}
	r.add(id, "supplier", r.entity(c.sub("supplier")))
	r.add(id, "copyright", orNoAssertion(c.text("copyright")))
	r.add(id, "purpose", map[string]string{"application": "APPLICATION", "library": "LIBRARY", "data": "SOURCE"}[c.text("type")])
	for _, x := range c.list("data") {
		x.constant(r.t, "type", "source-code")
		x.end(r.t, id)
	}
	for _, x := range c.list("hashes") {
		r.add(id, strings.Replace(x.text("alg"), "-", "", 1), x.text("content"))
	}
	for _, x := range c.texts("omniborId") {
		r.add(id, "gitoid", x)
	}
	for _, x := range c.list("externalReferences") {
		url := x.text("url")
		x.constant(r.t, "type", map[bool]string{true: "vcs", false: "distribution"}[strings.HasPrefix(url, "git+")])
		r.add(id, "location", url)
		x.end(r.t, id)
	}
	evidence := c.sub("evidence")
	file := ""
	for _, o := range evidence.list("occurrences") {
		file = o.text("location")
	}
	r.add(id, "file", file)
	r.declared[id] = r.license(c.list("licenses"), "declared")
	r.add(id, "declared", r.declared[id])
	r.add(id, "concluded", r.license(evidence.list("licenses"), "concluded"))
	evidence.end(r.t, id)
	r.properties(id, c.list("properties"))
	c.end(r.t, id)
}

func orNoAssertion(text string) string {
	if text == "" {
		return "NOASSERTION"
	}
	return text
}

func (r *cdxReader) license(list []tree, acknowledgement string) string {
	if len(list) == 0 {
		return "NOASSERTION"
	}
	list[0].constant(r.t, "acknowledgement", acknowledgement)
	return list[0].text("expression")
}

func (r *cdxReader) properties(id string, list []tree) {
	source, comments, comment := "", "", []string{}
	for _, p := range list {
		switch name, value := strings.TrimPrefix(p.text("name"), "rollproof:"), p.text("value"); name {
		case "sourceInfo":
			source = value
		case "licenseComments":
			comments = value
		case "purl":
			r.add(id, "purl", value)
		case "contains":
			r.add(id, "CONTAINS", value)
		case "dependencies":
			r.static[id] = value == "statically linked"
		case "comment":
			comment = append(comment, value)
		default:
			comment = append(comment, name+" "+value)
		}
	}
	r.add(id, "source", source)
	r.add(id, "license comments", comments)
	r.add(id, "comment", strings.Join(comment, "\n"))
}

func (r *cdxReader) relations(d tree) {
	var known []string
	for _, x := range d.list("dependencies") {
		from, all := x.text("ref"), x.texts("dependsOn")
		known = append(known, from)
		if len(all) == 0 {
			r.add(from, "DEPENDS_ON", "NONE")
		}
		for _, to := range all {
			r.add(from, "DEPENDS_ON", to)
			if r.static[from] {
				r.add(from, "STATIC_LINK", to)
			}
		}
	}
	for _, x := range d.list("compositions") {
		refs := x.texts("dependencies")
		switch aggregate := x.text("aggregate"); {
		case aggregate == "unknown":
			for _, ref := range refs {
				r.add(ref, "DEPENDS_ON", "NOASSERTION")
			}
		case aggregate != "complete" || !slices.Equal(refs, known):
			r.t.Errorf("%s dependencies are %v, the graph has those of %v", aggregate, refs, known)
		}
		x.end(r.t, "composition")
	}
	formula := d.list("formulation")[0]
	workflow := formula.list("workflows")[0]
	source := workflow.list("inputs")[0].sub("resource").text("ref")
	tool := workflow.list("resourceReferences")[0].text("ref")
	for _, output := range workflow.list("outputs") {
		output.constant(r.t, "type", "artifact")
		binary := output.sub("resource").text("ref")
		r.add(binary, "GENERATED_FROM", source)
		r.add(tool, "BUILD_TOOL_OF", binary)
	}
	for _, key := range []string{"bom-ref", "uid"} {
		workflow.text(key)
	}
	if types := workflow.texts("taskTypes"); !slices.Equal(types, []string{"build"}) {
		r.t.Errorf("task types are %v", types)
	}
	workflow.end(r.t, "workflow")
	formula.end(r.t, "formula")
}

func (r *cdxReader) texts(annotations []tree) {
	for _, a := range annotations {
		ref := a.text("bom-ref")
		r.add(ref, "text", a.text("text"))
		var want []string
		for id, expression := range r.declared {
			if strings.Contains(expression, ref) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if got := a.texts("subjects"); !slices.Equal(got, want) {
			r.t.Errorf("the text of %s is said of %v, expected %v", ref, got, want)
		}
		for _, key := range []string{"timestamp", "annotator"} {
			if a[key] == nil {
				r.t.Errorf("the text of %s has no %s", ref, key)
			}
			delete(a, key)
		}
		a.end(r.t, ref)
	}
}
