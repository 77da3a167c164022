package smoke_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/smoke"
)

func binaryOf(p release.Platform) string { return release.BinaryPath("probe", "v1.2.3", p) }

func TestWhatComesOfABinary(t *testing.T) {
	for name, test := range map[string]struct {
		command smoke.Command
		result  smoke.Result
		exit    int // -1 for none
		reason  string
		output  string
	}{
		"the default":           {smoke.Command{}, smoke.Pass, 0, "", "probe v1.2.3"},
		"the expected output":   {smoke.Command{Output: `^probe v1\.2\.3\n$`}, smoke.Pass, 0, "", "probe"},
		"another output":        {smoke.Command{Output: `v1\.2\.4`}, smoke.Fail, 0, `the output does not match v1\.2\.4`, "probe"},
		"no arguments":          {smoke.Command{Args: []string{}}, smoke.Pass, 0, "", "probe"},
		"exit code 3":           {smoke.Command{Args: []string{"exit3"}}, smoke.Fail, 3, "exit code 3, expected 0", "no"},
		"expected exit code 3":  {smoke.Command{Args: []string{"exit3"}, ExitCode: 3}, smoke.Pass, 3, "", "no"},
		"0 where 3 is expected": {smoke.Command{ExitCode: 3}, smoke.Fail, 0, "exit code 0, expected 3", "probe"},
		"a panic":               {smoke.Command{Args: []string{"panic"}}, smoke.Fail, 2, "exit code 2, expected 0", "panic: at the end"},
		"it hangs":              {smoke.Command{Args: []string{"hang"}, TimeLimit: "300ms"}, smoke.Fail, -1, "it did not end within 300ms", ""},
		"it writes endlessly":   {smoke.Command{Args: []string{"flood"}, TimeLimit: "1m"}, smoke.Fail, -1, "it wrote more than 65536 bytes", "xxx"},
		"as much as may be":     {smoke.Command{Args: []string{"fill", "65536"}}, smoke.Pass, 0, "", "xxx"},
		"a byte more":           {smoke.Command{Args: []string{"fill", "65537"}}, smoke.Fail, -1, "it wrote more than 65536 bytes", "xxx"},
		"output that acts":      {smoke.Command{Args: []string{"control"}}, smoke.Pass, 0, "", "\\u{1b}[2Jred\n\\u{202e}back\n\\x{ff}"},
		"what can't be removed": {smoke.Command{Args: []string{"litter"}}, smoke.Pass, 0, "", ""},
		"a shell's words":       {smoke.Command{Args: []string{"see", "$(id)", "a b"}}, smoke.Pass, 0, "", "see $(id) a b]"},
	} {
		t.Run(name, func(t *testing.T) {
			r, got := run(t, test.command)
			exit := -1
			if got.ExitCode != nil {
				exit = *got.ExitCode
			}
			if got.Result != test.result || exit != test.exit || got.Reason != test.reason || !strings.Contains(got.Output, test.output) {
				t.Errorf("%s, exit code %d, %q, output %.100q", got.Result, exit, got.Reason, got.Output)
			}
			if want := test.result == smoke.Pass; r.HostPassed() != want {
				t.Errorf("HostPassed is %t", r.HostPassed())
			}
			want := smoke.Incomplete // the other platform's binary
			if test.result == smoke.Fail {
				want = smoke.Fail
			}
			if r.Result != want || r.NotChecked != 1 || r.OtherPlatforms != 1 {
				t.Errorf("report %s, %d not checked, %d of other platforms", r.Result, r.NotChecked, r.OtherPlatforms)
			}
		})
	}
}

