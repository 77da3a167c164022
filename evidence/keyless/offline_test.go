package keyless

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

type noRoute struct{ t *testing.T }

func (n noRoute) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("asked %s", r.URL)
	return nil, errors.New("offline")
}

// Verification, also of what is missing and could be fetched, opens no socket.
func TestOpensNoSocket(t *testing.T) {
	transport, resolver := http.DefaultTransport, net.DefaultResolver
	t.Cleanup(func() { http.DefaultTransport, net.DefaultResolver = transport, resolver })
	http.DefaultTransport = noRoute{t}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		t.Errorf("dialled %s %s", network, address)
		return nil, errors.New("offline")
	}}
	i := newInstance(t)
	for _, s := range []sample{{}, {dsse: true}, {version: v01}, {noEntry: true}, {noSCT: true}} {
		_, err := trial{bundle: s.bundle(i)}.verify(i)
		if (err != nil) != (s.noEntry || s.noSCT) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// The same tests pass where there is no network at all.
func TestWithoutNetwork(t *testing.T) {
	const inside = "ROLLPROOF_TEST_WITHOUT_NETWORK"
	if os.Getenv(inside) != "" {
		t.Skip("already without network")
	}
	if err := exec.Command("unshare", "-rn", "true").Run(); err != nil {
		t.Skipf("unshare -rn is not permitted here: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-rn", self, "-test.run=TestGoodBundles|TestBadLogEntry|TestExcused|TestConformanceSuite")
	cmd.Env = append(os.Environ(), inside+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
