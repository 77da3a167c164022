package gobuild

import (
	"cmp"
	"context"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// Modes of tree entries, as git writes them.
const (
	modeFile    = "100644"
	modeExec    = "100755"
	modeLink    = "120000"
	modeGitlink = "160000"
)

// knownModes maps what trees hold to what git checks out; 100664 is in old trees.
var knownModes = map[string]string{
	modeFile: modeFile, "100664": modeFile, modeExec: modeExec, modeLink: modeLink, modeGitlink: modeGitlink,
}

// An entry is a file of a commit's tree.
type entry struct {
	mode string
	id   string // of the blob, or of a submodule's commit
	path string // slash-separated
}

// treeNotes are the hazards that file contents tell of.
type treeNotes struct {
	gitlinks    []string // submodules
	pointers    []string // Git LFS pointers instead of the content
	exportSubst bool     // some .gitattributes sets export-subst
}

// parseListing reads "git ls-tree -r -z": mode SP type SP object TAB path NUL.
func parseListing(listing []byte) ([]entry, error) {
	var entries []entry
	for _, line := range splitNUL(listing) {
		meta, name, ok := strings.Cut(line, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 3 || !isTreePath(name) {
			return nil, tampered("", "tree entry %q is not a file inside the tree", plain(line))
		}
		mode, ok := knownModes[fields[0]]
		if !ok {
			return nil, tampered("", "%s: mode is %s, want a file, a link or a submodule", plain(name), plain(fields[0]))
		}
		entries = append(entries, entry{mode: mode, id: fields[2], path: name})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	return entries, nil
}

// isTreePath refuses what would leave the tree or be taken for a repository.
func isTreePath(name string) bool {
	if !fs.ValidPath(name) || name == "." || runtime.GOOS == "windows" && strings.ContainsAny(name, `\:`) {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "/"), func(elem string) bool {
		return strings.EqualFold(elem, ".git")
	})
}

// compareTree hashes every file below root and refuses any that is missing,
// extra or different from its entry.
func compareTree(ctx context.Context, root string, entries []entry, newHash func() hash.Hash) ([]release.TreeFile, treeNotes, error) {
	if err := refuseExtra(root, entries); err != nil {
		return nil, treeNotes{}, err
	}
	var notes treeNotes
	var files []entry
	for _, e := range entries {
		if e.mode == modeGitlink {
			notes.gitlinks = append(notes.gitlinks, e.path)
		} else {
			files = append(files, e)
		}
	}
	results, err := hashAll(ctx, len(files), func(i int) (*hashed, error) {
		return files[i].compare(root, newHash)
	})
	if err != nil {
		return nil, treeNotes{}, err
	}
	var list []release.TreeFile
	for i, e := range files {
		if e.mode != modeLink {
			list = append(list, results[i].treeFile(e.path))
			if err := notes.add(root, e.path, results[i]); err != nil {
				return nil, treeNotes{}, err
			}
		}
	}
	return list, notes, nil
}

func (e entry) compare(root string, newHash func() hash.Hash) (*hashed, error) {
	h, err := hashAs(filepath.Join(root, filepath.FromSlash(e.path)), e.mode, newHash)
	if err != nil {
		return nil, tampered("", "%s: the checked-out file differs from the commit: %v", plain(e.path), err)
	}
	if h.id != e.id {
		return nil, tampered("look for filters and attributes that change files on checkout",
			"%s: the checked-out file has object name %s, the commit says %s", plain(e.path), h.id, e.id)
	}
	return h, nil
}

// readTree hashes the regular files among paths, without a commit to compare
// with. What does not exist is passed over. The result is sorted.
func readTree(ctx context.Context, root string, paths []string) ([]release.TreeFile, treeNotes, error) {
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	results, err := hashAll(ctx, len(paths), func(i int) (*hashed, error) {
		h, err := hashAny(filepath.Join(root, filepath.FromSlash(paths[i])))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, failed(err, "%s cannot be read: %v", plain(paths[i]), err)
		}
		return h, nil
	})
	if err != nil {
		return nil, treeNotes{}, err
	}
	var list []release.TreeFile
	var notes treeNotes
	for i, h := range results {
		if h != nil {
			list = append(list, h.treeFile(paths[i]))
			if err := notes.add(root, paths[i], h); err != nil {
				return nil, treeNotes{}, err
			}
		}
	}
	return list, notes, nil
}

// hashAll calls read for 0 to n-1 side by side.
func hashAll(ctx context.Context, n int, read func(i int) (*hashed, error)) ([]*hashed, error) {
	results := make([]*hashed, n)
	work, room := newTasks(ctx), make(slots, runtime.NumCPU())
	const batch = 64 // a goroutine per file would cost more than the hashing
	for first := 0; first < n; first += batch {
		work.start(room, func(ctx context.Context) error {
			for i := first; i < min(first+batch, n) && ctx.Err() == nil; i++ {
				var err error
				if results[i], err = read(i); err != nil {
					return err
				}
			}
			return context.Cause(ctx)
		})
	}
	return results, work.wait()
}

// add looks at one file.
func (n *treeNotes) add(root, name string, h *hashed) error {
	if h.pointer {
		n.pointers = append(n.pointers, name)
	}
	if path.Base(name) == ".gitattributes" {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return failed(err, "%s cannot be read: %v", plain(name), err)
		}
		n.exportSubst = n.exportSubst || setsAttribute(data, "export-subst")
	}
	return nil
}

// setsAttribute says whether a line of a .gitattributes file sets the attribute.
func setsAttribute(data []byte, name string) bool {
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && !strings.HasPrefix(fields[0], "#") && slices.Contains(fields[1:], name) {
			return true
		}
	}
	return false
}

// refuseExtra refuses files that no entry names. Git knows no empty directories.
func refuseExtra(root string, entries []entry) error {
	known := map[string]bool{}
	for _, e := range entries {
		known[e.path] = true
	}
	found, err := filesBelow(root)
	if err != nil {
		return failed(err, "the checkout cannot be listed: %v", err)
	}
	for _, name := range found {
		if !known[name] {
			return tampered("", "%s: the checkout has it, the commit does not", plain(name))
		}
	}
	return nil
}

// filesBelow lists everything below root but directories and the repository
// itself: slash-separated, in the order of a walk.
func filesBelow(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		switch {
		case err != nil:
			return err
		case rel == ".git":
			return filepath.SkipDir
		case !d.IsDir():
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	return names, err
}
