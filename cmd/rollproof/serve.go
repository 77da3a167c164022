package main

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	configuration "github.com/rollproof/rollproof/internal/config"
	"github.com/rollproof/rollproof/internal/console"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/urfave/cli/v2"
)

func (p *program) serveCommand() *cli.Command {
	return p.alone(&cli.Command{
		Name:  "serve",
		Usage: "present the evidence store over HTTP: a console for people, an API for machines",
		Description: "Nothing but health can be read without a token (rollproof token create). The server holds no key: acts are signed by who makes them, and judged again before they are recorded. " +
			"It opens no connection of its own, but to the OIDC issuer of its configuration (server.yaml). /openapi.json describes the API. " +
			"With --server it presents the store of another machine to its own user alone: pages from this program, opened by the address that it prints, on loopback only.",
		Flags: append(rootFlags(), storeFlag(), serverFlag(),
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "`ADDRESS` to listen on"},
			&cli.StringSliceFlag{Name: "host", Usage: "a `NAME` by which the server is reached, beside the loopback ones; may be repeated"},
			&cli.StringFlag{Name: "tls-cert", Usage: "the server's certificate chain, a PEM `FILE`"},
			&cli.StringFlag{Name: "tls-key", Usage: "its private key, a PEM `FILE`"},
			&cli.StringFlag{Name: "client-ca", Usage: "accept only clients with a certificate by one of the authorities in the PEM `FILE`"},
			&cli.BoolFlag{Name: "allow-plain-http", Usage: "listen without TLS where others can listen too: tokens travel in the clear"},
			&cli.BoolFlag{Name: "read-public", Usage: "let everybody who reaches the server read everything"},
			&cli.Float64Flag{Name: "rate", Value: httpapi.DefaultRate, Usage: "answer `N` requests a second of one credential"},
			&cli.StringFlag{Name: "access-log", Usage: "`DIR` of the access log (default: in the user's state directory)"},
		),
		Action: p.serve,
	})
}

// grace is how long requests that have begun may take when the server ends.
const grace = 30 * time.Second

func (p *program) serve(ctx *cli.Context) error {
	remote, err := p.remote(ctx)
	if err != nil {
		return err
	}
	if remote != nil {
		return p.serveRemote(ctx, remote)
	}
	a, err := p.acts(ctx)
	if err != nil {
		return err
	}
	config, err := p.listenConfig(ctx)
	if err != nil {
		return err
	}
	store, err := p.writeStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	logs, err := p.accessLog(ctx, "access")
	if err != nil {
		return err
	}
	defer logs.Close()
	server, err := p.server(ctx, a, store, logs, config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", ctx.String("listen"))
	if err != nil {
		return failure{exitFailed, err.Error(), "give another --listen ADDRESS"}
	}
	scheme := "http"
	if config != nil {
		listener, scheme = tls.NewListener(listener, config), "https"
	}
	fmt.Fprintf(p.stderr, "listening on %s://%s\n", scheme, listener.Addr())
	if ctx.Bool("read-public") {
		fmt.Fprintln(p.stderr, "note: everybody who reaches it can read everything (--read-public)")
	}
	return server.Serve(ctx.Context, listener, grace)
}

// server puts service, gate and routes together.
func (p *program) server(ctx *cli.Context, a *acting, store *sqlite.Store, logs *httpapi.Log, config *tls.Config) (*httpapi.Server, error) {
	root := p.liveTrust(ctx, a)
	local := service.New(service.Options{
		Store: store, Catalog: a.Catalog, Location: time.LoadLocation, Rebuilt: rebuilt(), Others: tokenJudge, Now: p.clock,
		Trust: func() (*trust.Chain, trust.Authority, error) {
			now, err := root()
			return now.Chain, now.Authority, err
		},
	})
	tokens := access.NewTokens(store, root, p.clock)
	if _, err := tokens.List(ctx.Context); err != nil { // a log that cannot be replayed is found before anybody asks
		return nil, badStore(err)
	}
	gate := &access.Gate{Tokens: tokens, Sessions: access.NewSessions(tokens, p.clock, rand.Reader, config != nil), ReadPublic: ctx.Bool("read-public")}
	issuer, err := p.issuer(root, config != nil)
	if err != nil {
		return nil, err
	}
	if issuer != nil { // a nil *access.OIDC would be a verifier that is there
		gate.OIDC = issuer
	}
	pages, err := console.New(console.Options{Service: local, Catalog: a.Catalog, Gate: gate, OIDC: issuer, Now: p.clock, Log: slog.New(slog.NewTextHandler(p.stderr, nil))})
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Options{
		Service: local, Catalog: a.Catalog, Gate: gate, Hosts: hostNames(ctx), Rate: ctx.Float64("rate"), Log: logs, Now: p.clock, Version: version(),
		Mount: pages.Mount, Denied: pages.Denied, Refused: pages.Refused,
	})
}

