package sbom

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pathElement is not "." and not "..".
const pathElement = `\.*[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*`

var (
	namePattern   = lazily(`^[A-Za-z0-9][A-Za-z0-9._+~-]*$`)
	tagPattern    = lazily(`^[A-Za-z0-9][A-Za-z0-9._+~/-]*$`)
	pathPattern   = lazily(`^` + pathElement + `(/` + pathElement + `)*$`)
	objectPattern = lazily(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	sha256Pattern = lazily(`^[0-9a-f]{64}$`)
	sha512Pattern = lazily(`^[0-9a-f]{128}$`)
	sumPattern    = lazily(`^h1:[A-Za-z0-9+/]{43}=$`)
	toolPattern   = lazily(`^[A-Za-z0-9][A-Za-z0-9._+~-]*-[A-Za-z0-9._+~-]+$`)
	targetPattern = lazily(`^[a-z0-9]+$`)
	idPattern     = lazily(`^SPDXRef-[A-Za-z0-9.-]{1,240}$`)
	goPattern     = lazily(`^go1[.-][!-~]+( [!-~]+)*$`)
)

// lazily compiles a pattern when it is first used: those with counts take long, and most
// runs of a program read no SBOM.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// A field is a value with the pattern that it must match.
type field struct {
	name, value string
	pattern     func() *regexp.Regexp
	optional    bool
}

// maxField is the length in bytes of the longest name, path, digest or version.
const maxField = 512

func checkFields(fields []field) error {
	for _, f := range fields {
		if f.value == "" && f.optional {
			continue
		}
		if len(f.value) > maxField {
			return fmt.Errorf("%s has %d bytes, at most %d are allowed", f.name, len(f.value), maxField)
		}
		if !f.pattern().MatchString(f.value) {
			return fmt.Errorf("%s is %.200q, expected to match %s", f.name, f.value, f.pattern())
		}
	}
	return nil
}

// checkLine refuses text that is empty, not UTF-8, or would not stay on its line.
func checkLine(name, text string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || len(text) > maxField || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) || strings.TrimSpace(text) != text {
		return fmt.Errorf("%s is %.200q, expected one line of printable text, at most %d bytes", name, text, maxField)
	}
	return nil
}

