package trust

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// judgeAge judges a signature whose role and scope fit by the life of its key
// (DESIGN, Time): an active key is judged at now, a retired one is believed, one
// past its last day needs a proof of time, a compromised one needs to be shown
// older than the compromise.
func (r *root) judgeAge(u Use, k Key, ruling Ruling) Ruling {
	if err := k.active(r.now); err == nil || u.Signing {
		return settle(ruling, err)
	}
	switch {
	case k.Revoked != nil && k.Revoked.Reason == Compromised:
		return r.judgeCompromised(u, k, ruling)
	case k.Revoked != nil:
		ruling.Outcome = Granted
		ruling.Notes = append(ruling.Notes, fmt.Sprintf("%s is retired since %s: the root says that it was destroyed and never compromised", k.KeyID, day(k.Revoked.At)))
		return ruling
	case k.expired(r.now):
		return r.judgeExpired(u, k, ruling)
	}
	return settle(ruling, k.active(r.now)) // not valid yet
}

func settle(ruling Ruling, err error) Ruling {
	if err != nil {
		ruling.Reason, ruling.Hint = err.Error(), "sign with a current key"
		return ruling
	}
	ruling.Outcome = Granted
	return ruling
}

func (r *root) judgeCompromised(u Use, k Key, ruling Ruling) Ruling {
	if reason := r.keptBy(u, k); reason != "" {
		ruling.Outcome = Granted
		ruling.Notes = append(ruling.Notes, fmt.Sprintf("%s is revoked as compromised since %s; %s", k.KeyID, day(k.Revoked.At), reason))
		return ruling
	}
	best, rejected := r.oldest(u, k)
	if best != nil && best.Time.Before(k.Revoked.At) {
		ruling.Notes = append(ruling.Notes, fmt.Sprintf("%s is revoked as compromised since %s; %s", k.KeyID, day(k.Revoked.At), best.words()))
		if k.expired(best.Time) {
			return r.withoutProof(k, ruling, nil)
		}
		ruling.Outcome = Granted
		return ruling
	}
	if best != nil {
		rejected = append(rejected, best.words()+", which is not before "+stamp(k.Revoked.At))
	}
	ruling.Reason = strings.Join(append([]string{fmt.Sprintf("signed by %s (%s), revoked as compromised since %s, and not shown to be older", k.KeyID, k.Person, stamp(k.Revoked.At))}, rejected...), "; ")
	ruling.Hint = "sign again with a current key; if the signature is older, bring a proof of time, or have it kept: rollproof trust revoke --keep"
	return ruling
}

// keptBy says which word of the root itself covers the signature.
func (r *root) keptBy(u Use, k Key) string {
	if u.Statement != [32]byte{} && slices.Contains(k.Revoked.Keep, formatDigest(u.Statement)) {
		return "the root keeps this statement"
	}
	for _, p := range u.SignatureProofs {
		if p.Kind != ProofInclusion || !p.about(u) {
			continue
		}
		for _, t := range k.Revoked.Trees {
			if t.equal(p.Tree) {
				return fmt.Sprintf("it is included in the tree of size %d of %s that the root pins", t.Size, t.Origin)
			}
		}
	}
	return ""
}

func (r *root) judgeExpired(u Use, k Key, ruling Ruling) Ruling {
	best, rejected := r.oldest(u, k)
	if best != nil && !k.expired(best.Time) {
		ruling.Outcome = Granted
		ruling.Notes = append(ruling.Notes, fmt.Sprintf("%s is not valid after %s; %s", k.KeyID, stamp(k.NotAfter), best.words()))
		return ruling
	}
	if best != nil {
		rejected = append(rejected, best.words())
	}
	return r.withoutProof(k, ruling, rejected)
}

