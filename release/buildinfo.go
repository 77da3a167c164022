package release

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
)

// A buildInfo is what a binary says of its own making.
type buildInfo struct {
	goVersion   string // "go1.26.8"
	mainPackage string // import path
	mainModule  string
	mainVersion string
	settings    map[string]string
	modules     []linkedModule // sorted by path, the main module not among them
	raw         *debug.BuildInfo
}

// A linkedModule is a dependency whose code was linked: the replacement where go.mod
// replaces one. A module that a directory replaces keeps its own path and has
// neither version nor sum.
type linkedModule struct{ path, version, sum string }

func (m linkedModule) String() string {
	return strings.TrimSuffix(m.path+"@"+m.version, "@")
}

// readBuildInfo reads the build info of a binary, which may be hostile: nothing of
// it is executed, and a parser that panics is a file without build info.
func readBuildInfo(r io.ReaderAt) (info buildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("unreadable: %v", p)
		}
	}()
	bi, err := buildinfo.Read(r)
	if err != nil {
		return buildInfo{}, err
	}
	info = buildInfo{
		goVersion: bi.GoVersion, mainPackage: bi.Path,
		mainModule: bi.Main.Path, mainVersion: bi.Main.Version,
		settings: map[string]string{}, raw: bi,
	}
	for _, s := range bi.Settings {
		info.settings[s.Key] = s.Value
	}
	for _, d := range bi.Deps {
		info.modules = append(info.modules, linked(d))
	}
	slices.SortFunc(info.modules, func(a, b linkedModule) int { return strings.Compare(a.String(), b.String()) })
	return info, nil
}

func linked(m *debug.Module) linkedModule {
	switch r := m.Replace; {
	case r == nil:
		return linkedModule{m.Path, m.Version, m.Sum}
	case r.Version == "" || r.Version == "(devel)":
		return linkedModule{m.Path, "", ""}
	default:
		return linkedModule{r.Path, r.Version, r.Sum}
	}
}

// ReadBuildInfo reads the build info of a binary, which may be hostile: nothing of it is
// executed, and a parser that panics is a file without build info.
func ReadBuildInfo(r io.ReaderAt) (*debug.BuildInfo, error) {
	info, err := readBuildInfo(r)
	return info.raw, err
}
