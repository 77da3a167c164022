package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/provenance"
)

// checkBinaries reads the build info of each binary and compares it with the
// manifest and with its recipe in the provenance.
func (v *verification) checkBinaries() error {
	if v.manifest == nil {
		v.notChecked(checkProvenance, "", noManifest)
		return nil
	}
	v.builds = map[string]buildInfo{}
	for _, b := range v.manifest.Binaries {
		if _, exists := v.files[b.Path]; !exists {
			v.fail(checkProvenance, b.Path, "a binary", "missing", "get the package again from where it was made")
			continue
		}
		info, err := v.openBuildInfo(b.Path)
		if err != nil {
			v.fail(checkProvenance, b.Path, "a Go binary with build info", archive.Printable(err.Error()), "the file is not what go build made")
			continue
		}
		v.builds[b.Path] = info
		v.checkBinary(b, info)
	}
	if v.provenance != nil {
		v.checkResolved()
	}
	return nil
}

func (v *verification) openBuildInfo(path string) (buildInfo, error) {
	f, err := v.container.Open(path)
	if err != nil {
		return buildInfo{}, err
	}
	defer f.Close()
	return readBuildInfo(f)
}

func (v *verification) checkBinary(b Binary, info buildInfo) {
	if v.imported {
		v.checkImportedBinary(b, info)
		return
	}
	if v.provenance == nil {
		v.notChecked(checkProvenance, b.Path, "no provenance to compare with")
		return
	}
	definition := v.provenance.Predicate.BuildDefinition
	i := slices.IndexFunc(definition.InternalParameters.Targets, func(r provenance.Recipe) bool { return r.Binary == b.Path })
	if i < 0 {
		v.fail(checkProvenance, b.Path, "a recipe in the provenance", "none", "the package was made by something else")
		return
	}
	recipe := definition.InternalParameters.Targets[i]
	expected, problems := v.expectedSettings(recipe)
	expected["main package"], expected["main module version"] = b.Main, b.GoVersion
	expected["toolchain"], expected["main module"] = definition.InternalParameters.Toolchain, v.manifest.Release.Module
	expected["GOOS"], expected["GOARCH"] = b.Platform.OS, b.Platform.Arch
	problems = append(problems, settingProblems(b.Path, expected, info)...)
	problems = append(problems, v.packageProblems(b, recipe)...)
	v.outcome(checkProvenance, b.Path, problems)
	v.checkLdflagsOf(b.Path, recipe)
}

// expectedSettings returns what the recipe and the release identity say that build
// info must hold.
func (v *verification) expectedSettings(recipe provenance.Recipe) (map[string]string, []problem) {
	expected, err := recipe.Settings()
	if err != nil {
		return map[string]string{}, []problem{wrong(recipe.Binary, "a recipe of this build type", archive.Printable(err.Error()), "the package was made by something else")}
	}
	invocation, err := recipe.Parse()
	if err != nil || invocation.BuildVCS != "true" {
		return expected, []problem{wrong(recipe.Binary, "a recipe with -buildvcs=true", "without", "the package was made by something else")}
	}
	expected["vcs"] = "git"
	expected["vcs.revision"] = v.manifest.Release.Source.GitCommit
	expected["vcs.time"] = v.manifest.Release.Source.CommitTime
	expected["vcs.modified"] = fmt.Sprint(v.provenance.Predicate.BuildDefinition.ExternalParameters.Dirty)
	return expected, nil
}

// implied are build settings that follow from the source and not from the recipe.
var implied = map[string]bool{"DefaultGODEBUG": true, "-pgo": true}

// settingProblems compares what is expected with what build info holds.
func settingProblems(path string, expected map[string]string, info buildInfo) []problem {
	actual := maps.Clone(info.settings)
	actual["main package"], actual["main module"] = info.mainPackage, info.mainModule
	actual["main module version"], actual["toolchain"] = info.mainVersion, info.goVersion
	var problems []problem
	for _, name := range sortedKeys(expected, actual) {
		if expected[name] != actual[name] && !implied[name] {
			problems = append(problems, wrong(path, setting(name, expected[name]), setting(name, actual[name]), "the binary was not made by this recipe from this commit"))
		}
	}
	return problems
}