func TestOtherPlatformsAreNamed(t *testing.T) {
	r, _ := run(t, smoke.Command{})
	i := slices.IndexFunc(r.Tests, func(x smoke.Test) bool { return x.Binary == binaryOf(other) })
	want := fmt.Sprintf("it is for %s, this machine is %s", other, host)
	if i < 0 || r.Tests[i].Result != smoke.NotChecked || r.Tests[i].Reason != want {
		t.Errorf("%+v", r.Tests)
	}
	c, v := open(t, probeDir(t))
	r, err := smoke.Run(t.Context(), c, v, smoke.Options{Host: release.Platform{OS: "plan9", Arch: "mips"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != smoke.Incomplete || r.HostPassed() || r.NotChecked != 2 || r.Network != smoke.NetworkUnused {
		t.Errorf("on a machine that no binary is for: %s, %d not checked, network %s", r.Result, r.NotChecked, r.Network)
	}
	if _, err := smoke.NewStatement(r); !errors.Is(err, smoke.ErrNothingToState) {
		t.Errorf("a statement about nothing: %v", err)
	}
}

// The program reaches no address: not of this machine, not of another namespace.
func TestNoNetwork(t *testing.T) {
	isolated(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@smoke-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	reached := make(chan string, 10)
	for _, l := range []net.Listener{tcp, abstract} {
		go func() {
			if c, err := l.Accept(); err == nil {
				reached <- c.LocalAddr().String()
				c.Close()
			}
		}()
	}
	go func() {
		if _, _, err := udp.ReadFrom(make([]byte, 100)); err == nil {
			reached <- "udp"
		}
	}()
	addresses := strings.Join([]string{"tcp=" + tcp.Addr().String(), "udp=" + udp.LocalAddr().String(), "unix=" + abstract.Addr().String(), "tcp=192.0.2.1:80"}, ",")
	r, got := run(t, smoke.Command{Args: []string{"dial", addresses}})
	if r.Network != smoke.NetworkNone || !strings.HasSuffix(got.Output, "reached 0") {
		t.Errorf("network %s: %s", r.Network, got.Output)
	}
	select {
	case address := <-reached:
		t.Errorf("%s was reached", address)
	default:
	}
	if _, got := run(t, smoke.Command{Args: []string{"listen"}}); got.Result != smoke.Pass && !strings.Contains(got.Output, "assign requested address") {
		t.Errorf("listening in its own namespace: %s", got.Output)
	}
}

// The program sees nothing of the caller: no variables, no input, no open files.
func TestWhatTheProgramIsGiven(t *testing.T) {
	t.Setenv("ROLLPROOF_SIGNING_KEY", "secret")
	leakFile(t, "testdata/probe/main.go")
	_, got := run(t, smoke.Command{Args: []string{"see"}})
	want := []string{"argv [" + filepath.Base("probe") + " see]", "environ 1 home true", "in home true", "home -rwx------ 0", "above -rwx------ 2", "stdin 0 EOF", "session of its own true"}
	lines := strings.Split(got.Output, "\n")
	slices.Sort(lines)
	slices.Sort(want)
	if runtime.GOOS != "windows" && !slices.Equal(lines, want) {
		t.Errorf("the program sees %q, expected %q", lines, want)
	}
}

// What the program leaves running dies with it, also when it ends by itself and its
// child has left the process group.
func TestNothingIsLeftRunning(t *testing.T) {
	isolated(t)
	for word, limit := range map[string]string{"stay": "1m", "flee": "1m", "linger": "300ms"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "touched")
			_, got := run(t, smoke.Command{Args: []string{word, file}, TimeLimit: limit})
			if word != "linger" && got.Result != smoke.Pass {
				t.Errorf("%s: %s", got.Reason, got.Output)
			}
			wantUntouched(t, file)
		})
	}
}

// wantUntouched waits until a child would have written a file.
func wantUntouched(t *testing.T, file string) {
	t.Helper()
	time.Sleep(3 * time.Second) // the child waits for two
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a child went on: %v", err)
	}
}

// What is no program fails, although its digest is right.
func TestNoProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("writes into an ELF header")
	}
	dir := packaged(t, t.TempDir(), false, func(file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data[18], data[19] = 0xff, 0xfe // e_machine
		if err := os.WriteFile(file, data, 0o755); err != nil {
			t.Fatal(err)
		}
	})
	c, v := open(t, dir)
	r, got := runIn(t, c, v, smoke.Command{})
	if got.Result != smoke.Fail || r.Result != smoke.Fail || !strings.HasPrefix(got.Reason, "it could not be started: ") {
		t.Errorf("%s: %s", got.Result, got.Reason)
	}
}

// A package that changed after its verdict is never run, nor is one without a verdict.
func TestChangedAfterItsVerdict(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "package")
	if err := os.CopyFS(copied, os.DirFS(probeDir(t))); err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(t.TempDir(), "ran")
	command := smoke.Command{Args: []string{"touch", marker}}
	for name, path := range map[string]string{"binary": binaryOf(host), "manifest": release.ManifestFile} {
		t.Run(name, func(t *testing.T) {
			c, v := open(t, copied)
			file := filepath.Join(copied, filepath.FromSlash(path))
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := append(slices.Clone(before), '\n')
			if err := os.WriteFile(file, changed, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err = smoke.Run(t.Context(), c, v, smoke.Options{Command: command})
			var e *smoke.ChangedError
			if !errors.As(err, &e) || e.Path != path || e.Expected != evidence.SHA256(before) {
				t.Errorf("%v", err)
			}
			if err := os.WriteFile(file, before, 0o755); err != nil {
				t.Fatal(err)
			}
		})
	}
	c, v := open(t, probeDir(t))
	failed := *v
	failed.Result = release.Fail
	for name, verdict := range map[string]*release.Verdict{"none": nil, "a failed one": &failed} {
		if _, err := smoke.Run(t.Context(), c, verdict, smoke.Options{Command: command}); err == nil {
			t.Errorf("verdict: %s: it ran", name)
		}
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the program ran: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	c, v := open(t, probeDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	temp := t.TempDir()
	_, err := smoke.Run(ctx, c, v, smoke.Options{Command: smoke.Command{Args: []string{"hang"}, TimeLimit: "1h"}, TempDir: temp})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	for problem, c := range map[string]smoke.Command{
		"exit_code is 256":            {ExitCode: 256},
		"exit_code is -1":             {ExitCode: -1},
		"without NUL":                 {Args: []string{"a\x00b"}},
		"at most 100":                 {Args: make([]string, 101)},
		"at most 4000":                {Args: []string{strings.Repeat("x", 4001)}},
		"output has 4001":             {Output: strings.Repeat("x", 4001)},
		"no RE2 pattern":              {Output: "("},
		`time_limit is "0s"`:          {TimeLimit: "0s"},
		`time_limit is "-1s"`:         {TimeLimit: "-1s"},
		`time_limit is "10"`:          {TimeLimit: "10"},
		`time_limit is "1h1s", expec`: {TimeLimit: "1h1s"},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", problem, err)
		}
		cc, v := open(t, probeDir(t))
		if _, err := smoke.Run(t.Context(), cc, v, smoke.Options{Command: c}); err == nil {
			t.Errorf("%s: it ran", problem)
		}
	}
	if err := (smoke.Command{}).Check(); err != nil {
		t.Error(err)
	}
}
