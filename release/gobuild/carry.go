package gobuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/release"
)

// WriteSource writes what a rebuild needs below dir, the package's root on disk: the
// commit's objects as a source pack, and the modules that the plan's targets are
// made of as a module archive, which a build without any has not. It returns the
// paths inside the package, sorted. Their bytes follow from the commit and from
// go.sum alone.
//
// It belongs after [Builder.Build]. A dry run of changed files has no commit to
// carry and is refused. Errors are *Error, ErrClosed or the context's cause.
func (b *Builder) WriteSource(ctx context.Context, dir string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, ErrClosed
	case b.plan == nil:
		return nil, failed(nil, "there is no plan whose source could be written")
	case b.src.dirty:
		return nil, usage("commit the changes, or leave --with-source out", "changed files are no source that a package can carry")
	}
	pack := release.SourcePackPath(b.plan.Project, b.plan.Version)
	if err := writeFileAt(dir, pack, func(w io.Writer) error { return b.writePack(ctx, w) }); err != nil {
		return nil, b.giveReason(ctx, err)
	}
	proxy := filepath.Join(b.settings.fetch["GOMODCACHE"], "cache", "download")
	cache := filepath.Join(b.m.root, "carried")
	files, err := b.neededModules(ctx, proxy, cache)
	if err != nil {
		return nil, b.giveReason(ctx, err)
	}
	if len(files) == 0 {
		return []string{pack}, nil
	}
	modules := release.SourceModulesPath(b.plan.Project, b.plan.Version)
	if err := writeFileAt(dir, modules, func(w io.Writer) error { return writeModules(ctx, w, files) }); err != nil {
		return nil, b.giveReason(ctx, err)
	}
	return []string{modules, pack}, nil
}

// giveReason replaces what a killed child said by why it was killed.
func (b *Builder) giveReason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// writeFileAt makes a new file of mode 0644 at a path of the package.
func writeFileAt(dir, path string, write func(io.Writer) error) (err error) {
	name := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return failed(err, "%s cannot be written: %v", path, err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return failed(err, "%s cannot be written: %v", path, err)
	}
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		var known *Error
		if errors.As(err, &known) {
			return err
		}
		return failed(err, "%s cannot be written: %v", path, err)
	}
	return nil
}

// writePack writes the source pack of the clone's commit.
func (b *Builder) writePack(ctx context.Context, w io.Writer) error {
	newHash, err := newObjectHash(b.repo.format)
	if err != nil {
		return err
	}
	objects, err := b.commitObjects(ctx)
	if err != nil {
		return err
	}
	return writePack(w, newHash, objects)
}

// commitObjects lists the commit, its trees and its blobs, sorted by name. Blobs are
// read from the checkout, which was compared with the commit file by file.
func (b *Builder) commitObjects(ctx context.Context) ([]packObject, error) {
	all := map[string]packObject{}
	raw, _, err := b.m.git(b.src.root, "cat-file", "commit", b.src.commit.id).run(ctx)
	if err != nil {
		return nil, failed(err, "the commit cannot be read: %v", err)
	}
	all[b.src.commit.id] = inMemory(b.src.commit.id, 1, raw)
	if err := b.addTrees(ctx, all); err != nil {
		return nil, err
	}
	for _, e := range b.src.entries {
		if e.mode == modeGitlink {
			continue
		}
		blob, err := e.blob(b.src.root)
		if err != nil {
			return nil, failed(err, "%s cannot be read: %v", plain(e.path), err)
		}
		all[e.id] = blob
	}
	return slices.SortedFunc(maps.Values(all), func(x, y packObject) int { return strings.Compare(x.id, y.id) }), nil
}

func inMemory(id string, kind byte, data []byte) packObject {
	return packObject{id: id, kind: kind, size: int64(len(data)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// blob is the content of an entry, as it lies in the checkout.
func (e entry) blob(root string) (packObject, error) {
	name := filepath.Join(root, filepath.FromSlash(e.path))
	info, err := os.Lstat(name)
	if err != nil {
		return packObject{}, err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(name)
		return inMemory(e.id, 3, []byte(filepath.ToSlash(target))), err
	}
	return packObject{id: e.id, kind: 3, size: info.Size(), open: func() (io.ReadCloser, error) { return os.Open(name) }}, nil
}

// treeNames lists a tree and those below it, each once, sorted.
func (m *machine) treeNames(ctx context.Context, root, tree string) ([]string, error) {
	out, _, err := m.git(root, "ls-tree", "-r", "-t", "-z", "--full-tree", tree).run(ctx)
	if err != nil {
		return nil, failed(err, "tree %s cannot be listed: %v", tree, err)
	}
	ids := []string{tree}
	for _, line := range splitNUL(out) {
		meta, _, _ := strings.Cut(line, "\t")
		if fields := strings.Fields(meta); len(fields) == 3 && fields[1] == "tree" {
			ids = append(ids, fields[2])
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// addTrees reads the commit's trees.
func (b *Builder) addTrees(ctx context.Context, all map[string]packObject) error {
	ids, err := b.m.treeNames(ctx, b.src.root, b.src.commit.tree)
	if err != nil {
		return err
	}
	read := b.m.git(b.src.root, "cat-file", "--batch")
	read.stdin = []byte(strings.Join(ids, "\n") + "\n")
	out, _, err := read.run(ctx)
	if err != nil {
		return failed(err, "trees cannot be read: %v", err)
	}
	for _, id := range ids {
		line, rest, ok := bytes.Cut(out, []byte("\n"))
		var size int
		if n, err := fmt.Sscanf(string(line), id+" tree %d", &size); !ok || n != 1 || err != nil || size < 0 || size >= len(rest) {
			return failed(err, "git cat-file answered %q about tree %s", plain(string(line)), id)
		}
		all[id], out = inMemory(id, 2, rest[:size]), rest[size+1:]
	}
	return nil
}
