// Package fromdist takes binaries and archives that GoReleaser built out of its dist
// directory into a package in the making. It reads dist/artifacts.json and believes
// nothing of it: every file is opened inside the directory, hashed again, and compared
// with its own Go build info and with the commit.
//
// # artifacts.json
//
// An array of objects. Of each these fields are read, all others are ignored:
//
//	{
//	  "name": "age", "path": "dist/age_linux_amd64_v1/age", "type": "Binary",
//	  "goos": "linux", "goarch": "amd64", "extra": {"Binary": "age", "Checksum": "sha256:…"}
//	}
//
// A Binary becomes bin/<binary>_<version>_<os>_<arch>, an Archive archives/<file name>.
// Every other type is left out, and listed. The first element of all paths is the name
// of the dist directory and is the same in all of them; the rest leads to a regular file
// inside, without a link on the way. A Checksum must be that of the file.
//
// # What must agree
//
// A binary's build info names the module of the repository, the platform of its entry,
// and the same toolchain as all others. Its vcs.revision, where it has one, is the commit
// that the release's tag names; dist/metadata.json, where it is there, names the same
// commit and tag. A binary without a stamp, or of changed files, is a hazard that the
// package records. What is inside an archive is not looked at.
//
// Source: https://goreleaser.com/customization/project (dist), and the artifacts.json that
// GoReleaser 2 writes.
package fromdist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/gobuild"
)

// An Import is what was taken.
type Import struct {
	Plan     *release.Plan // with the binaries as targets, their toolchain and their hazards
	Built    []release.Built
	Archives []string // paths below archives/
}

// Read copies the binaries and archives of a dist directory below to, the root of a
// package in the making. plan says which commit and version they must be of. Errors are
// *gobuild.Error, or those of the file system and of ctx.
func Read(ctx context.Context, dir string, plan *release.Plan, to string) (*Import, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	listed, err := readArtifacts(root)
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(root, plan); err != nil {
		return nil, err
	}
	own := *plan
	own.Targets, own.Skipped, own.Toolchain, own.Parameters = nil, nil, "", nil
	own.CommitHazards = slices.Clone(plan.CommitHazards)
	in := &importer{ctx: ctx, root: root, to: to, taken: map[string]string{}, Import: Import{Plan: &own}}
	for _, a := range listed {
		if err := in.take(a); err != nil {
			return nil, err
		}
	}
	if len(in.Built) == 0 {
		return nil, unusable("let goreleaser build first", "%s lists no binary", artifactsFile)
	}
	if err := archive.CheckSet(slices.Concat(in.paths(), in.Archives)); err != nil {
		return nil, tampered("%s: %v", artifactsFile, err)
	}
	slices.SortFunc(in.Built, func(a, b release.Built) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(in.Archives)
	for _, b := range in.Built {
		own.Targets = append(own.Targets, b.Target)
	}
	return &in.Import, nil
}

func unusable(hint, format string, args ...any) error {
	return &gobuild.Error{Kind: gobuild.KindRule, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

func tampered(format string, args ...any) error {
	return &gobuild.Error{Kind: gobuild.KindTampered, Msg: fmt.Sprintf(format, args...), Hint: "build it again with goreleaser"}
}

// An importer is one run of Read.
type importer struct {
	Import
	ctx   context.Context
	root  *os.Root
	to    string
	first string            // element of every path
	taken map[string]string // path in the package → path in artifacts.json
}

func (in *importer) paths() []string {
	var list []string
	for _, b := range in.Built {
		list = append(list, b.Path)
	}
	return list
}

// take copies one artifact, or leaves it out.
func (in *importer) take(a artifact) error {
	switch a.Type {
	case "Binary":
		return in.takeBinary(a)
	case "Archive":
		name := path.Base(a.Path)
		if err := release.CheckName("archive", name); err != nil {
			return tampered("%s: %v", artifactsFile, err)
		}
		in.Archives = append(in.Archives, release.ArchivesDir+name)
		_, err := in.copy(a, release.ArchivesDir+name, 0o644)
		return err
	}
	in.Plan.Skipped = append(in.Plan.Skipped, release.Skip{What: archive.Printable(a.Name), Reason: "of type " + archive.Printable(a.Type)})
	return nil
}

func (in *importer) takeBinary(a artifact) error {
	name := a.Extra.Binary
	if name == "" {
		name = path.Base(a.Path)
	}
	name = strings.TrimSuffix(name, ".exe")
	if err := release.CheckName("binary", name); err != nil {
		return tampered("%s: %v", artifactsFile, err)
	}
	b := release.Built{Target: release.Target{Binary: name, Platform: release.Platform{OS: a.OS, Arch: a.Arch}, Argv: []string{}, Env: []string{}}}
	b.Path = release.BinaryPath(name, in.Plan.Version, b.Target.Platform)
	if err := archive.CheckPath(b.Path); err != nil {
		return tampered("%s: platform of %s: %v", artifactsFile, archive.Printable(a.Path), err)
	}
	file, err := in.copy(a, b.Path, 0o755)
	if err != nil {
		return err
	}
	if b.Target.Main, err = in.examine(a, file, b.Target.Platform); err != nil {
		return err
	}
	in.Built = append(in.Built, b)
	return nil
}

// copy writes an artifact below the package's root and returns the copy's name.
func (in *importer) copy(a artifact, to string, mode os.FileMode) (string, error) {
	if before, twice := in.taken[to]; twice {
		return "", unusable("build one variant of each platform", "%s: both %s and %s would be %s", artifactsFile, archive.Printable(before), archive.Printable(a.Path), to)
	}
	in.taken[to] = a.Path
	inside, err := in.inside(a.Path)
	if err != nil {
		return "", err
	}
	from, err := openRegular(in.root, inside)
	if err != nil {
		return "", err
	}
	defer from.Close()
	file := filepath.Join(in.to, filepath.FromSlash(to))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", err
	}
	sum, err := hashCopy(out, contextReader{in.ctx, from})
	if err := errors.Join(err, out.Chmod(mode), out.Close()); err != nil {
		return "", err
	}
	return file, a.checkSum(sum)
}

// inside is where an artifact's path leads to in the dist directory.
func (in *importer) inside(name string) (string, error) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok || !validPath(name) {
		return "", tampered("%s: path %q leads out of the directory, expected dist/…", artifactsFile, archive.Printable(name))
	}
	if in.first == "" {
		in.first = first
	}
	if in.first != first {
		return "", tampered("%s: path %q is not below %s, as others are", artifactsFile, archive.Printable(name), archive.Printable(in.first))
	}
	return rest, nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
