package rebuild

import (
	"cmp"
	"debug/gosym"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxTable is the size in bytes of the largest function table that is read.
const maxTable = 64 << 20

// functionSizes reads the names and sizes of a binary's functions; none where it can't
// be done. PE files have no section for the table.
func (l layout) functionSizes() (sizes map[string]uint64) {
	defer func() {
		if recover() != nil { // debug/gosym trusts its input
			sizes = nil
		}
	}()
	for _, name := range []string{".gopclntab", "__TEXT,__gopclntab", "__DATA_CONST,__gopclntab"} {
		s, ok := l.find(name)
		if !ok || s.size > maxTable || s.size < 64 {
			continue
		}
		data := l.head(s, s.size)
		// Each function takes at least 48 bytes of the table (internal/abi, symtab.go):
		// a number beyond that would only eat memory.
		if count := binary.LittleEndian.Uint64(data[8:]); count > uint64(len(data)/48) {
			return nil
		}
		table, err := gosym.NewTable(nil, gosym.NewLineTable(data, 0))
		if err != nil {
			return nil
		}
		sizes = make(map[string]uint64, len(table.Funcs))
		for _, f := range table.Funcs {
			sizes[f.Name] += f.End - f.Entry
		}
	}
	return sizes
}

// functionChanges lists functions that only one side has or whose sizes differ: those
// of the main package first, those of the standard library last.
func functionChanges(theirs, ours layout) []Change {
	changes := []Change{}
	t, o := theirs.functionSizes(), ours.functionSizes()
	if len(t) == 0 || len(o) == 0 {
		return changes
	}
	names := slices.Concat(slices.Collect(maps.Keys(t)), slices.Collect(maps.Keys(o)))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for _, name := range slices.Compact(names) {
		if t[name] != o[name] && len(changes) < maxFunctions {
			changes = append(changes, Change{printable(name), size(t[name]), size(o[name])})
		}
	}
	return changes
}

func size(bytes uint64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprint(bytes)
}

// rank puts a release's own functions before those that it brings along.
func rank(function string) int {
	first, _, _ := strings.Cut(function, "/")
	switch {
	case strings.HasPrefix(function, "main."):
		return 0
	case strings.Contains(first, ".") && strings.Contains(function, "/"):
		return 1
	}
	return 2
}
