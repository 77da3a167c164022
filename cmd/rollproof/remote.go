package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
	"github.com/urfave/cli/v2"
)

func serverFlag() cli.Flag {
	return &cli.StringFlag{Name: "server", Usage: "ask the rollproof serve at `URL` in place of a store; its token is in ROLLPROOF_TOKEN or in the file token of the user's configuration (TLS: ROLLPROOF_SERVER_CA, ROLLPROOF_CLIENT_CERT, ROLLPROOF_CLIENT_KEY); needs the network"}
}

// remote is the service at --server, nil without the flag.
func (p *program) remote(ctx *cli.Context) (service.Service, error) {
	server := ctx.String("server")
	if server == "" {
		return nil, nil
	}
	if ctx.IsSet("sqlite") {
		return nil, usagef("give one of them", "--server and --sqlite are two stores")
	}
	token, err := p.serverToken()
	if err != nil {
		return nil, err
	}
	transport, err := p.transport()
	if err != nil {
		return nil, err
	}
	client, err := httpapi.NewClient(server, token, transport)
	return client, badStore(err)
}

// transport is how servers are reached: with the system's authorities, or the one that
// the environment names instead, and with a client's certificate if it names one.
func (p *program) transport() (http.RoundTripper, error) {
	ca, cert, key := p.env("ROLLPROOF_SERVER_CA"), p.env("ROLLPROOF_CLIENT_CERT"), p.env("ROLLPROOF_CLIENT_KEY")
	if (cert == "") != (key == "") {
		return nil, usagef("set both, or none", "ROLLPROOF_CLIENT_CERT and ROLLPROOF_CLIENT_KEY belong together")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, usagef("name PEM files that belong together", "ROLLPROOF_CLIENT_CERT and ROLLPROOF_CLIENT_KEY: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if ca != "" {
		pool, err := authorities(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = config
	return t, nil
}

// authorities reads the certificates of a PEM file.
func authorities(file string) (*x509.CertPool, error) {
	data, err := readFile(file, maxTrustFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, usagef("give PEM certificates", "%s holds no certificate", file)
	}
	return pool, nil
}

// serverToken is never an argument: those are in histories and process lists.
func (p *program) serverToken() (string, error) {
	if token := p.env("ROLLPROOF_TOKEN"); token != "" {
		return strings.TrimSpace(token), nil
	}
	dir := p.userDirectory("XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return "", nil
	}
	file := filepath.Join(dir, "token")
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if filePermissions(info)&0o077 != 0 {
		return "", usagef("chmod 600 "+file, "others can read the token in %s", file)
	}
	data, err := readFile(file, maxKeyFile)
	return strings.TrimSpace(string(data)), err
}

// addRemote sends envelopes to a server, one by one: those before a refusal stay.
func (p *program) addRemote(ctx *cli.Context, s service.Service) error {
	if ctx.IsSet("blob") || ctx.Bool("allow-unknown-signer") {
		return usagef("they are for a store on this machine", "--blob and --allow-unknown-signer do not go with --server")
	}
	inputs, err := readInputs(ctx.Args().Slice())
	if err != nil {
		return err
	}
	doc := evidence.AddDocument{Schema: evidence.AddSchema, Records: []evidence.AddedLine{}, Blobs: []evidence.Blob{}, Refused: []evidence.RefusedLine{}}
	for i, in := range inputs {
		added, err := s.AddEvidence(ctx.Context, in.data)
		if err != nil {
			f := translate(ctx.Context, badStore(err))
			return failure{f.Code, fmt.Sprintf("%s: %s; %d before it are recorded", in.source, f.Message, i), f.Hint}
		}
		for _, line := range added.Records {
			line.Source = in.source
			doc.Records = append(doc.Records, line)
		}
	}
	return p.showAdded(doc)
}

// showRemote shows a record as a server says it.
func (p *program) showRemote(ctx *cli.Context, s service.Service) error {
	id := ctx.Args().First()
	switch {
	case ctx.IsSet("files"):
		return usagef("GET /evidence/ID/artifact-bundle has them", "--files does not go with --server")
	case ctx.Bool("raw"):
		data, err := s.Envelope(ctx.Context, id)
		if err != nil {
			return badStore(err)
		}
		_, err = p.stdout.Write(data)
		return err
	case ctx.Bool("tree"):
		lineage, err := s.Lineage(ctx.Context, id)
		if err != nil {
			return badStore(err)
		}
		return p.showLineage(lineage)
	}
	doc, err := s.Record(ctx.Context, id)
	if err != nil {
		return badStore(err)
	}
	if err := p.showRecord(doc); err != nil {
		return err
	}
	if len(doc.Differences) > 0 {
		return &shownError{exitEvidence}
	}
	return nil
}

// verifiedRemote is the payload of an act that a server has, verified here: under the
// trust root of this machine, and by the digest that was asked for.
func (a *acting) verifiedRemote(s service.Service, act evidence.Digest) (bundle, payload []byte, err error) {
	data, err := s.Envelope(a.ctx.Context, act.Hex())
	if err != nil {
		return nil, nil, badStore(err)
	}
	examined, err := a.Intake().Examine(data)
	if err != nil {
		return nil, nil, badStore(err)
	}
	if examined.Act != act {
		return nil, nil, failure{exitEvidence, fmt.Sprintf("the server gave %s for %s", examined.Act, act), "ask who runs the server"}
	}
	b, err := envelope.ParseBundle(data)
	return data, b.Payload, err
}

// decideRemote approves or denies a request that a server has. Nothing of the server's is
// signed: the request's envelope is verified here, and the statement is made from it.
func (a *acting) decideRemote(s service.Service, name string, yes bool, d rollout.Decision) error {
	kind, id, act, err := a.askedRemote(s, name, yes)
	if err != nil {
		return err
	}
	if digest, err := evidence.ParseDigest(name); err == nil && digest != act {
		return failure{exitEvidence, fmt.Sprintf("the server gave %s for %s", act, digest), "ask who runs the server"}
	}
	bundle, _, err := a.verifiedRemote(s, act)
	if err != nil {
		return err
	}
	h, err := a.head(nil, a.now())
	if err != nil {
		return err
	}
	b, err := rollout.DecideAlone(h, bundle, yes, d, a.signer, func([]byte) error { return nil })
	if err != nil {
		return badStore(badInput(err))
	}
	word := "approved"
	if !yes {
		word = "denied"
	}
	return a.submitRemote(s, kind, b, nil, fmt.Sprintf("%s: %s (%s)", word, archive.Printable(id), act))
}

// askedRemote finds what a server asks approvers about: a request, or an execution that
// broke glass.
func (a *acting) askedRemote(s service.Service, name string, yes bool) (kind service.Kind, id string, act evidence.Digest, err error) {
	show, err := s.Request(a.ctx.Context, name)
	if err == nil {
		if yes {
			return service.KindApproval, show.Request.ID, show.Request.Act, nil
		}
		return service.KindDenial, show.Request.ID, show.Request.Act, nil
	}
	digits := strings.TrimPrefix(name, "sha256:")
	if yes && len(digits) >= evidence.MinPrefix {
		// Only by its digest: a server does not turn the id of a request into this.
		if e, other := s.Execution(a.ctx.Context, digits); other == nil && e.BreakGlass && strings.HasPrefix(e.Record.Act.Hex(), digits) {
			return service.KindClosing, "the emergency " + e.Incident, e.Record.Act, nil
		}
	}
	return "", "", evidence.Digest{}, badStore(err)
}

// submitRemote sends what was signed here.
func (a *acting) submitRemote(s service.Service, kind service.Kind, b envelope.Bundle, files []service.File, what string) error {
	data, err := b.Marshal()
	if err != nil {
		return err
	}
	examined, err := a.Intake().Examine(data)
	if err != nil {
		return badStore(err)
	}
	if err := a.MaySign(examined); err != nil {
		return badStore(err)
	}
	if out := a.ctx.String("out"); out != "" && a.ctx.IsSet("out") {
		if err := os.WriteFile(out, data, 0o644); err != nil {
			return err
		}
	}
	doc, err := s.Submit(a.ctx.Context, kind, service.Submission{Envelope: data, Files: files})
	if err != nil {
		return badStore(err)
	}
	return a.showActDocument(doc, what)
}

// revokeRemote takes back an approval that a server has.
func (a *acting) revokeRemote(s service.Service, name string) error {
	doc, err := s.Record(a.ctx.Context, name)
	if err != nil {
		return badStore(err)
	}
	_, decision, err := a.verifiedRemote(s, doc.Record.Act)
	if err != nil {
		return err
	}
	reason := a.ctx.String("reason")
	draft, h, err := a.drafted(s, service.Ask{Kind: service.KindRevocation, Approval: doc.Record.Act.String(), Reason: reason})
	if err != nil {
		return err
	}
	if err := rollout.CheckDraftedRevocation(draft.Payload, decision, h, reason, a.now()); err != nil {
		return badStore(err)
	}
	return a.signDraft(s, draft, "revoked "+doc.Record.Act.String())
}

// drafted asks a server for a draft in the name of this command's signer.
func (a *acting) drafted(s service.Service, ask service.Ask) (service.Draft, rollout.Head, error) {
	h, err := a.head(nil, a.now())
	if err != nil {
		return service.Draft{}, h, err
	}
	ask.KeyID = h.Actor.KeyID
	draft, err := s.Draft(a.ctx.Context, ask)
	return draft, h, badStore(err)
}

func (a *acting) signDraft(s service.Service, draft service.Draft, what string) error {
	b, err := envelope.Sign(a.signer, evidence.PayloadType, draft.Payload)
	if err != nil {
		return err
	}
	return a.submitRemote(s, draft.Kind, b, draft.Files, what)
}

// executeRemote executes a request that a server has. The draft is compared with the
// request and its approvals, each verified here.
func (a *acting) executeRemote(s service.Service, name string) error {
	if a.ctx.Bool("check") {
		return usagef("rollproof approval show --server says what it waits for", "--check does not go with --server")
	}
	if a.ctx.IsSet("vsa") {
		return usagef("rollproof release verify-promotion --vsa writes it where the store lies", "--vsa does not go with --server")
	}
	show, err := s.Request(a.ctx.Context, name)
	if err != nil {
		return badStore(err)
	}
	_, request, err := a.verifiedRemote(s, show.Request.Act)
	if err != nil {
		return err
	}
	incident := a.ctx.String("break-glass")
	draft, h, err := a.drafted(s, service.Ask{Kind: service.KindExecution, Request: show.Request.Act.String(), Incident: incident})
	if err != nil {
		return err
	}
	approvals, err := a.approvalsIn(s, draft.Payload, show.Request.Act)
	if err != nil {
		return err
	}
	if err := rollout.CheckDraftedExecution(draft.Payload, request, h, approvals, incident, a.now()); err != nil {
		return badStore(err)
	}
	return a.signDraft(s, draft, fmt.Sprintf("executed: %s is in ring %s", archive.Printable(show.Request.Version), archive.Printable(show.Request.TargetRing)))
}

// approvalsIn verifies the approvals that an execution names: each by an approver, of
// this request, and no person twice.
func (a *acting) approvalsIn(s service.Service, draft []byte, request evidence.Digest) ([]evidence.Digest, error) {
	x, err := evidence.DecodeStatement[rollout.PromotionExecution](draft, rollout.PromotionExecutionType)
	if err != nil {
		return nil, failure{exitEvidence, "the draft is no execution: " + err.Error(), "ask who runs the server"}
	}
	var persons []string
	for _, act := range x.Predicate.Approvals {
		_, payload, err := a.verifiedRemote(s, act)
		if err != nil {
			return nil, err
		}
		approval, err := evidence.DecodeStatement[rollout.Approval](payload, rollout.ApprovalType)
		if err != nil || approval.Predicate.Request != request.String() || slices.Contains(persons, approval.Predicate.Actor.Person) {
			return nil, failure{exitEvidence, fmt.Sprintf("the draft stands on %s, which is no further person's approval of this request", act), "ask who runs the server"}
		}
		persons = append(persons, approval.Predicate.Actor.Person)
	}
	return x.Predicate.Approvals, nil
}
