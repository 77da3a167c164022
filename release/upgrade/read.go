package upgrade

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/provenance"
	"github.com/rollproof/rollproof/release/sbom"
)

// Limits in bytes of the documents that are held in memory.
const (
	maxDocument = 16 << 20
	maxSBOM     = sbom.MaxSize
)

// Read takes the facts out of a package that has passed verification. Every byte that
// it uses is bound to the digest of the manifest that the verdict names, so that a
// package which was swapped in between is an error.
func Read(ctx context.Context, c release.Container, verdict *release.Verdict) (Facts, error) {
	if verdict == nil || verdict.Result != release.Pass {
		return Facts{}, errors.New("the package has not passed verification")
	}
	r := &reader{ctx: ctx, container: c, verdict: verdict, sums: map[string]string{
		release.ManifestFile: strings.TrimPrefix(verdict.ManifestDigest, "sha256:"),
	}}
	for _, step := range []func() error{r.readManifest, r.readBill, r.readInstallers, r.readTargets, r.readRecipes} {
		if err := step(); err != nil {
			return Facts{}, err
		}
	}
	for i := range r.facts.Binaries {
		if err := r.readBuildInfo(&r.facts.Binaries[i]); err != nil {
			return Facts{}, err
		}
	}
	r.facts.Controls = controls(r.manifest, verdict)
	return r.facts, nil
}

// A reader is one run of Read.
type reader struct {
	ctx       context.Context
	container release.Container
	verdict   *release.Verdict
	sums      map[string]string // sha256 in hex that each file must have
	manifest  *release.Manifest
	facts     Facts
}

// read returns the bytes of a document of at most limit bytes.
func (r *reader) read(path string, limit int64) ([]byte, error) {
	f, err := r.container.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(data)) > limit || evidence.SHA256(data) != r.sums[path] {
		return nil, changed(path)
	}
	return data, nil
}

func changed(path string) error {
	return fmt.Errorf("%s: not the file that was verified", archive.Printable(path))
}