func setting(name, value string) string {
	if value == "" {
		return "no " + archive.Printable(name)
	}
	return archive.Printable(name + " " + value)
}

// packageProblems compares the package that the recipe builds with the one that the
// manifest names.
func (v *verification) packageProblems(b Binary, recipe provenance.Recipe) []problem {
	invocation, err := recipe.Parse()
	if err != nil {
		return nil // reported by expectedSettings
	}
	relative := strings.TrimPrefix(invocation.Package, ".")
	if want := v.manifest.Release.Module + relative; want != b.Main {
		return []problem{wrong(b.Path, "main package "+archive.Printable(want), "main package "+archive.Printable(b.Main), "the binary was not made by this recipe")}
	}
	return nil
}

// checkLdflagsOf says that -ldflags can't be compared: under -trimpath the go command
// leaves them out of the binary.
func (v *verification) checkLdflagsOf(path string, recipe provenance.Recipe) {
	if i, err := recipe.Parse(); err == nil && i.Ldflags != "" {
		v.add(Check{ID: checkLdflags, Subject: path, Result: NotChecked,
			Expected: "-ldflags " + archive.Printable(i.Ldflags), Actual: "build info holds no -ldflags under -trimpath",
			Hint: "rebuild to compare: rollproof release reproduce"})
	}
}

// checkResolved compares the provenance's dependencies with the source and with the
// modules that the binaries say they are linked from.
func (v *verification) checkResolved() {
	said, linkedIn := map[string]string{}, map[string]string{}
	definition := v.provenance.Predicate.BuildDefinition
	for _, r := range definition.ResolvedDependencies {
		said[r.URI] = dependencyDigest(r)
	}
	source := v.manifest.Release.Source
	linkedIn[source.URI] = source.GitCommit + " " + source.GitTree
	linkedIn[provenance.ToolchainURI(v.manifest.Toolchain)] = presentWithoutDigest
	for _, info := range v.builds {
		for _, m := range info.modules {
			linkedIn[provenance.ModuleURI(m.path, m.version)] = moduleDigest(m)
		}
	}
	path := ProvenancePath(v.manifest.Release.Project, v.manifest.DryRun)
	var problems []problem
	for _, uri := range sortedKeys(said, linkedIn) {
		if said[uri] != linkedIn[uri] {
			problems = append(problems, wrong(path, "dependency "+dependency(uri, linkedIn[uri]), dependency(uri, said[uri]), "the provenance does not belong to these binaries"))
		}
	}
	external := definition.ExternalParameters
	v.identities = append(v.identities, sourcedIdentity{path, Identity{
		Project: external.Project, Version: external.Version, Module: external.Module,
		Source: SourceIdentity{
			URI: external.Source.URI, Directory: external.Directory,
			GitCommit: external.Source.Digest["gitCommit"], GitTree: external.Source.Digest["gitTree"],
			CommitTime: source.CommitTime, // which provenance does not state
		},
	}})
	if external.DryRun != v.manifest.DryRun {
		problems = append(problems, wrong(path, fmt.Sprintf("dryRun %t", v.manifest.DryRun), fmt.Sprintf("dryRun %t", external.DryRun), ""))
	}
	v.outcome(checkProvenance, path, problems)
}

// presentWithoutDigest stands for the digest of a dependency that has none: the
// toolchain, and modules that go.mod replaces by a directory.
const presentWithoutDigest = "without digest"

func dependencyDigest(r provenance.Resource) string {
	switch {
	case r.Digest["dirHash"] != "":
		return r.Digest["dirHash"]
	case r.Digest["gitCommit"] != "":
		return r.Digest["gitCommit"] + " " + r.Digest["gitTree"]
	}
	return presentWithoutDigest
}

func moduleDigest(m linkedModule) string {
	if m.sum == "" {
		return presentWithoutDigest
	}
	hash, err := provenance.DirHash(m.sum)
	if err != nil {
		return m.sum
	}
	return hash
}

func dependency(uri, digest string) string {
	if digest == "" {
		return "no " + archive.Printable(uri)
	}
	return archive.Printable(uri + " " + digest)
}
