// Package provenance writes and reads the SLSA provenance of a package: an in-toto
// Statement v1 whose subjects are the binaries and whose predicate is SLSA
// provenance v1 (https://slsa.dev/spec/v1.0/provenance) with the build type that
// docs/buildtypes/go-package-v1.md defines.
//
// The predicate says what was asked for (externalParameters), exactly how each
// binary was made (internalParameters: one argv and one environment per binary, free
// of the building machine's paths), what went in (resolvedDependencies: the source
// commit, every linked module, the toolchain) and what else came out (byproducts:
// the SBOM and checksums.txt). It holds no time and no invocation id, because two
// builds of one commit must give the same bytes. The builder id names a local
// build, which is SLSA Build L1 and no more.
//
// The recipe of a binary, for example:
//
//	argv  go build -trimpath -buildvcs=true -mod=readonly -o bin/age_v1.2.1_linux_amd64 ./cmd/age
//	env   CGO_ENABLED=0 GOAMD64=v1 GOARCH=amd64 GOENV=off … GOOS=linux …
package provenance

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// BuildType identifies the meaning of the parameters.
const BuildType = "https://github.com/rollproof/rollproof/blob/main/docs/buildtypes/go-package-v1.md"

// LocalBuilder is the builder id: rollproof on a machine that nobody vouches for.
const LocalBuilder = "https://github.com/rollproof/rollproof/blob/main/docs/buildtypes/go-package-v1.md#local-builder"

// A Statement is a provenance statement.
type Statement = evidence.Statement[Predicate]

// A Predicate is SLSA provenance v1 as this build type uses it.
type Predicate struct {
	BuildDefinition BuildDefinition `json:"buildDefinition"`
	RunDetails      RunDetails      `json:"runDetails"`
}

// A BuildDefinition is everything that went into the build.
type BuildDefinition struct {
	BuildType            string             `json:"buildType"`
	ExternalParameters   ExternalParameters `json:"externalParameters"`
	InternalParameters   InternalParameters `json:"internalParameters"`
	ResolvedDependencies []Resource         `json:"resolvedDependencies"`
}

// ExternalParameters are what a person asked for. They are complete: nothing else
// that a person can choose decides about the binaries.
type ExternalParameters struct {
	Project   string            `json:"project"`
	Version   string            `json:"version"`
	Module    string            `json:"module"`
	Directory string            `json:"directory"` // of go.mod in the repository, "" for the root
	Source    Resource          `json:"source"`
	DryRun    bool              `json:"dryRun"`
	Dirty     bool              `json:"dirty"`   // a dry run of changed files: the commit does not describe the source
	Options   map[string]string `json:"options"` // choices beyond the defaults
}

// InternalParameters are how the builder carried it out.
type InternalParameters struct {
	Toolchain string   `json:"toolchain"` // "go1.26.8"
	Targets   []Recipe `json:"targets"`
}

// A Recipe is how one binary was made.
type Recipe struct {
	Binary string   `json:"binary"` // path in the package
	Argv   []string `json:"argv"`
	Env    []string `json:"env"` // NAME=value, sorted; paths of the machine left out
}

// A Resource is SLSA's ResourceDescriptor, as far as it is used.
type Resource struct {
	URI    string             `json:"uri"`
	Digest evidence.DigestSet `json:"digest,omitempty"`
	Name   string             `json:"name,omitempty"`
}

// RunDetails say who built.
type RunDetails struct {
	Builder    Builder    `json:"builder"`
	Byproducts []Resource `json:"byproducts"`
}

// A Builder is who built, and with which version of what.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

// Facts are what a provenance is written from.
type Facts struct {
	Parameters ExternalParameters // Source is filled in by New
	SourceURI  string
	GitCommit  string
	GitTree    string
	Toolchain  string // "go1.26.8"
	Tool       string // rollproof's own version
	Recipes    []Recipe
	Modules    []Module
	Binaries   []evidence.Subject
	Byproducts []Resource
}

// A Module is a module that is linked into a binary.
type Module struct {
	Path    string
	Version string // "" for a module that go.mod replaces by a directory
	Sum     string // "h1:…" as go.sum has it, "" where there is none
}

// New returns the statement for f. Its bytes depend on f alone.
func New(f Facts) (Statement, error) {
	if len(f.Binaries) == 0 {
		return Statement{}, errors.New("a provenance without binaries")
	}
	deps, err := dependencies(f)
	if err != nil {
		return Statement{}, err
	}
	external := f.Parameters
	external.Source = deps[0]
	if external.Options == nil {
		external.Options = map[string]string{}
	}
	return evidence.NewStatement(evidence.Provenance, f.Binaries, Predicate{
		BuildDefinition: BuildDefinition{
			BuildType:            BuildType,
			ExternalParameters:   external,
			InternalParameters:   InternalParameters{f.Toolchain, f.Recipes},
			ResolvedDependencies: deps,
		},
		RunDetails: RunDetails{
			Builder:    Builder{LocalBuilder, map[string]string{"rollproof": f.Tool}},
			Byproducts: f.Byproducts,
		},
	}), nil
}

// dependencies lists the source first, then the toolchain, then the modules by path
// and version.
func dependencies(f Facts) ([]Resource, error) {
	deps := []Resource{
		{URI: f.SourceURI, Digest: evidence.DigestSet{"gitCommit": f.GitCommit, "gitTree": f.GitTree}},
		{URI: ToolchainURI(f.Toolchain), Name: f.Toolchain},
	}
	modules := slices.Clone(f.Modules)
	slices.SortFunc(modules, func(a, b Module) int {
		return strings.Compare(a.Path+"@"+a.Version, b.Path+"@"+b.Version)
	})
	for _, m := range slices.Compact(modules) {
		r := Resource{URI: ModuleURI(m.Path, m.Version), Name: m.Path}
		if m.Sum != "" {
			hash, err := DirHash(m.Sum)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
			}
			r.Digest = evidence.DigestSet{"dirHash": hash}
		}
		deps = append(deps, r)
	}
	return deps, nil
}

// ModuleURI returns the package URL of a module, with the case of its path kept
// (https://github.com/package-url/purl-spec, type golang).
func ModuleURI(path, version string) string {
	uri := "pkg:golang/" + path
	if version != "" {
		uri += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	return uri
}

// ToolchainURI returns the package URL of a Go toolchain such as "go1.26.8".
func ToolchainURI(goVersion string) string {
	return "pkg:golang/toolchain@" + strings.TrimPrefix(goVersion, "go")
}

// DirHash turns a go.sum hash ("h1:" and base64) into the value of in-toto's digest
// dirHash: the same 32 bytes in lower-case hex.
func DirHash(sum string) (string, error) {
	b64, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if !ok || err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%q is no h1: hash", sum)
	}
	return hex.EncodeToString(raw), nil
}

// Read decodes the exact bytes of a provenance statement of this build type.
func Read(payload []byte) (Statement, error) {
	s, err := evidence.DecodeStatement[Predicate](payload, evidence.Provenance)
	if err != nil {
		return s, err
	}
	if got := s.Predicate.BuildDefinition.BuildType; got != BuildType {
		return s, &evidence.TypeError{Field: "buildType", Got: got, Want: BuildType}
	}
	return s, nil
}

// Encode returns the statement's exact bytes.
func Encode(s Statement) ([]byte, error) { return envelope.Encode(s) }
