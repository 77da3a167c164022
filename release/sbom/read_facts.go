package sbom

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
		return fmt.Errorf("document is named %.200q, expected %q", r.Name, want)
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
			return fmt.Errorf("relationship %.100q does not belong here", got[i])
		case i == len(got) || got[i] != want[i]:
			return fmt.Errorf("relationship %.100q is missing", want[i])
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