func (r *reader) readManifest() error {
	data, err := r.read(release.ManifestFile, maxDocument)
	if err != nil {
		return err
	}
	if r.manifest, err = release.DecodeManifest(data); err != nil {
		return fmt.Errorf("%s: %w", release.ManifestFile, err)
	}
	m := r.manifest
	sizes := map[string]int64{}
	for _, f := range m.Files {
		r.sums[f.Path], sizes[f.Path] = f.SHA256, f.Size
	}
	r.facts = Facts{
		Release: m.Release, DryRun: m.DryRun, ManifestDigest: r.verdict.ManifestDigest, Toolchain: m.Toolchain,
		Signers: slices.Clone(r.verdict.Signers), Hazards: m.Hazards,
	}
	for _, b := range m.Binaries {
		r.facts.Binaries = append(r.facts.Binaries, Binary{
			Name: b.Name, Platform: b.Platform, Path: b.Path, Main: b.Main,
			SHA256: r.sums[b.Path], Size: sizes[b.Path], Settings: map[string]string{},
		})
	}
	slices.SortFunc(r.facts.Binaries, func(a, b Binary) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// readBill takes dependencies and licences from the SPDX document.
func (r *reader) readBill() error {
	path := release.SBOMPath(r.manifest.Release.Project)
	data, err := r.read(path, maxSBOM)
	if err != nil {
		return err
	}
	doc, err := sbom.Read(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	declared, err := readLicenses(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.facts.License = declared.source
	for i, b := range r.facts.Binaries {
		at := slices.IndexFunc(doc.Binaries, func(x sbom.Binary) bool { return x.Path == b.Path })
		if at < 0 {
			return fmt.Errorf("%s: no entry for %s", path, b.Path)
		}
		for _, linked := range doc.Binaries[at].Modules {
			r.facts.Binaries[i].Modules = append(r.facts.Binaries[i].Modules, newModule(linked, declared.modules))
		}
	}
	return nil
}

// newModule says what was linked for a module of build info.
func newModule(l sbom.Linked, licenses map[[2]string]string) Module {
	m := Module{Path: l.Path, Version: l.Version, Sum: l.Sum}
	name := l.Path
	if r := l.Replace; r.Path != "" {
		m.Replacement, m.Version, m.Sum = r.Path, r.Version, r.Sum
		if r.Version != "" && r.Version != "(devel)" {
			name = r.Path // a directory goes by the path that it replaces
		}
	}
	m.License = licenses[[2]string{name, m.Version}]
	return m
}

// A declaration is what the SPDX document declares as licences.
type declaration struct {
	source  string
	modules map[[2]string]string // by name and version of the entry
}

// readLicenses reads what [sbom.Read], which has accepted the document, does not tell.
func readLicenses(data []byte) (declaration, error) {
	var doc struct {
		Packages []struct {
			ID       string `json:"SPDXID"`
			Name     string `json:"name"`
			Version  string `json:"versionInfo"`
			Declared string `json:"licenseDeclared"`
		} `json:"packages"`
	}
	d := declaration{modules: map[[2]string]string{}}
	if err := json.Unmarshal(data, &doc); err != nil {
		return d, err
	}
	for _, p := range doc.Packages {
		if p.Declared == "NOASSERTION" {
			p.Declared = ""
		}
		switch {
		case p.ID == "SPDXRef-Source":
			d.source = p.Declared
		case strings.HasPrefix(p.ID, "SPDXRef-Module-"):
			d.modules[[2]string{p.Name, p.Version}] = p.Declared
		}
	}
	return d, nil
}

func (r *reader) readInstallers() error {
	var doc release.Installers
	if err := r.document(release.InstallersFile, &doc); err != nil {
		return err
	}
	for _, i := range doc.Installers {
		for at := range r.facts.Binaries {
			if b := &r.facts.Binaries[at]; b.Path == i.Binary {
				b.InstallPath = i.InstallPath
			}
		}
	}
	return nil
}

func (r *reader) readTargets() error {
	var doc release.Deployment
	if err := r.document(release.DeploymentFile, &doc); err != nil {
		return err
	}
	r.facts.Targets = doc.Targets
	return nil
}

func (r *reader) document(path string, v any) error {
	data, err := r.read(path, maxDocument)
	if err != nil {
		return err
	}
	if err := envelope.Decode(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readRecipes takes the settings of the provenance: flags and environment. A package
// without provenance of our build type has none to compare.
func (r *reader) readRecipes() error {
	path := release.ProvenancePath(r.manifest.Release.Project, r.manifest.DryRun)
	if _, listed := r.sums[path]; !listed {
		return nil
	}
	payload, err := r.read(path, maxDocument)
	if err != nil {
		return err
	}
	if !r.manifest.DryRun {
		bundle, err := envelope.ParseBundle(payload)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		payload = bundle.Payload
	}
	statement, err := provenance.Read(payload)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, recipe := range statement.Predicate.BuildDefinition.InternalParameters.Targets {
		for i := range r.facts.Binaries {
			if b := &r.facts.Binaries[i]; b.Path == recipe.Binary {
				if err := b.addRecipe(recipe); err != nil {
					return fmt.Errorf("%s: %s: %w", path, b.Path, err)
				}
			}
		}
	}
	return nil
}

func (b *Binary) addRecipe(recipe provenance.Recipe) error {
	invocation, err := recipe.Parse()
	if err != nil {
		return err
	}
	variables, err := recipe.Variables()
	if err != nil {
		return err
	}
	for name, value := range variables {
		b.Settings[name] = value
	}
	for name, value := range map[string]string{
		"-ldflags": invocation.Ldflags, "-gcflags": invocation.Gcflags, "-asmflags": invocation.Asmflags,
		"-tags": invocation.Tags, "-mod": invocation.Mod,
	} {
		if value != "" {
			b.Settings[name] = value
		}
	}
	return nil
}

// readBuildInfo adds the settings that a binary itself holds, which win over those of
// the recipe.
func (r *reader) readBuildInfo(b *Binary) error {
	f, err := r.container.Open(b.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", b.Path, err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, cancelled{r.ctx, f}); err != nil {
		return fmt.Errorf("%s: %w", b.Path, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != b.SHA256 {
		return changed(b.Path)
	}
	info, err := buildInfo(f)
	if err != nil {
		return fmt.Errorf("%s: no build info: %w", b.Path, err)
	}
	for _, s := range info.Settings {
		if s.Key != "vcs" && !strings.HasPrefix(s.Key, "vcs.") {
			b.Settings[s.Key] = s.Value
		}
	}
	return nil
}

// buildInfo reads build info from a binary that may be hostile: a parser that panics
// is a file without it.
func buildInfo(r io.ReaderAt) (info *debug.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("unreadable: %v", p)
		}
	}()
	return buildinfo.Read(r)
}

// cancelled ends with the context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// controls lists the kinds of documents that a package carries and the checks of its
// verdict that passed throughout, sorted.
func controls(m *release.Manifest, verdict *release.Verdict) []string {
	has := map[string]bool{}
	for _, c := range verdict.Checks {
		passed, seen := has[c.ID]
		has[c.ID] = c.Result == release.Pass && (passed || !seen)
	}
	for _, f := range m.Files {
		if kind := documentKind(f); kind != "" {
			has[kind] = true
		}
	}
	var list []string
	for _, id := range unionKeys(has, nil) {
		if has[id] {
			list = append(list, id)
		}
	}
	return list
}

// documentKind names what a file of a package is a control by, "" for none. A check
// of the verdict has the name of the documents that it checks.
func documentKind(f release.Artifact) string {
	switch f.Role {
	case release.RoleBinary, release.RoleChecksums, release.RoleInstallers, release.RoleDeployment, release.RoleProvenance:
		return ""
	case release.RoleSBOM:
		for suffix, kind := range map[string]string{".spdx.json": "spdx", ".cdx.json": "cyclonedx"} {
			if strings.HasSuffix(f.Path, suffix) {
				return kind
			}
		}
		return "another-sbom"
	case release.RoleTrust:
		return "trust-files" // the check "trust" is about whom the verifier trusts
	case release.RoleSource:
		if strings.HasSuffix(f.Path, ".modules.zip") {
			return "source-modules"
		}
	case release.RoleRawSignature:
		return "raw-signature"
	}
	return string(f.Role)
}
