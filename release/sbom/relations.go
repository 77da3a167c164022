package sbom

import (
	"slices"
	"strings"
)

// Relationship types, SPDX 2.3 clause 11.1.
const (
	describes     = "DESCRIBES"
	contains      = "CONTAINS"
	dependsOn     = "DEPENDS_ON"
	staticLink    = "STATIC_LINK"
	generatedFrom = "GENERATED_FROM"
	buildToolOf   = "BUILD_TOOL_OF"
)

// A relation is a relationship between two identifiers, or from one to NONE or
// NOASSERTION.
type relation struct{ from, kind, to string }

func compareRelations(a, b relation) int {
	if c := strings.Compare(a.from, b.from); c != 0 {
		return c
	}
	if c := strings.Compare(a.kind, b.kind); c != 0 {
		return c
	}
	return strings.Compare(a.to, b.to)
}

// A graph is what the relationships of a document follow from. All strings are
// SPDX identifiers; Std is named in imports only, for every binary links it.
type graph struct {
	binaries map[string][]string // to the modules linked into each
	imports  map[string][]string // to the modules that a module, or Source, imports
	modules  []string
	known    bool // imports is known
}

// relations returns every relationship of the document, sorted.
func (g graph) relations() []relation {
	all := []relation{{documentID, describes, releaseID}, {stdID, dependsOn, none}}
	for binary, modules := range g.binaries {
		all = append(all,
			relation{releaseID, contains, binary},
			relation{releaseID, dependsOn, binary},
			relation{binary, generatedFrom, sourceID},
			relation{toolchainID, buildToolOf, binary},
			relation{binary, dependsOn, stdID},
			relation{binary, staticLink, stdID})
		for _, m := range modules {
			all = append(all, relation{binary, dependsOn, m}, relation{binary, staticLink, m})
		}
	}
	for _, m := range g.modules {
		all = append(all, g.importsOf(m)...)
	}
	if g.known {
		all = append(all, g.importsOf(sourceID)...)
	}
	slices.SortFunc(all, compareRelations)
	return slices.Compact(all)
}

func (g graph) importsOf(id string) []relation {
	switch {
	case !g.known:
		return []relation{{id, dependsOn, noAssertion}}
	case len(g.imports[id]) == 0:
		return []relation{{id, dependsOn, none}}
	}
	var all []relation
	for _, to := range g.imports[id] {
		all = append(all, relation{id, dependsOn, to})
	}
	return all
}
