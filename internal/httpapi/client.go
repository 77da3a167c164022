package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/rollout"
)

// A Client is a service that another machine presents. What it answers is that machine's
// word: whoever signs something looks at the evidence itself, under his own trust root.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

var _ service.Service = (*Client)(nil)

// MaxAnswer is the size in bytes of the largest document that a client reads.
const MaxAnswer = 64 << 20

// NewClient returns a client of the server at a URL, such as
// https://evidence.example.com, with a token ("" for none). A token is sent over TLS, or
// to this machine itself, and never anywhere else: redirects are not followed.
func NewClient(server, token string, transport http.RoundTripper) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, &service.Failure{Code: service.CodeUsage, Message: fmt.Sprintf("%q is no URL of a server", archive.Printable(server)), Hint: "for example https://evidence.example.com"}
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, &service.Failure{Code: service.CodeUsage, Message: "the server is reached without TLS", Hint: "give its https:// URL: a token would travel in the clear"}
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &Client{base, token, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ask sends a request and returns an answer that is a success.
func (c *Client) ask(ctx context.Context, method, at string, query url.Values, body any, headers ...string) (*http.Response, error) {
	var from io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		from = bytes.NewReader(data)
	}
	target := c.base.String() + at
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, from)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.base, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	return nil, answered(res)
}

func unreachable(base *url.URL, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hint := "check --server, and whether it runs"
	var unknown x509.UnknownAuthorityError
	var ended *net.OpError
	switch {
	case errors.As(err, &unknown):
		hint = "name the certificate of its authority in ROLLPROOF_SERVER_CA"
	case errors.As(err, &ended) && ended.Op == "remote error": // an alert of TLS
		hint = "name a client's certificate in ROLLPROOF_CLIENT_CERT and ROLLPROOF_CLIENT_KEY, if it wants one"
	}
	return &service.Failure{Code: service.CodeFailed, Message: fmt.Sprintf("%s cannot be reached: %v", base.Host, err), Hint: hint}
}

// answered is the failure that a problem tells. Its code is the server's word, and says
// no more than why it did not do it.
func answered(res *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	var p Problem
	if err != nil || json.Unmarshal(data, &p) != nil || p.Code < 1 || p.Code > 6 || p.Detail == "" {
		return &service.Failure{Code: service.CodeFailed, Message: "the server answered " + archive.Printable(res.Status), Hint: "is it rollproof serve?", Missing: res.StatusCode == http.StatusNotFound}
	}
	f := &service.Failure{Code: p.Code, Message: archive.Printable(p.Detail), Hint: archive.Printable(p.Hint), Missing: res.StatusCode == http.StatusNotFound}
	if res.StatusCode == http.StatusUnauthorized {
		f.Hint = "ROLLPROOF_TOKEN, or the file token in the user's configuration, holds a token that counts"
	}
	return f
}

// document reads an answer that is a document.
func document[T any](ctx context.Context, c *Client, method, at string, query url.Values, body any) (T, error) {
	var doc T
	res, err := c.ask(ctx, method, at, query, body)
	if err != nil {
		return doc, err
	}
	data, err := read(res)
	if err != nil {
		return doc, err
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, &service.Failure{Code: service.CodeFailed, Message: "the server's answer cannot be read: " + err.Error(), Hint: "is it of this version?"}
	}
	return doc, nil
}

func read(res *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	if len(data) > MaxAnswer {
		return nil, &service.Failure{Code: service.CodeFailed, Message: fmt.Sprintf("the server's answer has more than %d bytes", MaxAnswer)}
	}
	return data, nil
}

func get[T any](ctx context.Context, c *Client, at string, query url.Values) (T, error) {
	return document[T](ctx, c, http.MethodGet, prefix+at, query, nil)
}

func (c *Client) bytes(ctx context.Context, at string) ([]byte, error) {
	res, err := c.ask(ctx, http.MethodGet, prefix+at, nil, nil)
	if err != nil {
		return nil, err
	}
	return read(res)
}

// element is a name as one element of a path.
func element(name string) string { return "/" + url.PathEscape(name) }

