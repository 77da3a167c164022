package access

import (
	"context"
	"fmt"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/rollout"
)

// An act is a token or a revocation that a record holds.
type act struct {
	digest, envelope evidence.Digest
	keyid, about     string // about is the predicate type
	listed           bool   // some trust version has the key, and the signature verified
	token            *Token
	revocation       *Revocation
	bad              error // why its statement can't be read
}

// concerns reports whether a record is for this package to judge.
func concerns(predicateType string) bool {
	return predicateType == TokenType || predicateType == RevocationType
}

// readAct takes an act from a record's envelope. The error is a
// [*rollout.TamperedError]: the row is not what was recorded.
func readAct(chain *trust.Chain, record evidence.Record) (act, error) {
	tampered := func(err error) (act, error) { return act{}, &rollout.TamperedError{Index: record.Index, Err: err} }
	if got := evidence.DigestOf(record.Envelope); got != record.ID {
		return tampered(fmt.Errorf("the envelope is %s, expected %s", got, record.ID))
	}
	b, err := envelope.ParseBundle(record.Envelope)
	if err != nil {
		if b, err = envelope.ParseDSSE(record.Envelope); err != nil {
			return tampered(err)
		}
	}
	a := act{digest: evidence.DigestOf(b.Payload), envelope: record.ID, keyid: b.KeyID, about: record.PredicateType}
	if key, ok := chain.Key(b.KeyID); ok {
		if err := b.Verify(key); err != nil {
			return tampered(err)
		}
		a.listed = true
	}
	a.read(b.Payload)
	return a, nil
}

func (a *act) read(payload []byte) {
	if a.about == TokenType {
		t, err := readToken(payload)
		a.token, a.bad = &t, err
		return
	}
	r, err := readRevocation(payload)
	a.revocation, a.bad = &r, err
}

// head is what every act says of its signer.
func (a *act) head() (rollout.Actor, rollout.TrustVersion, []string) {
	if a.token != nil {
		return a.token.Actor, a.token.Trust, a.token.Projects
	}
	return a.revocation.Actor, a.revocation.Trust, a.revocation.Projects
}

// issued are the tokens of a log's beginning. The zero value is that of an empty log.
type issued struct {
	known map[string]*Known
	order []string
	trust rollout.TrustVersion // the highest that acts name which count
}

// refuse says why an act does not count behind those before it, "" where it does. Role
// and scope are those of the trust version in force there: the highest that the acts
// before and the act itself name. No date of the store is asked, which whoever keeps
// the store could change.
func (s *issued) refuse(chain *trust.Chain, a act) string {
	if a.bad != nil {
		return a.bad.Error()
	}
	if !a.listed {
		return fmt.Sprintf("signed by %s, which no version of the trust root lists", a.keyid)
	}
	actor, version, projects := a.head()
	authority, err := s.inForce(chain, version)
	if err != nil {
		return err.Error()
	}
	use := trust.Use{KeyID: a.keyid, PredicateType: a.about, Project: oneOf(projects), Statement: a.digest, Envelope: a.envelope}
	if why := trust.Unfit(authority, use); why != "" {
		return why
	}
	if person := authority.Rule(use).Signer.Person; actor.KeyID != a.keyid || actor.Person != person {
		return fmt.Sprintf("it names %s (%s) as its signer, and %s (%s) signed it", actor.KeyID, actor.Person, a.keyid, person)
	}
	if a.token != nil {
		return s.refuseToken(authority, *a.token)
	}
	if k := s.known[a.revocation.ID]; k == nil || k.Act != a.revocation.Token || oneOf(k.Projects) != oneOf(projects) {
		return fmt.Sprintf("it names token %s by %s, which is no token of this log", a.revocation.ID, a.revocation.Token)
	}
	return ""
}

func (s *issued) inForce(chain *trust.Chain, named rollout.TrustVersion) (trust.Authority, error) {
	authority, err := chain.AtVersion(named.Version, named.Digest, chain.Newest().Issued)
	if err == nil && named.Version < s.trust.Version {
		return chain.AtVersion(s.trust.Version, s.trust.Digest, chain.Newest().Issued)
	}
	return authority, err
}