// issuer is the identity provider of the server's configuration, nil without one.
func (p *program) issuer(root access.Trust, secure bool) (*access.OIDC, error) {
	for _, dir := range p.configurationDirectories() {
		file := filepath.Join(dir, configuration.ServerFileName)
		data, err := readFile(file, configuration.MaxSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c, err := configuration.ParseServer(data)
		if err != nil {
			return nil, usagef("see docs/server.md", "%s: %v", dir, err)
		}
		if c.OIDC == nil {
			return nil, nil
		}
		secret := ""
		if name := c.OIDC.ClientSecretFile; name != "" {
			data, err := readFile(name, maxKeyFile)
			if err != nil {
				return nil, err
			}
			secret = strings.TrimSpace(string(data))
		}
		return access.NewOIDC(*c.OIDC, secret, root, p.clock, rand.Reader, secure, http.DefaultTransport)
	}
	return nil, nil
}

// hostNames are the names by which a server may be reached.
func hostNames(ctx *cli.Context) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, name := range ctx.StringSlice("host") {
		names = append(names, strings.ToLower(name))
	}
	return names
}

// listenConfig reads the certificates, nil without TLS, and refuses to send tokens in
// the clear where others can listen.
func (p *program) listenConfig(ctx *cli.Context) (*tls.Config, error) {
	cert, key, ca := ctx.String("tls-cert"), ctx.String("tls-key"), ctx.String("client-ca")
	if (cert == "") != (key == "") {
		return nil, usagef("give both", "--tls-cert and --tls-key belong together")
	}
	if cert == "" {
		switch {
		case ca != "":
			return nil, usagef("give --tls-cert and --tls-key too", "--client-ca needs TLS")
		case !isLoopback(ctx.String("listen")) && !ctx.Bool("allow-plain-http"):
			return nil, usagef("give --tls-cert and --tls-key, or --allow-plain-http behind a proxy that ends TLS", "%s is no loopback address, and there is no TLS", ctx.String("listen"))
		}
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, usagef("give PEM files that belong together", "%v", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if ca == "" {
		return config, nil
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs, err = authorities(ca)
	return config, err
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// accessLog opens the access log, by default in the directory name of the user's state; what goes wrong inside of the server is told on
// stderr.
func (p *program) accessLog(ctx *cli.Context, name string) (*httpapi.Log, error) {
	dir := ctx.String("access-log")
	if dir == "" {
		state := p.userDirectory("XDG_STATE_HOME", ".local/state")
		if state == "" {
			return nil, usagef("give --access-log DIR", "there is no home directory to keep the access log in")
		}
		dir = filepath.Join(state, name)
	}
	return httpapi.OpenLog(dir, p.clock, func(err error) { fmt.Fprintf(p.stderr, "rollproof: server: %v\n", err) })
}

// liveTrust returns the trust root as it is now. A version that is added to its
// directory counts from then on; the directory is looked at once a second at most.
func (p *program) liveTrust(ctx *cli.Context, a *acting) access.Trust {
	var mu sync.Mutex
	root := access.Root{Chain: a.Chain, Authority: a.Authority}
	subject := filepath.Dir(ctx.String("sqlite"))
	_, dir, _ := p.pinned(ctx, subject) // as it was read for a
	at, seen := p.now(), directoryState(dir)
	return func() (access.Root, error) {
		mu.Lock()
		defer mu.Unlock()
		now := p.now()
		if age := now.Sub(at); age >= 0 && age < time.Second {
			return root, nil
		}
		state := directoryState(dir)
		if state != seen {
			chain, err := p.rootChain(ctx, subject, nil)
			if err != nil {
				return access.Root{}, err
			}
			root.Chain = chain
		}
		authority, err := p.authorityOf(ctx, root.Chain)
		if err != nil {
			return access.Root{}, err
		}
		root.Authority, at, seen = authority, now, state
		return root, nil
	}
}

// directoryState changes when a file of a directory does.
func directoryState(dir string) string {
	var state strings.Builder
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(&state, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return state.String()
}

// alone completes a command that is no verb of a noun.
func (p *program) alone(c *cli.Command) *cli.Command {
	action := c.Action
	c.HideHelpCommand, c.OnUsageError = true, usageError
	c.Action = func(ctx *cli.Context) error {
		if ctx.Args().Present() {
			return usagef("see rollproof "+c.Name+" --help", "rollproof %s takes no arguments, %d given", c.Name, ctx.Args().Len())
		}
		return action(ctx)
	}
	return c
}
