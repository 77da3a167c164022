package sbom

import (
	"regexp"
	"strings"

	"golang.org/x/mod/module"
)

// stdName is the module path of the standard library.
const stdName = "std"

const goAuthors = "The Go Authors (https://go.dev)"

// forges are the hosts whose first path element is an organization or a person.
var forges = map[string]bool{
	"github.com": true, "gitlab.com": true, "codeberg.org": true, "bitbucket.org": true, "git.sr.ht": true,
}

// supplierOf derives the supplier of a module from its path: the organization on
// a forge, else the host.
func supplierOf(modulePath string) string {
	if modulePath == "golang.org/x" || strings.HasPrefix(modulePath, "golang.org/x/") {
		return goAuthors
	}
	name := organization(modulePath)
	return name + " (https://" + name + ")"
}

func organization(modulePath string) string {
	elems := strings.Split(modulePath, "/")
	if forges[elems[0]] && len(elems) > 1 {
		return elems[0] + "/" + elems[1]
	}
	return elems[0]
}

// text returns the supplier as clause 7.5 of SPDX 2.3 writes it after "Organization: ".
func (s Supplier) text(modulePath string) string {
	if s.Name == "" && s.Email == "" && s.URL == "" {
		return supplierOf(modulePath)
	}
	name, contact := s.Name, s.Email
	if name == "" {
		name = organization(modulePath)
	}
	if contact == "" {
		contact = s.URL
	}
	if contact == "" {
		return name
	}
	return name + " (" + contact + ")"
}

// moduleLocation returns the download location of a module: the repository at the
// tag or revision, where both follow from path and version, else the address that
// the go command asks.
func moduleLocation(modulePath, version string) string {
	if repository, dir, ok := repositoryOf(modulePath); ok {
		if revision := revisionOf(dir, version); revision != "" {
			return "git+" + repository + "@" + revision
		}
	}
	return "https://" + modulePath
}

// repositoryOf splits a module path into the address of its repository and the
// directory inside, without the major version.
func repositoryOf(modulePath string) (repository, dir string, ok bool) {
	prefix, _, ok := module.SplitPathVersion(modulePath)
	if !ok {
		prefix = modulePath
	}
	elems := strings.Split(prefix, "/")
	switch host := elems[0]; {
	case len(elems) < 3:
		return "", "", false
	case host == "golang.org" && elems[1] == "x":
		return "https://go.googlesource.com/" + elems[2], strings.Join(elems[3:], "/"), true
	case host == "gitlab.com" && len(elems) > 3:
		// Groups nest there: where the repository ends can't be seen.
		return "", "", false
	case host == "github.com", host == "gitlab.com", host == "codeberg.org", host == "bitbucket.org":
		return "https://" + strings.Join(elems[:3], "/"), strings.Join(elems[3:], "/"), true
	}
	return "", "", false
}

// revisionOf returns the tag that a module's version stands for, or the commit of
// a pseudo-version; "" for a version that is neither.
func revisionOf(dir, version string) string {
	if module.IsPseudoVersion(version) {
		revision, err := module.PseudoVersionRev(version)
		if err != nil {
			return ""
		}
		return revision
	}
	if !strings.HasPrefix(version, "v") {
		return ""
	}
	tag := strings.TrimSuffix(version, "+incompatible")
	if dir != "" {
		tag = dir + "/" + tag
	}
	return tag
}

// sourceLocation returns the download location of the commit, or of the
// repository alone where no commit describes the source.
func sourceLocation(s Source) string {
	if s.Dirty {
		return s.URI
	}
	if strings.HasPrefix(s.URI, "git+") {
		return s.URI + "@" + s.GitCommit
	}
	if repository, ok := strings.CutPrefix(s.URI, "https://"); ok {
		if known, dir, ok := repositoryOf(strings.TrimSuffix(repository, "/")); ok && dir == "" {
			return "git+" + known + "@" + s.GitCommit
		}
	}
	return s.URI
}

var goRelease = regexp.MustCompile(`^go1(\.[0-9]+)+(rc[0-9]+|beta[0-9]+)?$`)

// goLocation returns the download location of a Go release.
func goLocation(toolchain string) string {
	if goRelease.MatchString(toolchain) {
		return "git+https://go.googlesource.com/go@" + toolchain
	}
	return "https://go.dev"
}
