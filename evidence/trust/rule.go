package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// root is the authority of one version of a chain at one moment.
type root struct {
	chain  *Chain
	doc    Document
	now    time.Time
	opts   Options
	keys   map[string]Key
	public map[string]envelope.PublicKey
	roles  map[string]Role
	grants map[string][]Grant // by keyid, or by the name of an identity
	people map[string]Person
}

func newAuthority(c *Chain, doc Document, now time.Time, o Options) *root {
	r := &root{
		chain: c, doc: doc, now: now, opts: o,
		keys: map[string]Key{}, public: map[string]envelope.PublicKey{}, roles: map[string]Role{},
		grants: map[string][]Grant{}, people: map[string]Person{},
	}
	for _, p := range r.doc.People {
		r.people[p.ID] = p
	}
	for _, k := range r.doc.Keys {
		if public, err := k.public(); err == nil { // it was parsed when the document was read
			r.keys[k.KeyID], r.public[k.KeyID] = k, public
		}
	}
	for _, g := range r.doc.Grants {
		name := g.KeyID
		if g.Identity != nil {
			name = identityName(*g.Identity)
		}
		r.grants[name], r.roles[name] = append(r.grants[name], g), g.Role
	}
	return r
}

// identityName cannot be a keyid: it holds a space.
func identityName(id Identity) string { return id.Subject + " " + id.Issuer }

func (r *root) Key(keyid string) (envelope.PublicKey, bool) {
	k, ok := r.public[keyid]
	return k, ok
}

func (r *root) Threshold(role Role) int { return r.doc.Threshold(role) }

// Rule judges in this order: is the signer listed, does its role fit, does its
// scope, does its age.
func (r *root) Rule(u Use) Ruling {
	if u.KeyID == "" {
		return r.ruleIdentity(u)
	}
	k, ok := r.keys[u.KeyID]
	if !ok {
		return r.unlisted(u)
	}
	ruling := Ruling{Signer: r.signer(u.KeyID)}
	if ruling = r.fit(u, u.KeyID, ruling); ruling.Outcome != Granted {
		return ruling
	}
	ruling.Outcome = Denied // until its age is judged too
	return r.judgeAge(u, k, ruling)
}

// signer is who has a listed key, and its role.
func (r *root) signer(keyid string) Signer {
	p := r.people[r.keys[keyid].Person]
	return Signer{keyid, p.ID, p.Name, r.roles[keyid]}
}

// fit rules on role and scope alone. name is the keyid, or the name of an identity.
func (r *root) fit(u Use, name string, ruling Ruling) Ruling {
	if reason := misfit(u, ruling.Signer, r.grants[name]); reason != "" {
		ruling.Reason = fmt.Sprintf("%s (%s) %s", signerName(u), ruling.Signer.Person, reason)
		ruling.Hint = "who may sign what stands in the trust root: rollproof trust show"
		return ruling
	}
	ruling.Outcome = Granted
	return ruling
}

func (r *root) unlisted(u Use) Ruling {
	ruling := Ruling{
		Signer: Signer{KeyID: u.KeyID},
		Reason: fmt.Sprintf("signed by %s, which trust version %d does not list", u.KeyID, r.doc.Version),
		Hint:   "if it should be trusted, the root's owners add it: rollproof trust edit --add-key FILE",
	}
	for n := r.doc.Version - 1; n > 0; n-- {
		if k, ok := r.chain.dir.at(n).doc.key(u.KeyID); ok {
			ruling.Reason += fmt.Sprintf("; version %d listed it as a key of %s", n, k.Person)
			ruling.Hint = "a key that was destroyed and never compromised is retired rather than removed: rollproof trust retire"
			break
		}
	}
	return ruling
}

// misfit says why the role or the scope of a signer does not fit, naming both sides.
func misfit(u Use, s Signer, grants []Grant) string {
	if _, err := roleFor(u, s.Role); err != nil {
		return wrongRole(u, s.Role, err)
	}
	if slices.ContainsFunc(grants, func(g Grant) bool { return g.covers(u) }) {
		return ""
	}
	var granted []string
	for _, g := range grants {
		granted = append(granted, g.scopeWords())
	}
	return fmt.Sprintf("is %s of %s, not of %s", indefinite(s.Role), strings.Join(granted, ", or of "), u.scopeWords(s.Role))
}