// query is a search as the API has it.
func query(q evidence.Query) url.Values {
	v := url.Values{}
	for name, list := range map[string][]string{
		"project": q.Projects, "version": q.Versions, "digest": q.Digests, "signer": q.Signers, "person": q.Persons, "change-record": q.ChangeRecords,
		"environment": q.Environments, "ring": q.Rings, "target-ring": q.TargetRings, "rollout-status": q.RolloutStatuses, "approval-state": q.ApprovalStates,
		"promotion-execution-status": q.PromotionResults, "rollback-execution-status": q.RollbackResults, "deployment-target": q.DeploymentTargets, "rollout-id": q.Rollouts,
	} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	for _, k := range q.Kinds {
		v.Add("metadata-kind", string(k))
	}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, text := range map[string]string{"text": q.Text, "order": string(q.Order), "cursor": q.Cursor} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Illegal {
		v.Set("illegal", "true")
	}
	return v
}

func (c *Client) Search(ctx context.Context, q evidence.Query) (evidence.SearchDocument, error) {
	return get[evidence.SearchDocument](ctx, c, "/evidence", query(q))
}

func (c *Client) Record(ctx context.Context, id string) (evidence.RecordDocument, error) {
	return get[evidence.RecordDocument](ctx, c, "/evidence"+element(id), nil)
}

func (c *Client) Envelope(ctx context.Context, id string) ([]byte, error) {
	return c.bytes(ctx, "/evidence"+element(id)+"/envelope")
}

func (c *Client) Lineage(ctx context.Context, id string) (evidence.Lineage, error) {
	return get[evidence.Lineage](ctx, c, "/evidence"+element(id)+"/lineage", nil)
}

func (c *Client) Verify(ctx context.Context, id string) (evidence.VerifyDocument, error) {
	return get[evidence.VerifyDocument](ctx, c, "/evidence"+element(id)+"/verification", nil)
}

func (c *Client) Artifacts(ctx context.Context, id string) (service.Artifacts, error) {
	return get[service.Artifacts](ctx, c, "/evidence"+element(id)+"/artifacts", nil)
}

func (c *Client) OpenArtifact(ctx context.Context, id, name string) (*service.Content, error) {
	return c.content(ctx, "/evidence"+element(id)+"/artifacts"+element(name), path.Base(name))
}

func (c *Client) OpenBundle(ctx context.Context, id string) (*service.Content, error) {
	return c.content(ctx, "/evidence"+element(id)+"/artifact-bundle", "bundle.zip")
}

