package gobuild

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
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

// lfsMark begins every Git LFS pointer, which is shorter than 1024 bytes
// (Git LFS specification).
const lfsMark = "version https://git-lfs.github.com/spec/v1\n"

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
	return hashTree(ctx, root, entries, func(path string, e entry) (*hashed, error) {
		h, err := hashFile(path, e, newHash)
		if err != nil {
			return nil, tampered("", "%s: the checked-out file differs from the commit: %v", plain(e.path), err)
		}
		if h.id != e.id {
			return nil, tampered("look for filters and attributes that change files on checkout",
				"%s: the checked-out file has object name %s, the commit says %s", plain(e.path), h.id, e.id)
		}
		return h, nil
	})
}

// readTree hashes the files that exist, without a commit to compare with.
func readTree(ctx context.Context, root string, paths []string) ([]release.TreeFile, treeNotes, error) {
	var entries []entry
	for _, name := range slices.Compact(paths) {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || !info.Mode().IsRegular() || !isTreePath(name) {
			continue
		}
		e := entry{mode: modeFile, path: name}
		if info.Mode()&0o100 != 0 {
			e.mode = modeExec
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	return hashTree(ctx, root, entries, func(path string, e entry) (*hashed, error) {
		h, err := hashFile(path, e, sha256.New)
		if err != nil {
			return nil, failed(err, "%s cannot be read: %v", plain(e.path), err)
		}
		return h, nil
	})
}

// hashTree runs read over the entries side by side and collects the facts.
func hashTree(ctx context.Context, root string, entries []entry, read func(string, entry) (*hashed, error)) ([]release.TreeFile, treeNotes, error) {
	results := make([]*hashed, len(entries))
	work, room := newTasks(ctx), make(slots, runtime.NumCPU())
	const batch = 64 // a goroutine per file would cost more than the hashing
	for first := 0; first < len(entries); first += batch {
		work.start(room, func(ctx context.Context) error {
			for i := first; i < min(first+batch, len(entries)) && ctx.Err() == nil; i++ {
				if entries[i].mode == modeGitlink {
					continue
				}
				var err error
				if results[i], err = read(filepath.Join(root, filepath.FromSlash(entries[i].path)), entries[i]); err != nil {
					return err
				}
			}
			return context.Cause(ctx)
		})
	}
	if err := work.wait(); err != nil {
		return nil, treeNotes{}, err
	}
	var files []release.TreeFile
	var notes treeNotes
	for i, e := range entries {
		notes.add(e, results[i])
		if e.mode == modeFile || e.mode == modeExec {
			files = append(files, results[i].treeFile(e))
		}
	}
	return files, notes, nil
}

func (n *treeNotes) add(e entry, h *hashed) {
	switch {
	case e.mode == modeGitlink:
		n.gitlinks = append(n.gitlinks, e.path)
	case e.mode == modeLink:
	case path.Base(e.path) == ".gitattributes":
		n.exportSubst = n.exportSubst || setsAttribute(h.head, "export-subst")
	case h.size < headSize && bytes.HasPrefix(h.head, []byte(lfsMark)):
		n.pointers = append(n.pointers, e.path)
	}
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