// check refuses facts that no document can be made from. Names, digests and texts
// are looked at here, how they fit together where they meet.
func (f Facts) check() error {
	err := checkFields([]field{
		{"project", f.Project, namePattern, false},
		{"version", f.Version, tagPattern, false},
		{"module", f.Module, pathPattern, false},
		{"tool", f.Tool, toolPattern, false},
		{"source commit", f.Source.GitCommit, objectPattern, false},
		{"source tree", f.Source.GitTree, objectPattern, false},
		{"toolchain", f.Toolchain.Version, goPattern, false},
	})
	if err != nil {
		return err
	}
	if f.Source.CommitTime.IsZero() {
		return errors.New("source has no commit time")
	}
	if len(f.Binaries) == 0 {
		return errors.New("a release has at least one binary, there is none")
	}
	steps := []error{
		f.Supplier.check(),
		checkLine("source URI", f.Source.URI),
		f.Source.Listing.check("source", true),
		f.Toolchain.Listing.check("toolchain", true),
	}
	for _, b := range f.Binaries {
		steps = append(steps, b.check(f.Module, f.Toolchain.Version))
	}
	for _, m := range f.Modules {
		steps = append(steps, m.check())
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses what clause 7.5 of SPDX 2.3 has no way to write.
func (s Supplier) check() error {
	for _, f := range []struct{ name, value string }{{"supplier name", s.Name}, {"supplier email", s.Email}, {"supplier URL", s.URL}} {
		if f.value == "" {
			continue
		}
		if err := checkLine(f.name, f.value); err != nil {
			return err
		}
		if strings.ContainsAny(f.value, `"\()`) {
			return fmt.Errorf("%s is %q, expected no quotes, backslashes or parentheses", f.name, f.value)
		}
	}
	return nil
}

func (c Checksums) check(of string, optional bool) error {
	return checkFields([]field{
		{of + ": sha256", c.SHA256, sha256Pattern, optional},
		{of + ": sha512", c.SHA512, sha512Pattern, optional},
	})
}

func (b Binary) check(mainModule, toolchain string) error {
	if err := checkFields([]field{{"binary path", b.Path, pathPattern, false}}); err != nil {
		return err
	}
	err := checkFields([]field{
		{"name", b.Name, namePattern, false},
		{"os", b.OS, targetPattern, false},
		{"arch", b.Arch, targetPattern, false},
		{"main package", b.MainPackage, pathPattern, false},
	})
	steps := []error{
		err,
		Checksums{b.SHA256, b.SHA512}.check("file", false),
		checkLine("go version", b.GoVersion),
		checkLine("main version", b.MainVersion),
	}
	for _, err := range steps {
		if err != nil {
			return fmt.Errorf("%s: %w", b.Path, err)
		}
	}
	switch {
	case b.Size <= 0:
		return fmt.Errorf("%s: size is %d bytes", b.Path, b.Size)
	case b.MainPackage != mainModule && !strings.HasPrefix(b.MainPackage, mainModule+"/"):
		return fmt.Errorf("%s: main package %s is not in module %s", b.Path, b.MainPackage, mainModule)
	case firstWord(b.GoVersion) != firstWord(toolchain):
		return fmt.Errorf("%s: built by %s, expected the toolchain %s", b.Path, b.GoVersion, toolchain)
	}
	for _, m := range b.Modules {
		if err := m.check(); err != nil {
			return fmt.Errorf("%s: %w", b.Path, err)
		}
	}
	return nil
}

// firstWord drops what Go appends to its version: the experiments in use.
func firstWord(version string) string {
	word, _, _ := strings.Cut(version, " ")
	return word
}

func (m Linked) check() error {
	if err := checkFields([]field{
		{"module path", m.Path, pathPattern, false},
		{"sum", m.Sum, sumPattern, true},
		{"sum of the replacement", m.Replace.Sum, sumPattern, true},
	}); err != nil {
		return fmt.Errorf("module %.100q: %w", m.Path, err)
	}
	if err := checkVersion(m.Version); err != nil {
		return fmt.Errorf("module %.100q: %w", m.Path, err)
	}
	r := m.Replace
	switch {
	case r == Replacement{}:
		return nil
	case m.Sum != "":
		return fmt.Errorf("module %s: it is replaced and has the sum %s, expected one or none", m.Path, m.Sum)
	case m.isDirectory() && r.Sum != "":
		return fmt.Errorf("module %s: replaced by the directory %s with the sum %s, expected no sum", m.Path, r.Path, r.Sum)
	case m.isDirectory():
		return checkLine("replacing directory of "+m.Path, r.Path)
	}
	if err := checkFields([]field{{"replacement of " + m.Path, r.Path, pathPattern, false}}); err != nil {
		return err
	}
	return checkVersion(r.Version)
}

func checkVersion(version string) error {
	if version == develVersion {
		return nil
	}
	return checkFields([]field{{"version", version, namePattern, false}})
}

func (m Module) check() error {
	err := checkFields([]field{
		{"sum", m.Sum, sumPattern, true},
		{"zip sha256", m.ZipSHA256, sha256Pattern, true},
		{"zip sha512", m.ZipSHA512, sha512Pattern, true},
	})
	if err == nil && m.Sum == "" && m.ZipSHA256+m.ZipSHA512 != "" {
		err = errors.New("zip digests without the sum that the zip was compared with")
	}
	if err != nil {
		return fmt.Errorf("module %s %s: %w", m.Path, m.Version, err)
	}
	return nil
}

func checkExtracted(x ExtractedText) error {
	if !utf8.ValidString(x.Text) || strings.Contains(x.Text, "\r") {
		return fmt.Errorf("%.80q: text is not UTF-8 with LF line ends", x.ID)
	}
	if want := refOf(x.Text); x.ID != want {
		return fmt.Errorf("%.80q: the text is that of %s", x.ID, want)
	}
	return nil
}
