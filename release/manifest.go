package release

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/schemas"
)

// An Artifact is one file of a package.
type Artifact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // bytes
	Mode   string `json:"mode"` // "0755" for binaries, else "0644"
	SHA256 string `json:"sha256"`
	Role   Role   `json:"role"`
}

// A Binary says what a binary of the package is.
type Binary struct {
	Path     string   `json:"path"`
	Name     string   `json:"name"`
	Main     string   `json:"main"` // import path of the main package
	Platform Platform `json:"platform"`
	// GoVersion is the main module's version in the binary's build info. It equals
	// the release's version only where Go can express that: not for v2 without /v2,
	// for calendar versions, or for modules in a sub-directory.
	GoVersion string `json:"goVersion"`
}

// A Manifest is release-evidence.json: what the release is, and every file of
// layers 0 to 2.
type Manifest struct {
	Schema    string     `json:"schema"`
	Release   Identity   `json:"release"`
	DryRun    bool       `json:"dryRun"`
	KeyID     string     `json:"keyid"`     // of layer 2's signatures, "" in a dry run
	Toolchain string     `json:"toolchain"` // "go1.26.8"
	Hazards   []Hazard   `json:"hazards"`   // that follow from the commit
	Binaries  []Binary   `json:"binaries"`
	Files     []Artifact `json:"files"` // sorted by path
}

// DecodeManifest reads the exact bytes of release-evidence.json and checks its
// schema and what a schema can't say: paths form a portable set, sorted, and each
// binary is one of the files.
func DecodeManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := decodeDocument(data, &m, manifestSchema); err != nil {
		return nil, err
	}
	paths := make([]string, len(m.Files))
	for i, f := range m.Files {
		paths[i] = f.Path
	}
	if err := archive.CheckSet(paths); err != nil {
		return nil, err
	}
	if !slices.IsSorted(paths) {
		return nil, fmt.Errorf("files are not sorted by path")
	}
	for what, name := range map[string]string{"project": m.Release.Project, "version": m.Release.Version} {
		if err := CheckName(what, name); err != nil {
			return nil, err
		}
	}
	return &m, m.checkBinaries()
}

// checkBinaries compares the list of binaries with the files of that role.
func (m *Manifest) checkBinaries() error {
	var listed []string
	for _, b := range m.Binaries {
		if want := BinaryPath(b.Name, m.Release.Version, b.Platform); b.Path != want {
			return fmt.Errorf("binary %s for %s is named %s, expected %s", b.Name, b.Platform, b.Path, want)
		}
		listed = append(listed, b.Path)
	}
	if files := m.paths(RoleBinary); !slices.Equal(files, slices.Sorted(slices.Values(listed))) {
		return fmt.Errorf("binaries are %s, files of that role are %s", strings.Join(listed, ", "), strings.Join(files, ", "))
	}
	return nil
}

// Imported reports whether something else than rollproof built the binaries: then there
// is a release statement, and no provenance.
func (m *Manifest) Imported() bool {
	return slices.ContainsFunc(m.Files, func(f Artifact) bool { return f.Role == RoleRelease })
}

// paths returns the files of a role, in order.
func (m *Manifest) paths(r Role) []string {
	var paths []string
	for _, f := range m.Files {
		if f.Role == r {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// decodeDocument reads one of our own documents: its exact bytes, its schema
// identifier, its schema.
func decodeDocument(data []byte, v any, schema string) error {
	if err := envelope.Decode(data, v); err != nil {
		return err
	}
	return schemas.Validate(schema, data)
}

// encodeDocument writes one of our own documents, and refuses to write what its
// schema does not allow.
func encodeDocument(v any, schema string) ([]byte, error) {
	data, err := envelope.Encode(v)
	if err != nil {
		return nil, err
	}
	return data, schemas.Validate(schema, data)
}
