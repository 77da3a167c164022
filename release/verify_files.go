package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release/archive"
)

// Limits in bytes of the documents that are held in memory.
const (
	maxManifest = 16 << 20
	maxSBOM     = 64 << 20
	maxBundle   = 1 << 20
)

// hash reads every file once, several at a time, and records its sha256, size and
// mode. What can't be read because the container is damaged becomes a problem of the
// container.
func (v *verification) hash(ctx context.Context) error {
	entries := v.container.Entries()
	results, errs := make([]hashed, len(entries)), make([]error, len(entries))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(v.opts.Parallel, len(entries)) {
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for i := range work {
				results[i], errs[i] = v.hashEntry(ctx, entries[i], buf)
			}
		})
	}
	for _, i := range bySize(entries) {
		work <- i
	}
	close(work)
	wg.Wait()
	v.files = make(map[string]hashed, len(entries))
	for i, e := range entries {
		if err := v.record(e, results[i], errs[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// bySize orders the largest files first, so that no worker is left with one at the
// end.
func bySize(entries []archive.Entry) []int {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(max(entries[b].Size-entries[a].Size, -1), 1)) })
	return order
}

func (v *verification) hashEntry(ctx context.Context, e archive.Entry, buf []byte) (hashed, error) {
	f, err := v.container.Open(e.Path)
	if err != nil {
		return hashed{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(writerOnly{h}, readerOnly{ctx, f}, buf)
	return hashed{hex.EncodeToString(h.Sum(nil)), n, modeString(e.Mode)}, err
}

// readerOnly and writerOnly hide the faster paths of io.Copy, which would allocate
// a buffer of their own.
type readerOnly struct {
	ctx context.Context
	r   io.Reader
}

func (r readerOnly) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type writerOnly struct{ io.Writer }

func (v *verification) record(e archive.Entry, h hashed, err error) error {
	var damaged *archive.Error
	switch {
	case errors.As(err, &damaged):
		v.fail(checkContainer, e.Path, "data as its header says", damaged.Problem, "get the package again from where it was made")
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", archive.Printable(e.Path), err)
	}
	v.files[e.Path] = h
	v.order = append(v.order, e.Path)
	v.verdict.Files++
	v.verdict.Bytes += h.size
	return nil
}

func modeString(m fs.FileMode) string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", m.Perm())
}

// read returns the bytes of a file of at most limit bytes, which must still have the
// sha256 of the one pass.
func (v *verification) read(path string, limit int64) ([]byte, error) {
	h, ok := v.files[path]
	if !ok {
		return nil, errors.New("missing")
	}
	if h.size > limit {
		return nil, fmt.Errorf("%d bytes, the limit is %d", h.size, limit)
	}
	f, err := v.container.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if evidence.SHA256(data) != h.sha256 {
		return nil, errors.New("changed while it was read")
	}
	return data, nil
}

// loadManifest reads release-evidence.json.
func (v *verification) loadManifest() {
	data, err := v.read(ManifestFile, maxManifest)
	if err == nil {
		v.manifest, err = DecodeManifest(data)
	}
	if err != nil {
		v.manifest = nil
		v.fail(checkManifest, ManifestFile, "the manifest of a package", archive.Printable(err.Error()), "give a package made by rollproof release package")
		return
	}
	v.imported = v.manifest.Imported()
	v.verdict.Release = &v.manifest.Release
	v.verdict.DryRun = v.manifest.DryRun
	v.verdict.ManifestDigest = "sha256:" + v.files[ManifestFile].sha256
	v.outcome(checkManifest, ManifestFile, v.layerProblems())
}

// layerProblems compares the manifest's list of files with what a package of its
// layer 0 must hold.
func (v *verification) layerProblems() []problem {
	m := v.manifest
	want := map[string]Role{ChecksumsFile: RoleChecksums, InstallersFile: RoleInstallers, DeploymentFile: RoleDeployment,
		SBOMPath(m.Release.Project): RoleSBOM}
	if v.imported {
		want[ReleasePath(m.Release.Project, m.DryRun)] = RoleRelease
	} else {
		want[ProvenancePath(m.Release.Project, m.DryRun)] = RoleProvenance
	}
	for _, path := range m.paths(RoleBinary) {
		want[path] = RoleBinary
	}
	for _, f := range m.Files {
		if v.imported && importedRoles[f.Role] && fitsRole(f, m.Release) {
			want[f.Path] = f.Role
		}
	}
	if cycloneDX := CycloneDXPath(m.Release.Project); slices.Contains(m.paths(RoleSBOM), cycloneDX) {
		want[cycloneDX] = RoleSBOM
	}
	if !m.DryRun {
		for path, role := range want {
			if signedRoles[role] {
				want[BundlePath(path)] = RoleSignature
			}
		}
		want[RawSignature] = RoleRawSignature
	}
	have := map[string]Role{}
	for _, f := range m.Files {
		have[f.Path] = f.Role
		if _, known := want[f.Path]; !known && !importedRoles[f.Role] && fitsRole(f, m.Release) {
			want[f.Path] = f.Role
		}
	}
	var problems []problem
	for _, path := range sortedKeys(want, have) {
		if want[path] != have[path] {
			problems = append(problems, wrong(path, roleName(want[path]), roleName(have[path]), "the manifest does not describe a package"))
		}
	}
	if (m.KeyID == "") != m.DryRun {
		problems = append(problems, wrong(ManifestFile, "a keyid, or a dry run", "keyid "+archive.Printable(m.KeyID), ""))
	}
	if len(m.Binaries) == 0 {
		problems = append(problems, wrong(ManifestFile, "at least one binary", "none", ""))
	}
	return problems
}

// importedRoles are the roles of files that only an imported release has.
var importedRoles = map[Role]bool{RoleArchive: true, RoleAttestation: true}

// fitsRole reports whether a file of the kinds that a package may or may not have
// lies where its role says.
func fitsRole(f Artifact, id Identity) bool {
	switch f.Role {
	case RoleSource:
		return isSource(f.Path, id)
	case RoleArchive:
		return inDirectory(f.Path, ArchivesDir)
	case RoleAttestation:
		return inDirectory(f.Path, AttestationsDir)
	case RoleTrust:
		return strings.HasPrefix(f.Path, "trust/")
	case RoleLicense, RoleNotice:
		return textRole(f.Path) == f.Role
	case RoleLink:
		return linkName.MatchString(f.Path)
	}
	return false
}

// inDirectory reports whether a path is that of a file right in a directory.
func inDirectory(path, dir string) bool {
	name, ok := strings.CutPrefix(path, dir)
	return ok && name != "" && !strings.Contains(name, "/")
}

func roleName(r Role) string {
	if r == "" {
		return "no such file"
	}
	return "a file of role " + string(r)
}

func sortedKeys[V any](maps ...map[string]V) []string {
	var keys []string
	for _, m := range maps {
		for k := range m {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// checkClosedSet compares the files that are there with the files that the manifest
// and its layers name: names, sizes, modes, digests.
func (v *verification) checkClosedSet() {
	if v.manifest == nil {
		v.notChecked(checkClosedSet, "", noManifest)
		return
	}
	want := map[string]*Artifact{ManifestFile: nil, MarkdownFile: nil}
	if !v.manifest.DryRun {
		want[ClosingFile] = nil
	}
	for i, f := range v.manifest.Files {
		want[f.Path] = &v.manifest.Files[i]
	}
	var problems []problem
	for _, path := range sortedKeys(v.fileSet(), v.closingBundles(), keysOf(want)) {
		problems = append(problems, v.compare(path, want)...)
	}
	v.outcome(checkClosedSet, "", problems)
}

func keysOf(m map[string]*Artifact) map[string]bool {
	keys := make(map[string]bool, len(m))
	for k := range m {
		keys[k] = true
	}
	return keys
}

func (v *verification) fileSet() map[string]bool {
	set := make(map[string]bool, len(v.files))
	for path := range v.files {
		set[path] = true
	}
	return set
}

// compare returns what is wrong with one path of the set.
func (v *verification) compare(path string, want map[string]*Artifact) []problem {
	file, exists := v.files[path]
	artifact, listed := want[path]
	switch {
	case !exists:
		return []problem{wrong(path, "the file", "missing", "get the package again from where it was made")}
	case !listed && v.closingBundles()[path]:
		return nil
	case !listed:
		return []problem{wrong(archive.Printable(path), "no such file", "an extra file", "remove the file, or get the package again")}
	}
	mode, problems := "0644", []problem(nil)
	if artifact != nil {
		mode = artifact.Mode
		if file.sha256 != artifact.SHA256 || file.size != artifact.Size {
			problems = append(problems, wrong(path, fmt.Sprintf("sha256 %s, %d bytes", artifact.SHA256, artifact.Size),
				fmt.Sprintf("sha256 %s, %d bytes", file.sha256, file.size), "the file was changed after packaging"))
		}
	}
	if file.mode != "" && file.mode != mode {
		problems = append(problems, wrong(path, "mode "+mode, "mode "+file.mode, "restore the owner's executable bit as the manifest has it"))
	}
	return problems
}

// checkChecksums compares checksums.txt with layer 0.
func (v *verification) checkChecksums() {
	data, err := v.read(ChecksumsFile, maxManifest)
	if err != nil {
		v.fail(checkChecksums, ChecksumsFile, "the checksums of layer 0", archive.Printable(err.Error()), "get the package again from where it was made")
		return
	}
	sums, err := ParseChecksums(data)
	if err != nil {
		v.fail(checkChecksums, ChecksumsFile, "lines as sha256sum writes them", err.Error(), "get the package again from where it was made")
		return
	}
	listed := map[string]string{}
	for _, s := range sums {
		listed[s.Path] = s.SHA256
	}
	actual := map[string]string{}
	for path, file := range v.layer0() {
		actual[path] = file.sha256
	}
	v.outcome(checkChecksums, "", differences(listed, actual, "listed in checksums.txt"))
}

// layer0 returns the files that checksums.txt must list: by the manifest's roles, or
// without a manifest those that are there.
func (v *verification) layer0() map[string]hashed {
	if v.manifest == nil {
		return v.files
	}
	files := map[string]hashed{}
	for _, f := range v.manifest.Files {
		if h, ok := v.files[f.Path]; ok && layerOf(f.Role) == 0 {
			files[f.Path] = h
		}
	}
	return files
}

// differences compares two maps from path to sha256: what a document says with what
// is there.
func differences(said, actual map[string]string, where string) []problem {
	var problems []problem
	for _, path := range sortedKeys(said, actual) {
		s, a := said[path], actual[path]
		switch {
		case s == a:
		case s == "":
			problems = append(problems, wrong(archive.Printable(path), where, "not "+where, "get the package again from where it was made"))
		case a == "":
			problems = append(problems, wrong(archive.Printable(path), "sha256 "+archive.Printable(s), "missing", "get the package again from where it was made"))
		default:
			problems = append(problems, wrong(archive.Printable(path), "sha256 "+archive.Printable(s), "sha256 "+a, "the file was changed after packaging"))
		}
	}
	return problems
}
