package sbom_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/release/sbom"
)

const (
	sumA = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	sumB = "h1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
	sumC = "h1:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA="

	oddText = "Ask Ada. <ada@example.com> & \"quotes\"\n\ttabs\u2028and separators\n"
)

func hex256(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
func hex512(s string) string { h := sha512.Sum512([]byte(s)); return hex.EncodeToString(h[:]) }

func refOf(text string) string { return "LicenseRef-" + hex256(text)[:16] }

// smallFacts are made by hand and hold one of each special case: upper case in a
// module path, +incompatible, a pseudo-version, a major version in a directory,
// both kinds of replacement, a module without a license, one without imports, a
// text that SPDX does not know.
func smallFacts() sbom.Facts {
	semver := sbom.Linked{Path: "github.com/Example/Semver/sub/v3", Version: "v3.1.0", Sum: sumA}
	old := sbom.Linked{Path: "gitlab.com/example/old", Version: "v2.0.0+incompatible", Sum: sumB}
	pseudo := sbom.Linked{Path: "golang.org/x/sys", Version: "v0.0.0-20240102030405-0123456789ab",
		Replace: sbom.Replacement{Path: "codeberg.org/grace/sys", Version: "v0.0.0-20240102030405-ba9876543210", Sum: sumC}}
	local := sbom.Linked{Path: "example.com/lib", Version: "v1.0.0", Replace: sbom.Replacement{Path: "./lib", Version: "(devel)"}}
	binary := func(os, arch, ext string, modules ...sbom.Linked) sbom.Binary {
		path := "bin/app_v1.4.2_" + os + "_" + arch + ext
		return sbom.Binary{
			Path: path, Name: "app", SHA256: hex256(path), SHA512: hex512(path), Size: 4096, OS: os, Arch: arch,
			GoVersion: "go1.26.8", MainPackage: "github.com/example/app/cmd/app", MainVersion: "v1.4.2", Modules: modules,
		}
	}
	return sbom.Facts{
		Project: "app", Version: "v1.4.2", Module: "github.com/example/app",
		Supplier: sbom.Supplier{Name: "Example GmbH", Email: "security@example.com", URL: "https://example.com"},
		Source: sbom.Source{
			URI: "https://github.com/example/app", GitCommit: strings.Repeat("c0ffee00", 5), GitTree: strings.Repeat("ab12cd34", 5),
			CommitTime: time.Date(2026, 3, 2, 1, 2, 3, 0, time.FixedZone("", 3600)),
			License:    sbom.License{Expression: "Apache-2.0", Copyright: "Copyright 2026 Example GmbH"},
			Listing:    sbom.List([]sbom.Listed{{Path: "go.mod", SHA256: hex256("go.mod")}, {Path: "cmd/app/main.go", SHA256: hex256("main")}}),
		},
		Tool:      "rollproof-v1.0.0",
		Toolchain: sbom.Toolchain{Version: "go1.26.8"},
		Binaries: []sbom.Binary{
			binary("linux", "amd64", "", old, pseudo, local, semver),
			binary("windows", "arm64", ".exe", semver, local),
		},
		Modules: []sbom.Module{
			{Path: "github.com/Example/Semver/sub/v3", Version: "v3.1.0", Sum: sumA, ZipSHA256: hex256("zip"), ZipSHA512: hex512("zip"),
				License:   sbom.License{Expression: "GPL-2.0-only OR MIT", Copyright: "Copyright 2020 Ada\nCopyright 2021 Grace"},
				DependsOn: []sbom.ModuleName{{Path: "std"}, {Path: "example.com/lib", Version: "v1.0.0"}}},
			{Path: "gitlab.com/example/old", Version: "v2.0.0+incompatible", Sum: sumB,
				License:   sbom.License{Expression: refOf(oddText) + " AND MIT", Extracted: []sbom.ExtractedText{{ID: refOf(oddText), Text: oddText}}},
				DependsOn: []sbom.ModuleName{{Path: "std", Version: "go1.26.8"}, {Path: "golang.org/x/sys", Version: "v0.0.0-20240102030405-0123456789ab"}, {Path: "github.com/example/app"}}},
			{Path: "codeberg.org/grace/sys", Version: "v0.0.0-20240102030405-ba9876543210", Sum: sumC, License: sbom.License{Expression: "BSD-3-Clause"}},
			{Path: "example.com/lib", Version: "v1.0.0", DependsOn: []sbom.ModuleName{{Path: "std"}}},
		},
		Direct: []sbom.ModuleName{{Path: "std"}, {Path: "github.com/Example/Semver/sub/v3", Version: "v3.1.0"}, {Path: "gitlab.com/example/old", Version: "v2.0.0+incompatible"}},
	}
}

// shuffled returns the facts with every slice in another order.
func shuffled(f sbom.Facts, r *rand.Rand) sbom.Facts {
	f.Binaries = permuted(f.Binaries, r)
	f.Modules = permuted(f.Modules, r)
	f.Direct = permuted(f.Direct, r)
	for i := range f.Binaries {
		f.Binaries[i].Modules = permuted(f.Binaries[i].Modules, r)
	}
	for i := range f.Modules {
		f.Modules[i].DependsOn = permuted(f.Modules[i].DependsOn, r)
		f.Modules[i].License.Extracted = permuted(f.Modules[i].License.Extracted, r)
	}
	return f
}

func permuted[T any](s []T, r *rand.Rand) []T {
	s = slices.Clone(s)
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}

// wanted is what Read must return for the facts.
func wanted(f sbom.Facts) *sbom.Document {
	d := &sbom.Document{
		Project: f.Project, Version: f.Version, Module: f.Module,
		GitCommit: f.Source.GitCommit, GitTree: f.Source.GitTree, Created: f.Source.CommitTime.UTC(),
		Tool: f.Tool, Toolchain: f.Toolchain.Version, Binaries: slices.Clone(f.Binaries),
	}
	slices.SortFunc(d.Binaries, func(a, b sbom.Binary) int { return strings.Compare(a.Path, b.Path) })
	for i := range d.Binaries {
		d.Binaries[i].Modules = slices.Clone(d.Binaries[i].Modules)
		slices.SortFunc(d.Binaries[i].Modules, func(a, b sbom.Linked) int { return strings.Compare(a.Path, b.Path) })
	}
	return d
}
