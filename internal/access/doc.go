// Package access says who may ask a service what.
//
// A caller shows one of three credentials: a bearer token, an identity token of the
// company's OIDC issuer, or the cookie of a session that one of these began. It leads
// to a [Caller] with scopes: read, ingest (which records evidence) and operate (which
// drafts and submits acts of rollouts). No scope lets anybody sign: acts count by their
// signatures.
//
// A token is an act. The statement of predicate type token/v1, signed by the role
// policy and recorded in the evidence log, has the sha256 of its secret; the statement
// of type token-revocation/v1 ends it. There is no other table: [Tokens] replays the
// log, verifies each envelope and asks the trust root for the role of its signer, so
// that a row which somebody wrote into the database is no token. Entries of the log are
// compared with its Merkle tree on the way, so that a revocation cannot be hidden by
// changing what a row says it is. The text of a token is
//
//	rpt_k3v7q2m5xa_7zq3b4…   (the id, and 52 characters of base32 for 32 random bytes)
//
// and exists once, where it was made.
//
// What each route demands stands in one [Table], which the API and the console share: a
// route that is not in it is refused.
package access

import (
	"context"
	"slices"
)

// A Scope is something that a caller may do.
type Scope string

// The scopes, in the order in which they are listed.
const (
	Read    Scope = "read"    // see evidence
	Ingest  Scope = "ingest"  // record evidence
	Operate Scope = "operate" // draft and submit acts
)

// Scopes are all of them.
var Scopes = []Scope{Read, Ingest, Operate}

// How a caller showed who he is.
const (
	ViaPublic  = "public" // not at all
	ViaToken   = "token"
	ViaOIDC    = "oidc"
	ViaSession = "session"
)

// A Caller is who asks.
type Caller struct {
	Credential string   // id of the token, or issuer and subject; "" for an anonymous caller
	Owner      string   // a person of the trust root, or the name of a machine
	Machine    bool     // the owner is no person
	Scopes     []Scope  // in order
	Projects   []string // what he is limited to; none for every project
	Via        string
	Session    *Session // of a caller with a cookie
}

// May reports whether a caller has a scope.
func (c Caller) May(s Scope) bool { return slices.Contains(c.Scopes, s) }

// Anonymous reports whether nobody knows who asks.
func (c Caller) Anonymous() bool { return c.Credential == "" }

type callerKey struct{}

// WithCaller returns a context that says who asks.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who asks: nobody, where the context does not say.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
