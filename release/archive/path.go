package archive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxElement = 200                      // bytes between slashes
	maxPath    = 400                      // bytes of a path below the top
	maxName    = maxElement + 1 + maxPath // bytes of an entry's name
)

// CheckPath reports whether path may name a file of a package, in a zip, in a
// directory and in checksums.txt: it means the same file on Linux, macOS and
// Windows, and needs no quoting in a shell. The error is an *Error.
//
// A path is 1 to 400 bytes: elements of 1 to 200 bytes, joined by "/". An element
// has letters, digits and . _ + - of ASCII, begins with a letter or digit, does
// not end in ".", and is no device name of Windows (CON, PRN, AUX, NUL, COM0 to
// COM9, LPT0 to LPT9, in any case and with any extension).
func CheckPath(path string) error {
	return checkElements(path, maxPath)
}

// checkElements is CheckPath with the length as an argument.
func checkElements(path string, limit int) error {
	if problem := pathProblem(path, limit); problem != "" {
		return nowhere(path, problem)
	}
	return nil
}

func pathProblem(path string, limit int) string {
	switch {
	case path == "":
		return "empty path"
	case len(path) > limit:
		return fmt.Sprintf("path of %d bytes, expected at most %d", len(path), limit)
	case path[0] == '/':
		return "absolute path, expected a relative one"
	case strings.Contains(path, `\`):
		return `backslash in a path, expected "/" between elements`
	case len(path) > 1 && path[1] == ':' && isAlphanumeric(path[0]):
		return "path begins with a Windows drive, expected a relative one"
	case path[len(path)-1] == '/':
		return "names a directory, expected a file"
	}
	for element := range strings.SplitSeq(path, "/") {
		if problem := elementProblem(element); problem != "" {
			return problem
		}
	}
	return ""
}

func elementProblem(element string) string {
	switch {
	case element == "":
		return `empty element between "/" and "/"`
	case element == "." || element == "..":
		return fmt.Sprintf("element %q, expected a path without . and ..", element)
	case len(element) > maxElement:
		return fmt.Sprintf("element of %d bytes, expected at most %d", len(element), maxElement)
	case isDevice(element):
		return "element " + Printable(element) + " is a device name of Windows"
	}
	for i := range len(element) {
		if !isAlphanumeric(element[i]) && !strings.Contains("._+-", element[i:i+1]) {
			return "character " + character(element[i:]) + ", expected only A-Z a-z 0-9 . _ + -"
		}
	}
	switch {
	case !isAlphanumeric(element[0]):
		return fmt.Sprintf("element %s begins with %q, expected a letter or digit", element, element[:1])
	case element[len(element)-1] == '.':
		return "element " + element + ` ends in ".", which Windows drops`
	}
	return ""
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// isDevice reports whether Windows takes an element for a device. An extension
// does not change that: NUL.txt and nul.tar.gz are NUL.
func isDevice(element string) bool {
	base, _, _ := strings.Cut(element, ".")
	for _, device := range devices {
		if strings.EqualFold(base, device) {
			return true
		}
	}
	return len(base) == 4 && '0' <= base[3] && base[3] <= '9' &&
		(strings.EqualFold(base[:3], "COM") || strings.EqualFold(base[:3], "LPT"))
}

var devices = []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}

// character names the first character of s, which is outside the alphabet.
func character(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf(`\x{%02x}`, s[0])
	case r > ' ' && r < 0x7f:
		return fmt.Sprintf("%q", s[:n])
	}
	return fmt.Sprintf(`\u{%x}`, r)
}

// CheckSet reports whether paths can stand side by side in one directory on every
// system: each passes [CheckPath], none is listed twice or differs from another
// only by the case of letters, in a directory's name either, and none is at once a
// file and a directory. The error is an *Error about one of the paths and does not
// depend on their order.
func CheckSet(paths []string) error {
	paths = slices.Sorted(slices.Values(paths))
	for _, path := range paths {
		if err := CheckPath(path); err != nil {
			return err
		}
	}
	if c := clash(paths); c != nil {
		return nowhere(paths[c.index], c.problem)
	}
	return nil
}

// A conflict is a path, by index, that can't stand beside another one.
type conflict struct {
	index   int
	problem string
}

// clash returns the first conflict among good paths, or nil. Sorted without regard
// to case and with "/" before all else, paths of one directory are neighbours, and
// a file stands right before what lies in a directory of its name: so that only
// neighbours need to be compared, and memory stays proportional to the paths.
func clash(paths []string) *conflict {
	type folded struct {
		key   string
		index int
	}
	all := make([]folded, len(paths))
	for i, path := range paths {
		all[i] = folded{strings.ReplaceAll(strings.ToLower(path), "/", "\x00"), i}
	}
	slices.SortFunc(all, func(a, b folded) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(paths[a.index], paths[b.index]))
	})
	for i := 1; i < len(all); i++ {
		if problem := neighbours(paths[all[i-1].index], paths[all[i].index]); problem != "" {
			return &conflict{all[i].index, problem}
		}
	}
	return nil
}

// neighbours tells what keeps path from standing beside before, which sorts right
// before it.
func neighbours(before, path string) string {
	switch {
	case before == path:
		return "listed twice"
	case strings.EqualFold(before, path):
		return "differs only by case from " + before
	case len(path) > len(before) && path[len(before)] == '/' && strings.EqualFold(before, path[:len(before)]):
		return "lies in a directory with the name of the file " + before
	}
	return directories(before, path)
}

// directories tells when a directory that both paths share is spelled differently.
func directories(before, path string) string {
	respelled := false
	for i := range min(len(before), len(path)) {
		switch {
		case path[i] == '/' && before[i] == '/' && respelled:
			return fmt.Sprintf("directory %s differs only by case from %s", path[:i], before[:i])
		case before[i] == path[i]:
		case strings.EqualFold(before[i:i+1], path[i:i+1]):
			respelled = true
		default:
			return ""
		}
	}
	return ""
}
