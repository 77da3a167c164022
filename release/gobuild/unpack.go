package gobuild

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// storePack writes a source pack into the object store of an empty clone while it
// reads it, and lets git index it only if it is in its one encoding. It returns the
// pack's objects by name.
func storePack(ctx context.Context, repo *repository, root string, pack io.Reader) (map[string]string, error) {
	newHash, err := newObjectHash(repo.format)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(root, ".git", "objects", "pack", "pack-source.pack")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, failed(err, "the source cannot be written: %v", err)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, failed(err, "the source cannot be written: %v", err)
	}
	ids, err := readPack(io.TeeReader(pack, file), newHash)
	if err := errors.Join(err, file.Close()); err != nil {
		var known *Error
		if errors.As(err, &known) {
			return nil, known
		}
		return nil, failed(err, "the source cannot be read: %v", err)
	}
	if _, _, err := repo.m.git(root, "index-pack", name).run(ctx); err != nil {
		return nil, notAPack("%v", err)
	}
	return ids, nil
}

// checkOutPack checks out the commit of a pack and refuses a pack that holds
// anything beside it.
func checkOutPack(ctx context.Context, repo *repository, s *source, ids map[string]string) error {
	id := repo.commit.id
	if ids[id] != "commit" {
		return notAPack("it does not hold commit %s", id)
	}
	raw, _, err := repo.m.git(s.root, "cat-file", "commit", id).run(ctx)
	if err != nil {
		return failed(err, "commit %s cannot be read: %v", id, err)
	}
	if c, err := parseCommit(repo.format, raw); err == nil && c.parents > 0 {
		// As in the clone that the release was built in: git asks for no parents.
		if err := os.WriteFile(filepath.Join(s.root, ".git", "shallow"), []byte(id+"\n"), 0o600); err != nil {
			return failed(err, "clone cannot be written: %v", err)
		}
	}
	if err := s.checkOut(ctx, repo, id); err != nil {
		return err
	}
	trees, err := repo.m.treeNames(ctx, s.root, s.commit.tree)
	if err != nil {
		return err
	}
	want := map[string]bool{id: true}
	for _, tree := range trees {
		want[tree] = true
	}
	for _, e := range s.entries {
		if e.mode != modeGitlink {
			want[e.id] = true
		}
	}
	for _, have := range slices.Sorted(maps.Keys(ids)) {
		if !want[have] {
			return notAPack("%s %s is no part of commit %s", ids[have], have, id)
		}
	}
	return nil
}
