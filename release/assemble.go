package release

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
)

// A Tree is where a package is put together. release/dist has the one on disk.
type Tree interface {
	// Write adds a file of mode 0644.
	Write(path string, data []byte) error
	// Open opens a file that is there.
	Open(path string) (File, error)
}

// Settings are what rollproof.yaml says about a release. The zero value is what a
// repository without one gets.
type Settings struct {
	Supplier  Supplier
	SourceURI string // "" means https://<module path>
	Targets   []TargetSetting
}

// A Supplier is the organisation that answers for a release.
type Supplier struct {
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
	URL   string `yaml:"url"`
}

// Ingredients are what a package is made from.
type Ingredients struct {
	Plan      *Plan
	Built     []Built
	Facts     SourceFacts
	Settings  Settings
	Tool      string            // rollproof's own version
	DryRun    bool              //
	Signer    envelope.Signer   // nil in a dry run, and only there
	Trust     map[string][]byte // files for trust/, by name
	Source    []string          // paths of the carried source, which lies in the tree; none without
	CycloneDX bool              // a CycloneDX document beside the SPDX one
	Imported  *Imported         // nil unless the binaries were built by something else
	Link      LinkWriter        // nil leaves the in-toto link out
}

// A LinkWriter makes the in-toto link of a package, from the sha256 of the commit's
// files and of the binaries by path. release/link has the one implementation.
type LinkWriter func(signer envelope.Signer, materials, products map[string]string) (name string, data []byte, err error)

// A Package is what was assembled.
type Package struct {
	Manifest       *Manifest
	ManifestSHA256 string          // hex
	Entries        []archive.Entry // every file, sorted by path
}

// Imported is what comes with binaries that a Builder did not make. Their package claims
// no build: it has a release statement and neither provenance nor link.
type Imported struct {
	Archives     []string          // paths below archives/, which lie in the tree
	Attestations map[string][]byte // files for attestations/, by name
}

