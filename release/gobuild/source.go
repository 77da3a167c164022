package gobuild

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// A source is the tree that is built, and what was read while comparing it with
// the commit.
type source struct {
	root    string             // absolute path of the tree
	dirty   bool               // root is the user's own work tree
	commit  commit             // as the clone has it
	entries []entry            // of the commit's tree, sorted by path; none where dirty
	paths   []string           // every file that may be built, slash-separated, sorted
	tree    []release.TreeFile // every regular file of the commit, sorted by path
	notes   treeNotes
}

// rawAttributes go before every .gitattributes of the commit: a checkout under
// them writes blobs byte for byte. A "!" is needed where "-" would be read as an
// encoding named false.
const rawAttributes = "* -filter -text -crlf -eol -ident -export-subst -export-ignore !working-tree-encoding\n"

// uploadPack is what git runs on the far side of the fetch, in the repository
// of the user: the near side's settings do not reach it.
const uploadPack = "git --no-replace-objects -c safe.directory=* -c core.hooksPath=/dev/null" +
	" -c uploadpack.allowAnySHA1InWant=true upload-pack"

// cloneSource fetches the commit into the private directory, and with it the one
// tag that go may stamp. It is git init and git fetch instead of git clone
// --branch, which takes a branch where a branch has the tag's name.
func cloneSource(ctx context.Context, r *repository, tag string) (*source, error) {
	root := r.m.source()
	if err := os.Mkdir(root, 0o700); err != nil {
		return nil, failed(err, "clone cannot be made: %v", err)
	}
	ref, want := r.commit.id, r.commit.id
	if tag != "" {
		ref = "refs/tags/" + tag
		want = ref + ":" + ref
	}
	steps := [][]string{
		initClone(r.format),
		{"fetch", "-q", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
			"--upload-pack", uploadPack, "--end-of-options", fileURL(r.top), want},
	}
	for _, args := range steps {
		if _, _, err := r.m.git(root, args...).run(ctx); err != nil {
			return nil, failed(err, "commit %s cannot be cloned: %v", r.commit.id, err)
		}
	}
	s := &source{root: root}
	if err := s.checkOut(ctx, r, ref); err != nil {
		return nil, err
	}
	return s, nil
}

// initClone are the arguments of git that make an empty repository, whatever
// templates the machine has.
func initClone(format string) []string {
	return []string{"init", "-q", "--template=", "--initial-branch=release", "--object-format=" + format}
}

// checkOut writes the files of what was fetched and compares every one with the
// commit.
func (s *source) checkOut(ctx context.Context, r *repository, ref string) error {
	info := filepath.Join(s.root, ".git", "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return failed(err, "clone cannot be written: %v", err)
	}
	if err := os.WriteFile(filepath.Join(info, "attributes"), []byte(rawAttributes), 0o600); err != nil {
		return failed(err, "clone cannot be written: %v", err)
	}
	checkout := r.m.git(s.root, "-c", "advice.detachedHead=false", "checkout", "-q", "--detach", ref)
	if _, _, err := checkout.run(ctx); err != nil {
		return failed(err, "commit %s cannot be checked out: %v", r.commit.id, err)
	}
	raw, _, err := r.m.git(s.root, "cat-file", "commit", "HEAD").run(ctx)
	if err != nil {
		return failed(err, "the clone's commit cannot be read: %v", err)
	}
	got, err := parseCommit(r.format, raw)
	if err != nil {
		return failed(err, "the clone's commit cannot be read: %v", err)
	}
	if got.id != r.commit.id || got.tree != r.commit.tree {
		return tampered("look for refs/replace and for a tag that was moved meanwhile",
			"the clone holds commit %s, tree %s; expected commit %s, tree %s",
			got.id, got.tree, r.commit.id, r.commit.tree)
	}
	s.commit = got
	listing, _, err := r.m.git(s.root, "ls-tree", "-r", "-z", "--full-tree", r.commit.tree).run(ctx)
	if err != nil {
		return failed(err, "tree %s cannot be listed: %v", r.commit.tree, err)
	}
	return s.compare(ctx, r, listing)
}

func (s *source) compare(ctx context.Context, r *repository, listing []byte) error {
	entries, err := parseListing(listing)
	if err != nil {
		return err
	}
	newHash, err := newObjectHash(r.format)
	if err != nil {
		return err
	}
	s.tree, s.notes, err = compareTree(ctx, s.root, entries, newHash)
	if err != nil {
		return err
	}
	s.entries = entries
	for _, e := range entries {
		s.paths = append(s.paths, e.path)
	}
	return nil
}

// workTree takes the user's files as they are, for a dry run of changed files.
func workTree(ctx context.Context, r *repository) (*source, error) {
	out, err := r.git(ctx, "ls-files", "-z", "--cached", "--full-name")
	if err != nil {
		return nil, failed(err, "tracked files cannot be listed: %v", err)
	}
	s := &source{root: r.top, dirty: true}
	if s.tree, s.notes, err = readTree(ctx, r.top, splitNUL(out)); err != nil {
		return nil, err
	}
	for _, file := range s.tree {
		s.paths = append(s.paths, file.Path)
	}
	s.paths = append(s.paths, r.untracked...)
	return s, nil
}

// fileURL writes an absolute path as git reads it back: percent-encoded.
func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return fmt.Sprintf("file://%s", (&url.URL{Path: path}).EscapedPath())
}
