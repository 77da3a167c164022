package gobuild

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A repository is what git says about the user's work tree. Reading it runs no
// command that its configuration names and changes nothing in it.
type repository struct {
	m      *machine
	top    string // absolute path of the work tree
	prefix string // the caller's directory below top, slash-separated, "" for top
	format string // object format: sha1 or sha256

	shallow bool
	drivers []string // configuration keys of filter drivers, to be emptied

	commit commit
	tags   []string // names at HEAD, sorted

	changed   []string // tracked files that differ from HEAD, sorted
	filtered  []string // of those, the ones whose content passes through a filter
	untracked []string // files that git neither tracks nor ignores, sorted
}

// A commit is the one that HEAD names. id is computed here from its bytes.
type commit struct {
	id      string
	tree    string
	time    time.Time // committer date, UTC
	parents int
}

// openRepository finds the work tree around dir and reads HEAD.
func openRepository(ctx context.Context, m *machine, dir string) (*repository, error) {
	r := &repository{m: m}
	if err := r.locate(ctx, dir); err != nil {
		return nil, err
	}
	raw, err := r.git(ctx, "cat-file", "commit", "HEAD")
	if err != nil {
		return nil, &Error{Kind: KindRule, Msg: "the repository has no commit", Hint: "git commit", Err: err}
	}
	if r.commit, err = parseCommit(r.format, raw); err != nil {
		return nil, failed(err, "HEAD cannot be read: %v", err)
	}
	return r, nil
}

func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
	out, _, err := r.m.git(r.top, args...).run(ctx)
	return out, err
}

func (r *repository) locate(ctx context.Context, dir string) error {
	out, _, err := r.m.git(dir, "rev-parse", "--show-toplevel", "--is-shallow-repository",
		"--show-object-format", "--show-prefix").run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return usage("git init, or -C with a directory of the repository",
			"%s is not inside the work tree of a git repository", dir)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) != 5 || !filepath.IsAbs(filepath.FromSlash(lines[0])) {
		return failed(nil, "git rev-parse answered %q, want four lines", plain(string(out)))
	}
	r.top = filepath.FromSlash(lines[0])
	r.shallow = lines[1] == "true"
	r.format = lines[2]
	r.prefix = strings.TrimSuffix(lines[3], "/")
	if _, err := newObjectHash(r.format); err != nil {
		return err
	}
	return nil
}

// newObjectHash returns the hash function of a repository's object names.
func newObjectHash(format string) (func() hash.Hash, error) {
	switch format {
	case "sha1":
		return sha1.New, nil
	case "sha256":
		return sha256.New, nil
	}
	return nil, failed(nil, "object format is %q, want sha1 or sha256", format)
}

// objectID is git's name of an object: the hash of its type, length and bytes.
func objectID(newHash func() hash.Hash, kind string, data []byte) string {
	h := newObject(newHash, kind, int64(len(data)))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

func parseCommit(format string, raw []byte) (commit, error) {
	newHash, err := newObjectHash(format)
	if err != nil {
		return commit{}, err
	}
	c := commit{id: objectID(newHash, "commit", raw)}
	header, _, _ := strings.Cut(string(raw), "\n\n")
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case key == "tree" && c.tree == "":
			c.tree = value
		case key == "parent":
			c.parents++
		case key == "committer" && c.time.IsZero():
			if c.time, err = committerTime(value); err != nil {
				return commit{}, err
			}
		}
	}
	if len(c.tree) != len(c.id) || c.time.IsZero() {
		return commit{}, fmt.Errorf("commit %s has no tree or no committer date", c.id)
	}
	return c, nil
}

