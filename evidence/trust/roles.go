package trust

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A Role is what a key is for. One key has one role.
type Role string

// The roles.
const (
	Root        Role = "root"        // trust versions
	Releaser    Role = "releaser"    // package, provenance, link
	Verifier    Role = "verifier"    // VSA, rebuild, smoke and scan results
	Operator    Role = "operator"    // rollout capture, status, execution, rollback
	Observer    Role = "observer"    // observations
	Requester   Role = "requester"   // promotion and rollback requests
	Approver    Role = "approver"    // approve, deny, revoke
	Policy      Role = "policy"      // rules, populations, hold, lift, erase, legal hold
	Breakglass  Role = "breakglass"  // emergency executions
	Log         Role = "log"         // checkpoints
	Witness     Role = "witness"     // cosignatures
	Timestamper Role = "timestamper" // RFC 3161 tokens
	Auditor     Role = "auditor"     // exports
	Attest      Role = "attest"      // foreign statements of the predicate types that its grant names
)

// roleOrder is the order in which roles are listed.
var roleOrder = []Role{
	Root, Releaser, Verifier, Operator, Observer, Requester, Approver, Policy,
	Breakglass, Log, Witness, Timestamper, Auditor, Attest,
}

// SchemaPrefix begins every predicate type and schema id of rollproof.
const SchemaPrefix = "https://github.com/rollproof/rollproof/schemas/"

// predicateRoles says who signs what. A predicate type that is not here is a
// foreign attestation; a standard one that rollproof signs too can be either, and a
// check that needs our own says so by its role.
var predicateRoles = map[string][]Role{
	SchemaPrefix + "release-evidence/v1":              {Releaser},
	SchemaPrefix + "rollout/v1":                       {Operator},
	SchemaPrefix + "rollout-status/v1":                {Operator},
	SchemaPrefix + "population/v1":                    {Policy},
	SchemaPrefix + "observation/v1":                   {Observer},
	SchemaPrefix + "promotion-request/v1":             {Requester},
	SchemaPrefix + "rollback-request/v1":              {Requester},
	SchemaPrefix + "approval/v1":                      {Approver},
	SchemaPrefix + "denial/v1":                        {Approver},
	SchemaPrefix + "approval-revocation/v1":           {Approver, Policy},
	SchemaPrefix + "promotion-execution/v1":           {Operator, Breakglass},
	SchemaPrefix + "rollback-execution/v1":            {Operator, Breakglass},
	SchemaPrefix + "policy/v1":                        {Policy},
	SchemaPrefix + "hold/v1":                          {Policy},
	SchemaPrefix + "lift/v1":                          {Policy},
	SchemaPrefix + "erase/v1":                         {Policy},
	SchemaPrefix + "legal-hold/v1":                    {Policy},
	SchemaPrefix + "legal-hold-lift/v1":               {Policy},
	SchemaPrefix + "token/v1":                         {Policy},
	SchemaPrefix + "token-revocation/v1":              {Policy},
	SchemaPrefix + "rebuild/v1":                       {Verifier},
	SchemaPrefix + "export/v1":                        {Auditor},
	"https://sigstore.dev/cosign/sign/v1":             {Releaser},
	"https://slsa.dev/provenance/v1":                  {Releaser, Attest},
	"https://in-toto.io/attestation/release/v0.1":     {Releaser, Attest},
	"https://in-toto.io/attestation/link/v0.3":        {Releaser},
	"https://slsa.dev/verification_summary/v1":        {Verifier, Attest},
	"https://in-toto.io/attestation/test-result/v0.1": {Verifier, Attest},
	"https://in-toto.io/attestation/vulns/v0.2":       {Verifier, Attest},
}

// RolesFor returns the roles that may sign a predicate type: [Attest] for a foreign
// one, none for one that begins like ours and is not known.
func RolesFor(predicateType string) []Role {
	if roles, ok := predicateRoles[predicateType]; ok {
		return slices.Clone(roles)
	}
	if predicateType == "" || looksOurs(predicateType) {
		return nil
	}
	return []Role{Attest}
}

// looksOurs reports whether a predicate type reads as one of ours once decoded and
// lower-cased, so that no spelling of ours passes as a foreign one.
func looksOurs(predicateType string) bool {
	for range 8 {
		decoded, err := url.PathUnescape(predicateType)
		if err != nil {
			return true
		}
		if decoded == predicateType {
			return strings.HasPrefix(strings.ToLower(decoded), SchemaPrefix)
		}
		predicateType = decoded
	}
	return true
}

// roleFor checks that a key of the given role may be used so, before any scope.
func roleFor(u Use, has Role) (Role, error) {
	if u.PredicateType != "" {
		want := RolesFor(u.PredicateType)
		if len(want) == 0 {
			return "", fmt.Errorf("predicate type %q is not known", u.PredicateType)
		}
		if !slices.Contains(want, has) {
			return "", fmt.Errorf("predicate type %s is signed by %s, not by %s", u.PredicateType, oneOf(want), indefinite(has))
		}
	}
	switch {
	case u.Role == "" && u.PredicateType == "":
		return "", fmt.Errorf("neither a role nor a predicate type is asked for")
	case u.Role != "" && u.Role != has:
		return "", fmt.Errorf("%s is asked for, not %s", indefinite(u.Role), indefinite(has))
	}
	return has, nil
}

// indefinite returns the role with its article.
func indefinite(r Role) string {
	switch r {
	case "":
		return "a key without a role"
	case Root, Policy, Breakglass, Log:
		return "a " + string(r) + " key"
	case Attest:
		return "an attest key"
	}
	if strings.ContainsRune("aeiou", rune(r[0])) {
		return "an " + string(r)
	}
	return "a " + string(r)
}

func oneOf(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = indefinite(r)
	}
	return strings.Join(words, " or ")
}
