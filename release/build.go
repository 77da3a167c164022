package release

import (
	"context"
	"io/fs"
	"time"
)

// A Platform is one pair of GOOS and GOARCH.
type Platform struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// String returns the form that people write, for example linux/amd64.
func (p Platform) String() string { return p.OS + "/" + p.Arch }

// DefaultPlatforms are built when neither a configuration nor --target names any.
var DefaultPlatforms = []Platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// A Source is the commit that a release is made from.
type Source struct {
	Module     string    // module path of the go.mod that is built
	Directory  string    // directory of that go.mod below the repository's root, slash-separated, "" for the root
	Tag        string    // the release's tag; "" in a dry run of an untagged commit
	GitCommit  string    // hex object name
	GitTree    string    // hex object name of the commit's tree
	CommitTime time.Time // committer date, UTC, whole seconds
	Dirty      bool      // a dry run of changed tracked files: the tree as it is was built, not the commit
}

// A Target is one binary to build: a main package for a platform.
type Target struct {
	Main     string   // package path relative to the module's root: "." or "./cmd/age"
	Binary   string   // base name without extension: "age"
	Platform Platform //
	// Argv and Env are the recipe as recorded: complete, and free of this machine's
	// paths. Argv holds "-o", then the path inside the package. Env holds the
	// variables that decide about the result, sorted, as NAME=value.
	Argv []string
	Env  []string
}

// A Skip is a main package or a configured item that is left out, and why.
type Skip struct {
	What   string // "./cmd/x for windows/arm64", ".goreleaser.yaml: archives"
	Reason string
}

// A Hazard is something that weakens what a release can claim.
type Hazard struct {
	ID     string `json:"id"`     // a word of the list in docs/formats: "vendor", "dirty-tree"
	Detail string `json:"detail"` // one sentence, free of this machine's paths
}

// A Plan is everything that is known before the first binary is built.
type Plan struct {
	Project   string // <name>
	Version   string // <version>: the tag as it is; for an untagged dry run "v0.0.0-<first 12 hex of the commit>"
	Source    Source
	Toolchain string   // as "go env GOVERSION" prints it: "go1.26.8"
	Targets   []Target // sorted by Binary, then OS, then Arch
	Skipped   []Skip
	// CommitHazards follow from the commit and are recorded in the package.
	// MachineHazards belong to this machine and are shown, never recorded.
	CommitHazards  []Hazard
	MachineHazards []Hazard
	// Parameters are the release's choices beyond the defaults, for provenance
	// externalParameters: flags given, names allowed with --allow-env. Never a secret.
	Parameters map[string]string
}

// A Built is a binary that a Builder made.
type Built struct {
	Target Target
	Path   string // slash-separated path inside the package: "bin/age_v1.2.1_linux_amd64"
}

// A ModuleFact is what the module cache told about one linked module. Everything
// but Path and Version may be empty when the cache has no answer.
type ModuleFact struct {
	Path, Version string
	Sum           string       // the h1: dirhash that go.sum holds
	ZipSHA256     string       // hex; only where the cached zip's own h1: equals Sum
	ZipSHA512     string       // hex; likewise
	License       LicenseFact  //
	DependsOn     []ModuleName // modules whose packages this one imports, sorted
}

// A ModuleName names a module at a version.
type ModuleName struct{ Path, Version string }

// A LicenseFact is what license files say.
type LicenseFact struct {
	Expression string        // SPDX expression, "" when nothing was found
	Copyright  string        // copyright lines, joined with LF, "" when none was found
	Extracted  []LicenseText // the texts behind each LicenseRef of Expression
}

// A LicenseText is a license text that has no SPDX identifier.
type LicenseText struct {
	ID   string // "LicenseRef-" and the first 16 hex of the text's sha256
	Text string
}

// SourceFacts are what a Builder knows of the source after building.
type SourceFacts struct {
	License LicenseFact  // of the released module itself
	Modules []ModuleFact // every module linked into any binary, and "std"; sorted by path, version
	Direct  []ModuleName // modules that the main module's own packages import, "std" included
	Files   []SourceFile // LICENSE* and NOTICE* of the module's root, sorted by name
	Tree    []TreeFile   // every regular file of the commit, sorted by path
	// Toolchain lists the files below GOROOT/src, sorted by path; empty when they
	// were not looked at.
	Toolchain []TreeFile
}

// A SourceFile is a small file of the commit.
type SourceFile struct {
	Name string
	Data []byte
}

// A TreeFile is a file of the commit, for in-toto materials.
type TreeFile struct {
	Path   string
	SHA256 string // hex of the content
	Size   int64
	Mode   fs.FileMode
}

// Progress receives what happens while a Builder works. Calls are serialized.
type Progress func(Event)

// An Event is one step of a build.
type Event struct {
	Phase  string // "fetch", "verify-modules", "build"
	Target string // "age linux/amd64", "" where the phase has none
	Done   int    // steps finished in this phase
	Total  int    // steps of this phase, 0 when unknown
}

// A Builder turns a commit into binaries. release/gobuild is the one
// implementation; it is wired in cmd.
type Builder interface {
	// Plan reads the repository and decides what will be built. It changes
	// nothing and builds nothing.
	Plan(ctx context.Context) (*Plan, error)
	// Build makes every target of the plan below dir, the package's root on disk,
	// and reports each binary in the order of plan.Targets.
	Build(ctx context.Context, plan *Plan, dir string, progress Progress) ([]Built, SourceFacts, error)
	// Close removes what Plan and Build left on this machine.
	Close() error
}