// committerTime reads "Name <mail> 1700000000 +0100": seconds since 1970 in UTC.
func committerTime(value string) (time.Time, error) {
	fields := strings.Fields(value[strings.LastIndexByte(value, '>')+1:])
	if len(fields) != 2 {
		return time.Time{}, fmt.Errorf("committer date of %q is missing", plain(value))
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("committer date is %q, want seconds", plain(fields[0]))
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// readTags lists the tags at the commit, annotated ones included.
func (r *repository) readTags(ctx context.Context) error {
	out, err := r.git(ctx, "for-each-ref", "--format=%(refname)", "--points-at="+r.commit.id, "refs/tags/")
	if err != nil {
		return failed(err, "tags cannot be listed: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		r.tags = append(r.tags, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "refs/tags/"))
	}
	slices.Sort(r.tags)
	return nil
}

// readStatus compares the work tree with HEAD, without running filter drivers.
func (r *repository) readStatus(ctx context.Context) error {
	if err := r.readDrivers(ctx); err != nil {
		return err
	}
	status := r.m.git(r.top, "status", "--porcelain", "-z", "--no-renames",
		"--untracked-files=all", "--ignore-submodules=dirty")
	status.env = append(status.env, r.disabledDrivers()...)
	out, _, err := status.run(ctx)
	if err != nil {
		return failed(err, "the work tree cannot be compared with HEAD: %v", err)
	}
	var edited []string // only the content in the work tree differs
	for _, entry := range splitNUL(out) {
		if len(entry) < 4 {
			return failed(nil, "git status answered %q, want a state and a path", plain(entry))
		}
		switch entry[:2] {
		case "??":
			r.untracked = append(r.untracked, entry[3:])
		case " M":
			edited = append(edited, entry[3:])
		default:
			r.changed = append(r.changed, entry[3:])
		}
	}
	if r.filtered, err = r.passFilter(ctx, edited); err != nil {
		return err
	}
	for _, path := range edited {
		if !slices.Contains(r.filtered, path) {
			r.changed = append(r.changed, path)
		}
	}
	slices.Sort(r.changed)
	slices.Sort(r.untracked)
	return nil
}

// readDrivers lists the settings that name programs which git would run on file
// contents.
func (r *repository) readDrivers(ctx context.Context) error {
	out, err := r.git(ctx, "config", "-z", "--name-only", "--get-regexp", `^filter\.`)
	if err != nil && exitCode(err) != 1 { // 1: there is none
		return failed(err, "the repository's configuration cannot be read: %v", err)
	}
	r.drivers = splitNUL(out)
	return nil
}

// disabledDrivers is the environment that empties every filter driver.
func (r *repository) disabledDrivers() []string {
	env := []string{fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(r.drivers))}
	for i, key := range r.drivers {
		value := ""
		if strings.HasSuffix(key, ".required") {
			value = "false"
		}
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, value))
	}
	return env
}

// passFilter picks the paths whose content passes through a filter driver. As no
// driver was run, they may look changed without being so.
func (r *repository) passFilter(ctx context.Context, paths []string) ([]string, error) {
	if len(r.drivers) == 0 || len(paths) == 0 {
		return nil, nil
	}
	ask := r.m.git(r.top, "check-attr", "-z", "--stdin", "filter")
	ask.stdin = []byte(strings.Join(paths, "\x00") + "\x00")
	out, _, err := ask.run(ctx)
	if err != nil {
		return nil, failed(err, "attributes of changed files cannot be read: %v", err)
	}
	var filtered []string
	fields := splitNUL(out) // path, "filter", value, path, …
	for i := 0; i+2 < len(fields); i += 3 {
		if value := fields[i+2]; value != "unspecified" && value != "unset" {
			filtered = append(filtered, fields[i])
		}
	}
	return filtered, nil
}

func splitNUL(data []byte) []string {
	text := strings.TrimSuffix(string(data), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// inPlaceEnv guards the git that go build starts in the user's work tree, for
// its version stamp, as readStatus guards its own.
func (r *repository) inPlaceEnv() []string {
	guards := [][2]string{{"core.hooksPath", "/dev/null"}, {"core.fsmonitor", "false"}, {"safe.directory", "*"}}
	env := r.disabledDrivers()[1:]
	for i, guard := range guards {
		n := len(r.drivers) + i
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, guard[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, guard[1]))
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(r.drivers)+len(guards)))
}