// withoutProof is the ruling on a key past its last day that nobody retired.
func (r *root) withoutProof(k Key, ruling Ruling, rejected []string) Ruling {
	reason := strings.Join(append([]string{fmt.Sprintf("%s (%s) is not valid after %s, and nothing proves the signature older", k.KeyID, k.Person, stamp(k.NotAfter))}, rejected...), "; ")
	if r.opts.AllowUnprovedTime {
		ruling.Outcome = Granted
		ruling.Notes = append(ruling.Notes, reason+"; this was allowed")
		return ruling
	}
	ruling.Outcome, ruling.Reason = Unproved, reason
	ruling.Hint = "if the key was destroyed and never compromised, the root's owners say so: rollproof trust retire --key-id " + k.KeyID
	return ruling
}

// oldest returns the proof of the earliest time among those that count, and why the
// others do not.
func (r *root) oldest(u Use, k Key) (best *Proof, rejected []string) {
	for _, p := range u.SignatureProofs {
		if p.Kind == ProofInclusion {
			rejected = append(rejected, fmt.Sprintf("the tree of size %d of %s is not one that the revocation pins", p.Tree.Size, p.Tree.Origin))
			continue
		}
		if err := r.checkProof(p, u, k); err != nil {
			rejected = append(rejected, err.Error())
			continue
		}
		if best == nil || p.Time.Before(best.Time) {
			best = &p
		}
	}
	return best, rejected
}

// proofRoles says who makes which proof.
var proofRoles = map[ProofKind]Role{ProofTimestamp: Timestamper, ProofCosignature: Witness}

// checkProof decides whether a proof of time counts: it is about this signature, by
// a key of the right role that nobody else may hold, and its owner neither keeps the
// log nor owns the key whose past is in question.
func (r *root) checkProof(p Proof, u Use, judged Key) error {
	maker, listed := r.keys[p.By]
	role := proofRoles[p.Kind]
	switch {
	case role == "":
		return fmt.Errorf("a proof of unknown kind %q", p.Kind)
	case !p.about(u):
		return fmt.Errorf("a %s over another signature", p.Kind)
	case !listed:
		return fmt.Errorf("a %s by %s, which trust version %d does not list", p.Kind, p.By, r.doc.Version)
	case r.roles[p.By] != role:
		return fmt.Errorf("a %s by %s (%s), which is %s, not %s", p.Kind, p.By, maker.Person, indefinite(r.roles[p.By]), indefinite(role))
	case p.Time.IsZero() || p.Time.After(r.now.Add(skew)):
		return fmt.Errorf("a %s by %s of %s, and the clock says %s", p.Kind, p.By, stamp(p.Time), stamp(r.now))
	case p.Time.Before(maker.NotBefore) || maker.expired(p.Time):
		return fmt.Errorf("a %s by %s of %s, when that key was not valid", p.Kind, p.By, stamp(p.Time))
	case maker.Person == judged.Person:
		return fmt.Errorf("a %s by %s, which belongs to %s as the signing key does", p.Kind, p.By, maker.Person)
	case r.keepsLog(maker.Person):
		return fmt.Errorf("a %s by %s, which belongs to %s, who keeps the log", p.Kind, p.By, maker.Person)
	}
	return trustworthy(maker, r.now)
}

// trustworthy reports whether nobody but its owner can have used a key up to now:
// a stolen key of a timestamper makes any past.
func trustworthy(maker Key, now time.Time) error {
	if maker.Revoked != nil && maker.Revoked.Reason == Retired {
		return nil
	}
	return maker.active(now)
}

func (r *root) keepsLog(person string) bool {
	for keyid, k := range r.keys {
		if k.Person == person && r.roles[keyid] == Log {
			return true
		}
	}
	return false
}

// about reports whether the proof is about the bundle that u names.
func (p Proof) about(u Use) bool { return p.Envelope == u.Envelope && u.Envelope != [32]byte{} }

func (p Proof) words() string {
	return fmt.Sprintf("a %s by %s over %s… shows that it existed %s", p.Kind, p.By, hex.EncodeToString(p.Envelope[:8]), stamp(p.Time))
}