// Assemble makes layers 0 to 4 around the binaries that lie in tree.
func Assemble(ctx context.Context, in Ingredients, tree Tree) (*Package, error) {
	if in.DryRun != (in.Signer == nil) {
		return nil, errors.New("a release is signed and a dry run is not: expected a signer, or a dry run")
	}
	a := &assembly{in: in, tree: tree, identity: identityOf(in)}
	steps := []func() error{a.writeLayer0, a.writeChecksums, a.writeSignatures, a.writeManifest, a.writeClosing}
	if err := a.readBinaries(ctx); err != nil {
		return nil, err
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(a.entries, func(x, y archive.Entry) int { return strings.Compare(x.Path, y.Path) })
	return &Package{a.manifest, a.sha256[ManifestFile], a.entries}, nil
}

func identityOf(in Ingredients) Identity {
	s := in.Plan.Source
	uri := in.Settings.SourceURI
	if uri == "" {
		uri = "https://" + s.Module
	}
	return Identity{
		Project: in.Plan.Project, Version: in.Plan.Version, Module: s.Module,
		Source: SourceIdentity{
			URI: uri, Directory: s.Directory, GitCommit: s.GitCommit, GitTree: s.GitTree,
			CommitTime: s.CommitTime.UTC().Format(time.RFC3339),
		},
	}
}

// An assembly is one run of Assemble.
type assembly struct {
	in       Ingredients
	tree     Tree
	identity Identity
	binaries []builtBinary
	files    []Artifact // layers 0 to 2 so far
	entries  []archive.Entry
	sha256   map[string]string
	hazards  []Hazard // that show while assembling
	manifest *Manifest
}

// A builtBinary is a binary with everything that documents say of it.
type builtBinary struct {
	Binary
	target         Target
	info           buildInfo
	size           int64
	sha256, sha512 string
	crc            uint32
}

// readBinaries hashes the binaries and reads their build info, several at a time.
func (a *assembly) readBinaries(ctx context.Context) error {
	a.binaries = make([]builtBinary, len(a.in.Built))
	a.sha256 = map[string]string{}
	errs := make([]error, len(a.in.Built))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, b := range a.in.Built {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			a.binaries[i], errs[i] = a.readBinary(ctx, b)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, b := range a.binaries {
		a.add(archive.Entry{Path: b.Path, Size: b.size, Mode: 0o755, CRC32: b.crc}, b.sha256, RoleBinary)
	}
	if err := a.readCarried(ctx, a.in.Source, RoleSource); err != nil || a.in.Imported == nil {
		return err
	}
	return a.readCarried(ctx, a.in.Imported.Archives, RoleArchive)
}

// readCarried hashes files that lie in the tree already: carried source, or archives.
func (a *assembly) readCarried(ctx context.Context, paths []string, role Role) error {
	for _, path := range paths {
		if !fitsRole(Artifact{Path: path, Role: role}, a.identity) {
			return fmt.Errorf("%s is no path of role %s", archive.Printable(path), role)
		}
		f, err := a.tree.Open(path)
		if err != nil {
			return err
		}
		sum, crc := sha256.New(), crc32.NewIEEE()
		size, err := io.Copy(io.MultiWriter(sum, crc), readerOnly{ctx, f})
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		a.add(archive.Entry{Path: path, Size: size, Mode: 0o644, CRC32: crc.Sum32()}, hex.EncodeToString(sum.Sum(nil)), role)
	}
	return nil
}

func (a *assembly) readBinary(ctx context.Context, built Built) (builtBinary, error) {
	f, err := a.tree.Open(built.Path)
	if err != nil {
		return builtBinary{}, err
	}
	defer f.Close()
	h256, h512, crc := sha256.New(), sha512.New(), crc32.NewIEEE()
	size, err := io.Copy(io.MultiWriter(h256, h512, crc), readerOnly{ctx, f})
	if err != nil {
		return builtBinary{}, err
	}
	info, err := readBuildInfo(f)
	if err != nil {
		return builtBinary{}, fmt.Errorf("%s: no build info: %w", built.Path, err)
	}
	return builtBinary{
		Binary: Binary{Path: built.Path, Name: built.Target.Binary, Main: info.mainPackage, Platform: built.Target.Platform, GoVersion: info.mainVersion},
		target: built.Target, info: info, size: size,
		sha256: hex.EncodeToString(h256.Sum(nil)), sha512: hex.EncodeToString(h512.Sum(nil)), crc: crc.Sum32(),
	}, nil
}

// add records a file; one of layers 0 to 2 has a role.
func (a *assembly) add(e archive.Entry, sum string, role Role) {
	a.entries = append(a.entries, e)
	a.sha256[e.Path] = sum
	if role != "" {
		a.files = append(a.files, Artifact{e.Path, e.Size, modeString(e.Mode), sum, role})
	}
}

func (a *assembly) write(path string, data []byte, role Role) error {
	if err := a.tree.Write(path, data); err != nil {
		return err
	}
	a.add(archive.Entry{Path: path, Size: int64(len(data)), Mode: 0o644, CRC32: crc32.ChecksumIEEE(data)}, evidence.SHA256(data), role)
	return nil
}

func (a *assembly) writeDocument(path string, doc any, schema string, role Role) error {
	data, err := encodeDocument(doc, schema)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return a.write(path, data, role)
}

func (a *assembly) writeLayer0() error {
	if err := a.writeSBOMs(); err != nil {
		return err
	}
	installers := newInstallers(a.identity, a.in.DryRun, a.binaries)
	if err := a.writeDocument(InstallersFile, installers, installersSchema, RoleInstallers); err != nil {
		return err
	}
	deployment, err := newDeployment(a.identity, a.in.DryRun, a.binaries, a.in.Settings.Targets)
	if err != nil {
		return err
	}
	if err := a.writeDocument(DeploymentFile, deployment, deploymentSchema, RoleDeployment); err != nil {
		return err
	}
	for _, name := range sortedKeys(a.in.Trust) {
		if err := a.write("trust/"+name, a.in.Trust[name], RoleTrust); err != nil {
			return err
		}
	}
	if err := a.writeAttestations(); err != nil {
		return err
	}
	return a.writeLicenses()
}

// writeLicenses carries the repository's license and notice files. One whose name
// can't stand in a package is left out, with a hazard that says so.
func (a *assembly) writeLicenses() error {
	for _, f := range a.in.Facts.Files {
		role := textRole(f.Name)
		if role == "" || archive.CheckSet(append(sortedKeys(a.sha256), f.Name)) != nil {
			a.hazards = append(a.hazards, Hazard{"license-name", fmt.Sprintf("the file %s is not carried: its name can't stand in a package", archive.Printable(f.Name))})
			continue
		}
		if err := a.write(f.Name, f.Data, role); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembly) writeChecksums() error {
	var sums []Checksum
	for _, f := range a.files {
		sums = append(sums, Checksum{f.SHA256, f.Path})
	}
	return a.write(ChecksumsFile, FormatChecksums(sums), RoleChecksums)
}

func (a *assembly) writeManifest() error {
	m := &Manifest{
		Schema: manifestSchema, Release: a.identity, DryRun: a.in.DryRun, Toolchain: a.in.Plan.Toolchain,
		Hazards: append(append([]Hazard{}, a.in.Plan.CommitHazards...), a.hazards...), Binaries: []Binary{}, Files: a.files,
	}
	if a.in.Signer != nil {
		m.KeyID = a.in.Signer.Public().KeyID()
	}
	for _, b := range a.binaries {
		m.Binaries = append(m.Binaries, b.Binary)
	}
	slices.SortFunc(m.Files, func(x, y Artifact) int { return strings.Compare(x.Path, y.Path) })
	a.manifest = m
	if err := a.writeDocument(ManifestFile, m, manifestSchema, ""); err != nil {
		return err
	}
	return a.write(MarkdownFile, m.Markdown(), "")
}