// content copies a file and holds it to the digest that the server gave for it.
func (c *Client) content(ctx context.Context, at, name string) (*service.Content, error) {
	res, err := c.ask(ctx, http.MethodGet, prefix+at, nil, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	digest, err := evidence.ParseDigest(strings.Trim(res.Header.Get("Etag"), `"`))
	if err != nil || res.ContentLength < 0 {
		return nil, &service.Failure{Code: service.CodeFailed, Message: "the server does not say what it sends", Hint: "is it rollproof serve?"}
	}
	return service.Spool(ctx, res.Body, evidence.Blob{Digest: digest, Size: res.ContentLength}, name, res.Header.Get("Content-Type"))
}

func (c *Client) Release(ctx context.Context, id string) (service.Release, error) {
	return get[service.Release](ctx, c, "/releases"+element(id), nil)
}

func (c *Client) Log(ctx context.Context) (checkpoint.Document, error) {
	return get[checkpoint.Document](ctx, c, "/log", nil)
}

func (c *Client) Prove(ctx context.Context, id string) (checkpoint.ProofDocument, error) {
	return get[checkpoint.ProofDocument](ctx, c, "/evidence"+element(id)+"/proof", nil)
}

func (c *Client) Tile(ctx context.Context, path string) ([]byte, error) {
	return c.bytes(ctx, "/log/"+path)
}

func (c *Client) Len(ctx context.Context) (int64, error) {
	doc, err := c.Log(ctx)
	return doc.Records, err
}

// Wait asks again every two seconds: a stream would be one connection for each who
// waits.
func (c *Client) Wait(ctx context.Context, n int64) (int64, error) {
	for {
		size, err := c.Len(ctx)
		if err != nil || size > n {
			return size, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

func of(project string) url.Values {
	if project == "" {
		return nil
	}
	return url.Values{"project": {project}}
}

func (c *Client) Projects(ctx context.Context) ([]string, error) {
	doc, err := get[projects](ctx, c, "/projects", nil)
	return doc.Projects, err
}

func (c *Client) Rings(ctx context.Context, project string) (rollout.Rings, error) {
	return get[rollout.Rings](ctx, c, "/rings", of(project))
}

func (c *Client) Diff(ctx context.Context, project, a, b string) (rollout.Diff, error) {
	v := url.Values{"a": {a}, "b": {b}}
	if project != "" {
		v.Set("project", project)
	}
	return get[rollout.Diff](ctx, c, "/rings/difference", v)
}

func (c *Client) History(ctx context.Context, project, environment, ring, target string) (rollout.History, error) {
	v := url.Values{}
	for name, value := range map[string]string{"project": project, "environment": environment, "ring": ring} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return get[rollout.History](ctx, c, "/targets"+element(target)+"/history", v)
}

func (c *Client) Rollouts(ctx context.Context, project string) (service.RolloutList, error) {
	return get[service.RolloutList](ctx, c, "/rollouts", of(project))
}

func (c *Client) Rollout(ctx context.Context, id string) (service.RolloutView, error) {
	return get[service.RolloutView](ctx, c, "/rollouts"+element(id), nil)
}

func (c *Client) Requests(ctx context.Context, project string) (rollout.ApprovalList, error) {
	return get[rollout.ApprovalList](ctx, c, "/promotion-requests", of(project))
}

func (c *Client) Request(ctx context.Context, name string) (rollout.ApprovalShow, error) {
	return get[rollout.ApprovalShow](ctx, c, "/promotion-requests"+element(name), nil)
}

func (c *Client) Executions(ctx context.Context, project string) (service.ExecutionList, error) {
	return get[service.ExecutionList](ctx, c, "/promotion-executions", of(project))
}

func (c *Client) Execution(ctx context.Context, id string) (service.Execution, error) {
	return get[service.Execution](ctx, c, "/promotion-executions"+element(id), nil)
}

// Draft returns the server's word for what shall be signed: whoever signs it compares it
// with what he asked for.
func (c *Client) Draft(ctx context.Context, ask service.Ask) (service.Draft, error) {
	for _, p := range pairs {
		if p.kind == ask.Kind {
			return document[service.Draft](ctx, c, http.MethodPost, prefix+strings.Replace(p.drafts, "/{id}", element(cmp.Or(ask.Request, ask.Execution)), 1), nil, ask)
		}
	}
	return service.Draft{}, &service.Failure{Code: service.CodeUsage, Message: "there is no draft of kind " + archive.Printable(string(ask.Kind))}
}

// Submit sends a signed act below the request or execution that it is about, where its
// kind says so.
func (c *Client) Submit(ctx context.Context, kind service.Kind, s service.Submission) (evidence.ActDocument, error) {
	for _, p := range pairs {
		if p.kind != kind {
			continue
		}
		at := p.submissions
		if names(at) {
			about, err := subjectOf(s.Envelope)
			if err != nil {
				return evidence.ActDocument{}, err
			}
			at = strings.Replace(at, "/{id}", element(about.Hex()), 1)
		}
		return document[evidence.ActDocument](ctx, c, http.MethodPost, prefix+at, nil, s)
	}
	return evidence.ActDocument{}, &service.Failure{Code: service.CodeUsage, Message: "there is no act of kind " + archive.Printable(string(kind))}
}

func (c *Client) AddEvidence(ctx context.Context, envelope []byte) (evidence.AddDocument, error) {
	return document[evidence.AddDocument](ctx, c, http.MethodPost, prefix+"/evidence", nil, map[string][]byte{"envelope": envelope})
}

// Ready asks the server whether it is.
func (c *Client) Ready(ctx context.Context) error {
	res, err := c.ask(ctx, http.MethodGet, "/readyz", nil, nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