func wrongRole(u Use, has Role, err error) string {
	want := RolesFor(u.PredicateType)
	if u.Role != "" {
		want = []Role{u.Role}
	}
	if len(want) == 0 || slices.Contains(want, has) {
		return "cannot sign this: " + err.Error()
	}
	reason := fmt.Sprintf("is %s, not %s", indefinite(has), oneOf(want))
	if u.Project != "" {
		reason += " of project " + u.Project
	}
	if u.PredicateType != "" {
		reason += ": predicate type " + u.PredicateType
	}
	return reason
}

// scopeWords names what a grant reaches: "project age, environment production".
func (g Grant) scopeWords() string {
	var words []string
	for _, dim := range dimensions {
		if !slices.Contains(dim.roles, g.Role) {
			continue
		}
		switch list := dim.of(g); {
		case len(list) == 0:
			words = append(words, "no "+dim.name)
		case list[0] == everything:
			words = append(words, "any "+dim.name)
		default:
			words = append(words, dim.name+" "+strings.Join(list, " or "))
		}
	}
	if g.Role == Attest {
		words = append(words, "predicate type "+strings.Join(g.PredicateTypes, " or "))
	}
	return strings.Join(words, ", ")
}

func (u Use) scopeWords(role Role) string {
	var words []string
	for _, dim := range dimensions {
		if !slices.Contains(dim.roles, role) {
			continue
		}
		if asked := dim.asked(u); asked != "" {
			words = append(words, fmt.Sprintf("%s %s", dim.name, asked))
		} else {
			words = append(words, "every "+dim.name)
		}
	}
	if role == Attest {
		words = append(words, "predicate type "+u.PredicateType)
	}
	return strings.Join(words, ", ")
}

// ruleIdentity judges a keyless identity. Its signature's time was proved by the
// certificate's log or timestamp, so that it has no window here.
func (r *root) ruleIdentity(u Use) Ruling {
	entry, ok := r.doc.identity(u.Identity)
	if !ok {
		return Ruling{
			Reason: fmt.Sprintf("signed by %s, whom trust version %d does not list", signerName(u), r.doc.Version),
			Hint:   "if it should be trusted, the root's owners add the identity: rollproof trust edit",
		}
	}
	name := identityName(u.Identity)
	p := r.people[entry.Person]
	ruling := Ruling{Signer: Signer{Person: p.ID, Name: p.Name, Role: r.roles[name]}}
	if u.Signing {
		ruling.Reason, ruling.Hint = signerName(u)+" has no key that could sign here", "sign with a key"
		return ruling
	}
	return r.fit(u, name, ruling)
}

// Facts says what the rulings stand on.
func (r *root) Facts() Facts {
	f := Facts{
		Mode:    "root",
		Pin:     r.chain.pin,
		Version: r.doc.Version,
		Digest:  r.chain.dir.at(r.doc.Version).digest,
		Issued:  r.doc.Issued,
		Expires: r.doc.Expires,
		Age:     r.now.Sub(r.doc.Issued),
		Current: Granted,
	}
	switch {
	case r.now.Add(skew).Before(r.doc.Issued):
		f.Current = Unproved
		f.CurrentReason = fmt.Sprintf("trust version %d is issued %s, and the clock says %s", f.Version, stamp(f.Issued), stamp(r.now))
		f.CurrentHint = "set the clock of this machine"
	case !r.now.Before(r.doc.Expires) && r.opts.AllowExpired:
		f.Notes = append(f.Notes, fmt.Sprintf("trust version %d expired %s, and expired trust was allowed", f.Version, stamp(f.Expires)))
	case !r.now.Before(r.doc.Expires):
		f.Current = Unproved
		f.CurrentReason = fmt.Sprintf("trust version %d expired %s", f.Version, stamp(f.Expires))
		f.CurrentHint = "get the newest trust directory from the root's owners"
	}
	if r.opts.AllowUnprovedTime {
		f.Notes = append(f.Notes, "signatures by keys past their last day were allowed without a proof of time")
	}
	return f
}