func (s *issued) refuseToken(authority trust.Authority, t Token) string {
	for _, id := range s.order {
		switch k := s.known[id]; {
		case k.problem != "":
		case k.ID == t.ID:
			return fmt.Sprintf("token %s is record %d already", t.ID, k.Index)
		case k.Secret == t.Secret:
			return fmt.Sprintf("token %s has the secret of token %s", t.ID, k.ID)
		}
	}
	if !t.Machine && !trust.HasPerson(authority, t.Owner) {
		return "the trust root has no person " + t.Owner
	}
	return ""
}

// apply takes an act, which why says to be illegal, at its index. An illegal token is
// listed until one of its id counts.
func (s *issued) apply(index int64, a act, why string) {
	if s.known == nil {
		s.known = map[string]*Known{}
	}
	if _, version, _ := a.head(); why == "" && version.Version > s.trust.Version {
		s.trust = version
	}
	switch {
	case a.token != nil && a.bad == nil:
		before := s.known[a.token.ID]
		if before != nil && (why != "" || before.problem == "") {
			return
		}
		if before == nil {
			s.order = append(s.order, a.token.ID)
		}
		s.known[a.token.ID] = &Known{Token: *a.token, Act: a.digest, Index: index, keyid: a.keyid, id: a.envelope, problem: why}
	case a.revocation != nil && why == "":
		if k := s.known[a.revocation.ID]; k.revoked == nil {
			k.revoked = &ended{by: fmt.Sprintf("by %s with %s", a.revocation.Actor.Person, a.digest)}
		}
	}
}

// lose takes note of bytes that are gone. Of a revocation nobody can say any more whose
// token it ended: every token before it ends.
func (s *issued) lose(record evidence.Record) {
	if record.PredicateType != RevocationType {
		return
	}
	for _, k := range s.known {
		if k.revoked == nil {
			k.revoked = &ended{by: fmt.Sprintf("by record %d, a revocation whose bytes were erased", record.Index)}
		}
	}
}

// take applies a record, as its envelope says it.
func (s *issued) take(ctx context.Context, r evidence.Reader, chain *trust.Chain, index int64) error {
	record, err := r.Record(ctx, index)
	if err != nil {
		return err
	}
	if record.Erased != nil {
		s.lose(record)
		return nil
	}
	a, err := readAct(chain, record)
	if err != nil {
		return err
	}
	s.apply(index, a, s.refuse(chain, a))
	return nil
}

// A Ledger judges tokens and revocations where they stand in a log. It keeps what it
// has seen, belongs to one store or transaction, and is for one goroutine.
type Ledger struct {
	Trust  *trust.Chain
	issued issued
	next   int64
}

var _ evidence.Judge = (*Ledger)(nil)

// Judge says why a token or a revocation does not count behind the records before its
// index. The error is a [*rollout.TamperedError], or the reader's.
func (l *Ledger) Judge(ctx context.Context, r evidence.Reader, record evidence.Record) (string, error) {
	if !concerns(record.PredicateType) {
		return "", nil
	}
	if err := l.replay(ctx, r, record.Index); err != nil {
		l.issued, l.next = issued{}, 0 // what was half read is read again
		return "", err
	}
	a, err := readAct(l.Trust, record)
	if err != nil {
		return "", err
	}
	return l.issued.refuse(l.Trust, a), nil
}

func (l *Ledger) replay(ctx context.Context, r evidence.Reader, before int64) error {
	if l.next > before {
		l.issued, l.next = issued{}, 0
	}
	for record, err := range r.Scan(ctx, evidence.Range{From: l.next, To: before}) {
		if err == nil && record.Index != l.next {
			err = &rollout.TamperedError{Index: l.next, Err: evidence.ErrNotFound}
		}
		if err == nil && concerns(record.PredicateType) {
			err = l.issued.take(ctx, r, l.Trust, record.Index)
		}
		if err != nil {
			return err
		}
		l.next++
	}
	if l.next < before {
		return &rollout.TamperedError{Index: l.next, Err: evidence.ErrNotFound}
	}
	return nil
}

// Ordered has nothing to say: tokens order no erasure.
func (l *Ledger) Ordered(context.Context, evidence.Reader, evidence.Record) (string, error) {
	return "", nil
}
