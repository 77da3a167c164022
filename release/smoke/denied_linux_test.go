package smoke_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/dist"
	"github.com/rollproof/rollproof/release/smoke"
)

// deniedMarker names the package that a copy of this test program smokes where network
// namespaces are not permitted.
const deniedMarker = "SMOKE_TEST_DENIED"

// deniedFile names the file that a child of the program would write.
const deniedFile = "SMOKE_TEST_FILE"

// Where the kernel gives no namespace the program runs all the same, and both report and
// statement say that it could reach the network. Its process group is ended with it.
func TestNamespacesNotPermitted(t *testing.T) {
	isolated(t)
	cmd := exec.Command("/proc/self/exe")
	file := filepath.Join(t.TempDir(), "touched")
	cmd.Env = append(os.Environ(), deniedMarker+"="+probeDir(t), deniedFile+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "limit") {
		t.Skip("this machine lets no namespace have a limit of its own")
	}
	if want := "not isolated pass WARNED [] [" + binaryOf(host) + "]\n"; err != nil || string(out) != want {
		t.Errorf("%v: got %q, expected %q", err, out, want)
	}
	wantUntouched(t, file)
}

// runDenied forbids network namespaces to itself and smokes the package.
func runDenied() int {
	if err := os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0); err != nil {
		fmt.Println("limit:", err)
		return 0
	}
	c, closer, err := dist.Open(os.Getenv(deniedMarker))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer closer.Close()
	t := &testing.T{}
	v, err := release.Verify(context.Background(), c, release.VerifyOptions{Authority: trust.SingleKey(newKey(t).Public())})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r, err := smoke.Run(context.Background(), c, v, smoke.Options{Command: smoke.Command{Args: []string{"stay", os.Getenv(deniedFile)}}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := smoke.NewStatement(r)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, test := range r.Tests {
		if test.Platform == host {
			fmt.Println(r.Network, test.Result, s.Predicate.Result, s.Predicate.PassedTests, s.Predicate.WarnedTests)
		}
	}
	return 0
}

// leakFile opens a file as a careless parent does: whatever is started inherits it.
func leakFile(t *testing.T, name string) {
	t.Helper()
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
}
