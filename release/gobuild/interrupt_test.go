//go:build unix

package gobuild_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollproof/rollproof/release/gobuild"
)

var errInterrupted = errors.New("interrupted")

// The stand-in for go hands on every command but build, where it starts a
// process of its own, tells of it and waits.
func TestInterruptedBuildLeavesNothing(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	bin, temp, out := t.TempDir(), t.TempDir(), t.TempDir()
	pids := filepath.Join(t.TempDir(), "pids")
	writeFile(t, filepath.Join(bin, "go"), fmt.Sprintf(
		"#!/bin/sh\ncase $1 in build) sleep 600 & echo $! $$ > '%s.new'; mv '%s.new' '%s'; wait;; *) PATH='%s' exec go \"$@\";; esac\n",
		pids, pids, pids, os.Getenv("PATH")), 0o755)
	t.Setenv("TMPDIR", temp)
	opts := r.options()
	opts.Env = append(slices.Clone(opts.Env), "PATH="+bin+":"+os.Getenv("PATH"))
	b, err := gobuild.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	p, err := b.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for !exists(pids) {
			time.Sleep(time.Millisecond)
		}
		cancel(errInterrupted)
	}()
	if _, _, err = b.Build(ctx, p, out, nil); !errors.Is(err, errInterrupted) {
		t.Fatalf("error is %v, want the context's cause", err)
	}
	wantDead(t, pids)
	if left := leftovers(t, temp); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
	if left := leftovers(t, out); !slices.Equal(left, []string{"bin"}) {
		t.Errorf("left in the package: %v", left)
	}
	if left := leftovers(t, filepath.Join(out, "bin")); len(left) != 0 {
		t.Errorf("left binaries: %v", left)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// wantDead waits for the killed processes to be gone; a test that hangs here
// has found a survivor.
func wantDead(t *testing.T, pids string) {
	t.Helper()
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		for !gone(pid) {
			time.Sleep(time.Millisecond)
		}
	}
}

// gone counts a zombie as gone: who reaps an orphan is the machine's affair.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestInterruptedPlanLeavesNothing(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	b, err := gobuild.New(r.options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errInterrupted)
	if _, err := b.Plan(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("error is %v, want the context's cause", err)
	}
	if left := leftovers(t, temp); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

func TestModesDoNotFollowTheUmask(t *testing.T) {
	r := newRepo(t, hello(), "v1.0.0")
	open := build(t, r.options())
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	result := build(t, r.options())
	info, err := os.Stat(filepath.Join(result.dir, filepath.FromSlash(result.built[0].Path)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Errorf("mode is %s, want 0755", info.Mode())
	}
	if string(result.binary(0)) != string(open.binary(0)) {
		t.Error("the umask changed the binary")
	}
}
