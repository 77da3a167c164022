package console_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/console"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/rebuild"
	"github.com/rollproof/rollproof/rollout"
)

// base is the world that all tests begin with, made once.
var base struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if base.dir != "" {
		os.RemoveAll(base.dir)
	}
	os.Exit(code)
}

// A world is a directory with the keys, packages and store of testdata/world.sh.
type world struct {
	t   testing.TB
	dir string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	base.once.Do(func() { base.dir, base.err = makeBase() })
	if base.err != nil {
		t.Fatal(base.err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-a", base.dir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return &world{t, dir}
}

func makeBase() (string, error) {
	dir, err := os.MkdirTemp("", "console-world-")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "rollproof"), "github.com/rollproof/rollproof/cmd/rollproof").CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w: %s", err, out)
	}
	if err := os.CopyFS(filepath.Join(dir, "steps"), os.DirFS("testdata")); err != nil {
		return dir, err
	}
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "golang.org/x/mod").Output()
	if err != nil {
		return dir, err
	}
	c := exec.Command("bash", "steps/world.sh")
	c.Dir, c.Env = dir, append(environment(dir), "MOD_VERSION="+strings.TrimSpace(string(version)))
	if out, err := c.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("world.sh: %w: %s", err, out)
	}
	return dir, nil
}

func environment(dir string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ROLLPROOF_") }),
		"PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_STATE_HOME="+filepath.Join(dir, "state"),
		"STEPS="+filepath.Join(dir, "steps", "steps.sh"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
}

// run runs a command line in the directory of the store and returns its output.
func (w *world) run(line string) string {
	w.t.Helper()
	out, err := w.try(line)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

func (w *world) try(line string) (string, error) {
	c := exec.Command("bash", "-c", line)
	c.Dir, c.Env = filepath.Join(w.dir, "store"), environment(w.dir)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (w *world) store() string { return filepath.Join(w.dir, "store", ".rollproof", "evidence.db") }

// trust reads the trust root that the world's configuration pins, as it is now.
func (w *world) trust() (*trust.Chain, trust.Authority, error) {
	config := filepath.Join(w.dir, "config", "rollproof")
	pin, err := os.ReadFile(filepath.Join(config, "pin"))
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(config, "trust")
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	files := map[string][]byte{}
	for _, e := range list {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, nil, err
		}
	}
	chain, err := trust.Load(files, strings.TrimSpace(string(pin)))
	if err != nil {
		return nil, nil, err
	}
	authority, err := chain.At(time.Now(), trust.Options{})
	return chain, authority, err
}

// token records a token of ada's, signed by the policy role, and returns its text. It
// is for the named projects, or for all.
func (w *world) token(s service.Service, scopes []access.Scope, projects ...string) string {
	w.t.Helper()
	pem, err := os.ReadFile(filepath.Join(w.dir, "trust", "keys", "policy.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := keys.Parse(pem, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	chain, authority, err := w.trust()
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	head := rollout.Head{Actor: rollout.Actor{KeyID: key.Public().KeyID(), Person: authority.Rule(trust.Use{KeyID: key.Public().KeyID()}).Signer.Person},
		Trust: rollout.TrustVersion{Version: chain.Newest().Version, Digest: chain.Digest()}, Claimed: now}
	secret, err := access.NewSecret(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	statement, err := access.NewToken(head, secret, access.Grant{Owner: "ada", Scopes: scopes, Projects: projects, NotBefore: now, Expires: now.AddDate(0, 0, 7)})
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := evidence.Sign(key, statement)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := bundle.Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := s.AddEvidence(w.t.Context(), data); err != nil {
		w.t.Fatal(err)
	}
	return secret.Text()
}

// A site is a console that listens, and a token for it.
type site struct {
	*httptest.Server
	token   string
	service service.Service
	gate    *access.Gate
	store   *sqlite.Store
	table   access.Table
}

// serve starts the console on the world's store. wrap may stand before it.
func (w *world) serve(wrap func(http.Handler) http.Handler) *site {
	w.t.Helper()
	return w.serveAt(10_000, wrap)
}

// serveAt answers so many requests a second of one credential.
func (w *world) serveAt(rate float64, wrap func(http.Handler) http.Handler) *site {
	w.t.Helper()
	known, err := evidence.NewCatalog(slices.Concat(release.CatalogEntries(), rollout.CatalogEntries(), rebuild.CatalogEntries(), access.CatalogEntries())...)
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := sqlite.Open(context.Background(), w.store(), time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { store.Close() })
	local := service.New(service.Options{Store: store, Catalog: known, Trust: w.trust, Location: time.LoadLocation, Now: time.Now})
	tokens := access.NewTokens(store, func() (access.Root, error) {
		chain, authority, err := w.trust()
		return access.Root{Chain: chain, Authority: authority}, err
	}, time.Now)
	s := &site{token: w.token(local, []access.Scope{access.Read, access.Operate}), service: local, store: store,
		gate: &access.Gate{Tokens: tokens, Sessions: access.NewSessions(tokens, time.Now, rand.Reader, false)}}
	c, err := console.New(console.Options{Service: local, Catalog: known, Gate: s.gate, Now: time.Now, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	logs, err := httpapi.OpenLog(filepath.Join(w.dir, "access"), time.Now, func(err error) { w.t.Log(err) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { logs.Close() })
	api, err := httpapi.New(httpapi.Options{Service: local, Catalog: known, Gate: s.gate, Hosts: []string{"127.0.0.1"}, Rate: rate, Log: logs, Now: time.Now, Mount: c.Mount, Denied: c.Denied, Refused: c.Refused})
	if err != nil {
		w.t.Fatal(err)
	}
	s.table = api.Table()
	var h http.Handler = api
	if wrap != nil {
		h = wrap(api)
	}
	s.Server = httptest.NewServer(h)
	w.t.Cleanup(s.Server.Close)
	return s
}
