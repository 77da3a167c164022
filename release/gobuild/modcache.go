package gobuild

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

// examine checks a linked module against go.sum and reads its facts.
//
// go build trusts the files of the module cache: an edited one changes the
// binary while every recorded hash stays clean. go mod verify would find it, but
// compares every module of the build list, zip included, with a hash that lies
// in the same cache. Here each module that is linked is compared with go.sum.
func (f *facts) examine(ctx context.Context, l linked) (*release.ModuleFact, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	fact := &release.ModuleFact{Path: l.name.Path, Version: l.name.Version, Sum: l.sum}
	if l.cached {
		if err := verifyDir(l); err != nil {
			return nil, err
		}
		fact.ZipSHA256, fact.ZipSHA512 = f.zipDigests(l)
	}
	files, err := licenseFiles(l.dir)
	if err != nil {
		return nil, err
	}
	fact.License = f.license(files)
	return fact, nil
}

// verifyDir compares the extracted files of a module with go.sum.
func verifyDir(l linked) error {
	id := l.name.Path + "@" + l.name.Version
	if l.sum == "" {
		return failed(nil, "module %s has no checksum in go.sum", id)
	}
	sum, err := dirhash.HashDir(l.dir, id, hash1)
	if err != nil {
		return failed(err, "module %s cannot be read in the module cache: %v", id, err)
	}
	if sum != l.sum {
		return tampered("go clean -modcache, then build again",
			"module %s in the module cache has checksum %s, go.sum says %s", id, sum, l.sum)
	}
	return nil
}

// zipDigests hashes the zip that the module came in, if the cache has it and it
// holds what go.sum says. Else there is no zip to speak of, which is no error:
// the files that were compiled are those of the directory.
func (f *facts) zipDigests(l linked) (sha256Hex, sha512Hex string) {
	escaped, err := gomodule.EscapePath(l.name.Path)
	if err != nil {
		return "", ""
	}
	version, err := gomodule.EscapeVersion(l.name.Version)
	if err != nil {
		return "", ""
	}
	name := filepath.Join(f.settings.fetch["GOMODCACHE"], "cache", "download", filepath.FromSlash(escaped), "@v", version+".zip")
	file, err := os.Open(name)
	if err != nil {
		return "", ""
	}
	defer file.Close()
	short, long := sha256.New(), sha512.New()
	if _, err := (buffered{file}).WriteTo(io.MultiWriter(short, long)); err != nil {
		return "", ""
	}
	if sum, err := dirhash.HashZip(name, hash1); err != nil || sum != l.sum {
		return "", ""
	}
	return hex.EncodeToString(short.Sum(nil)), hex.EncodeToString(long.Sum(nil))
}

// maxLicense is the largest license file that is read, in bytes.
const maxLicense = 1 << 20

// licenseFiles reads the license and notice files of a directory, sorted by name.
func licenseFiles(dir string) ([]release.SourceFile, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil // a vendored module has the directories of its packages alone
	}
	if err != nil {
		return nil, failed(err, "license files cannot be listed: %v", err)
	}
	var files []release.SourceFile
	for _, e := range entries {
		if !e.Type().IsRegular() || !isLicenseName(e.Name()) {
			continue
		}
		if info, err := e.Info(); err != nil || info.Size() > maxLicense {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, failed(err, "%s cannot be read: %v", e.Name(), err)
		}
		files = append(files, release.SourceFile{Name: e.Name(), Data: data})
	}
	return files, nil
}

// isLicenseName takes the spellings in use, as plain or formatted text. License
// programs such as license.go are none.
func isLicenseName(name string) bool {
	upper := strings.ToUpper(name)
	if strings.HasSuffix(upper, ".GO") {
		return false
	}
	return slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"}, func(prefix string) bool {
		return strings.HasPrefix(upper, prefix) && !strings.HasPrefix(upper, "UNLICENSED")
	})
}
