package access_test

import (
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

func TestTokenCountsFromItsRecordToItsEnd(t *testing.T) {
	h := newHouse(t)
	tokens := h.tokens()
	early := secret(t)
	_, err := tokens.Check(t.Context(), early.Text())
	refusedFor(t, err, "is in the log")

	g := h.all(access.Operate, access.Read)
	g.Projects, g.Expires = []string{"age"}, day.Add(time.Hour)
	s := h.token(g)
	c := must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	if c.Owner != "ada" || c.Machine || c.Credential != s.ID || !c.May(access.Read) || !c.May(access.Operate) || c.May(access.Ingest) || !slices.Equal(c.Projects, []string{"age"}) {
		t.Fatalf("caller %+v", c)
	}
	h.now = day.Add(time.Hour - time.Second)
	must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	h.now = day.Add(time.Hour)
	_, err = tokens.Check(t.Context(), s.Text())
	refusedFor(t, err, "is expired")
	h.now = day.Add(-time.Second)
	_, err = tokens.Check(t.Context(), s.Text())
	refusedFor(t, err, "is early")
}

func TestEveryChangedLetterOfATokenIsRefused(t *testing.T) {
	h := newHouse(t)
	text := h.token(h.all()).Text()
	tokens := h.tokens()
	for i := range text {
		for _, c := range []byte{'0', 'A', 'a', '7', 'Q', '_'} {
			if text[i] == c {
				continue
			}
			if _, err := tokens.Check(t.Context(), text[:i]+string(c)+text[i+1:]); err == nil {
				t.Errorf("letter %d may be %c", i, c)
			}
		}
	}
	for _, other := range []string{"", text + "=", text + " ", " " + text, strings.ToLower(text), strings.ToUpper(text), text[:len(text)-1]} {
		if other == text {
			continue
		}
		if _, err := tokens.Check(t.Context(), other); err == nil {
			t.Errorf("%q counts", other)
		}
	}
}

func TestSecretIsNotPrintedByAccident(t *testing.T) {
	s := secret(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, s.Text()[21:]) {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

func TestRevocationCountsAtOnce(t *testing.T) {
	h := newHouse(t)
	s, other := h.token(h.all()), h.token(h.all())
	tokens := h.tokens()
	must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	h.revoke(s, "operator", "ada") // has not the role
	must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	h.revoke(s, "policy-age", "owner") // has it, for another project
	must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	h.revoke(s, "policy", "grace")
	_, err := tokens.Check(t.Context(), s.Text())
	refusedFor(t, err, "revoked")
	_, err = tokens.Still(t.Context(), s.ID)
	refusedFor(t, err, "revoked")
	must[access.Caller](t)(tokens.Check(t.Context(), other.Text()))
}

// Rows that an administrator of the database makes, with the tree in order and the
// columns saying "grace, policy", open nothing without the policy role's signature.
func TestTokensThatNobodyWithTheRoleSigned(t *testing.T) {
	cases := map[string]func(h *house, s access.Secret) []byte{
		"stranger's key": func(h *house, s access.Secret) []byte {
			return h.made("stranger", h.head("stranger", "grace"), s, h.all())
		},
		"stranger's key, policy named": func(h *house, s access.Secret) []byte {
			return h.made("stranger", h.head("policy", "grace"), s, h.all())
		},
		"operator's key": func(h *house, s access.Secret) []byte {
			return h.made("operator", h.head("operator", "ada"), s, h.all())
		},
		"other actor": func(h *house, s access.Secret) []byte {
			return h.made("policy", h.head("policy", "ada"), s, h.all())
		},
		"policy of one project, token for all": func(h *house, s access.Secret) []byte {
			return h.made("policy-age", h.head("policy-age", "owner"), s, h.all())
		},
		"unknown person": func(h *house, s access.Secret) []byte {
			g := h.all()
			g.Owner = "eve"
			return h.made("policy", h.head("policy", "grace"), s, g)
		},
		"trust version of another root": func(h *house, s access.Secret) []byte {
			head := h.head("policy", "grace")
			head.Trust.Digest = "sha256:" + strings.Repeat("0", 64)
			return h.made("policy", head, s, h.all())
		},
	}
	for name, forge := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			good, s := h.token(h.all()), secret(t)
			h.put(forge(h, s))
			tokens := h.tokens()
			_, err := tokens.Check(t.Context(), s.Text())
			var refused *access.RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("error %v", err)
			}
			must[access.Caller](t)(tokens.Check(t.Context(), good.Text()))
		})
	}
}

func TestPolicyOfOneProjectMakesTokensForIt(t *testing.T) {
	h := newHouse(t)
	s, g := secret(t), h.all()
	g.Projects = []string{"age"}
	h.put(h.made("policy-age", h.head("policy-age", "owner"), s, g))
	must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
}

// administer runs SQL as somebody who holds the file, with the triggers away.
func (h *house) administer(statements ...string) {
	h.t.Helper()
	db := must[*sql.DB](h.t)(sql.Open("sqlite", h.file))
	defer db.Close()
	db.SetMaxOpenConns(1)
	rows := must[*sql.Rows](h.t)(db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
	var drop, restore []string
	for rows.Next() {
		var name, text string
		ok(h.t, rows.Scan(&name, &text))
		drop, restore = append(drop, "DROP TRIGGER "+name), append(restore, text)
	}
	ok(h.t, errors.Join(rows.Err(), rows.Close()))
	for _, s := range append(append(drop, statements...), restore...) {
		if _, err := db.Exec(s); err != nil {
			h.t.Fatalf("%s: %v", s, err)
		}
	}
}

// What somebody does by SQL to the tables ends access instead of widening it.
func TestRowsChangedBySQL(t *testing.T) {
	attacks := map[string]string{
		"revocation hidden by its type":                "UPDATE record SET predicate_type = 'https://in-toto.io/attestation/release/v0.1' WHERE idx = 2",
		"revocation hidden as unverified":              "UPDATE record SET kind = 'unverified' WHERE idx = 2",
		"envelope of one put to another":               "UPDATE envelope SET bytes = (SELECT bytes FROM envelope WHERE record = 1) WHERE record = 2",
		"revocation removed from the tail":             "DELETE FROM record WHERE idx = 2",
		"id of the envelope edited":                    "UPDATE record SET id = zeroblob(32) WHERE idx = 0",
		"envelope of the same statement by a stranger": "UPDATE envelope SET bytes = x'%x' WHERE record = 2",
		"act edited":                   "UPDATE record SET act = zeroblob(32) WHERE idx = 0",
		"revocation said to be erased": "INSERT INTO erasure (record, ordered_by) VALUES (2, 3)",
	}
	for name, statement := range attacks {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			s, good := h.token(h.all()), h.token(h.all())
			h.revoke(s, "policy", "grace")
			if name == "envelope of the same statement by a stranger" {
				r := must[evidence.Record](t)(h.store.Record(t.Context(), 2))
				b := must[envelope.Bundle](t)(envelope.ParseBundle(r.Envelope))
				b = must[envelope.Bundle](t)(envelope.Sign(storetest.NewSigner("stranger"), b.PayloadType, b.Payload))
				statement = fmt.Sprintf(statement, must[[]byte](t)(b.Marshal()))
			}
			live := h.tokens()
			must[access.Caller](t)(live.Check(t.Context(), good.Text()))
			h.administer(statement)
			for who, tokens := range map[string]*access.Tokens{"new": h.tokens(), "live": live} {
				if strings.Contains(name, "tail") != (who == "live") {
					continue // who has read the records believes what he read; who has not knows no longer log
				}
				if _, err := tokens.Check(t.Context(), s.Text()); err == nil {
					t.Errorf("%s: the revoked token counts again", who)
				}
				if _, err := tokens.Check(t.Context(), good.Text()); err == nil {
					t.Errorf("%s: tokens count in a log that was changed", who)
				}
			}
			if _, err := live.Check(t.Context(), s.Text()); err == nil {
				t.Error("the revoked token counts again on a server that runs")
			}
		})
	}
}

// A signed checkpoint shows a new server that the log was longer.
func TestTailRemovedBehindACheckpoint(t *testing.T) {
	h := newHouse(t)
	s := h.token(h.all())
	h.revoke(s, "policy", "grace")
	public := storetest.NewSigner("log").Public().Crypto().(ed25519.PublicKey)
	ok(t, h.store.InitLog(t.Context(), evidence.LogIdentity{Origin: "example.com/evidence-4f1c0a9b2d3e5f60", Key: public}))
	ok(t, h.store.Append(t.Context(), func(tx evidence.Tx) error {
		_, err := checkpoint.Sign(t.Context(), tx, public, storetest.NewSigner("log"))
		return err
	}))
	h.administer("DELETE FROM record WHERE idx = 1", "DELETE FROM envelope WHERE record = 1")
	_, err := h.tokens().Check(t.Context(), s.Text())
	refusedFor(t, err, "is not the one of the checkpoint of size 2")
}

// A row put in by SQL, whatever its columns say, stops the server.
func TestRowInsertedBySQL(t *testing.T) {
	h := newHouse(t)
	good := h.token(h.all())
	live := h.tokens()
	must[access.Caller](t)(live.Check(t.Context(), good.Text()))
	columns := h.columns("record")
	values := strings.NewReplacer("idx", "idx + 1", "act", "zeroblob(32)").Replace(strings.Join(columns, ", "))
	h.administer(fmt.Sprintf("INSERT INTO record (%s) SELECT %s FROM record WHERE idx = 0", strings.Join(columns, ", "), values),
		"INSERT INTO envelope SELECT record + 1, bytes FROM envelope WHERE record = 0")
	for who, tokens := range map[string]*access.Tokens{"new": h.tokens(), "live": live} {
		if _, err := tokens.Check(t.Context(), good.Text()); err == nil {
			t.Errorf("%s: a token counts in a log with a row that nobody appended", who)
		}
	}
}

func (h *house) columns(table string) []string {
	h.t.Helper()
	db := must[*sql.DB](h.t)(sql.Open("sqlite", h.file))
	defer db.Close()
	rows := must[*sql.Rows](h.t)(db.Query("SELECT name FROM pragma_table_info('" + table + "')"))
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		ok(h.t, rows.Scan(&name))
		list = append(list, name)
	}
	return list
}

// The columns say nothing that counts: person, role, dates of the index, project.
func TestColumnsWidenNothing(t *testing.T) {
	h := newHouse(t)
	g := h.all()
	g.Projects = []string{"age"}
	s := h.token(g)
	h.administer("UPDATE record SET project = 'other', person = 'ada', role = 'root' WHERE idx = 0")
	p := must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
	if !slices.Equal(p.Projects, []string{"age"}) {
		t.Errorf("projects %v", p.Projects)
	}
}

func TestTokensOfACompromisedKey(t *testing.T) {
	h := newHouse(t)
	s, kept := h.token(h.all()), h.token(h.all())
	tokens := h.tokens()
	keep := h.known(kept).Act.String()
	keyid := storetest.NewSigner("policy").Public().KeyID()
	h.now = day.Add(time.Hour)
	h.next(func(e *trust.Edit) {
		ok(t, e.Revoke(keyid, trust.Revocation{At: h.now, Reason: trust.Compromised, Keep: []string{keep}}))
	})
	_, err := tokens.Check(t.Context(), s.Text())
	refusedFor(t, err, "revoked as compromised")
	must[access.Caller](t)(tokens.Check(t.Context(), kept.Text()))
	stolen := secret(t) // made by the thief, in the name of the trust version before
	head := h.head("policy", "grace")
	head.Trust = rollout.TrustVersion{Version: 1, Digest: trust.Digest(h.files[trust.FileName(1)])}
	h.put(h.made("policy", head, stolen, h.all()))
	_, err = tokens.Check(t.Context(), stolen.Text())
	refusedFor(t, err, "revoked as compromised")
}

func TestExpiredTrustRootEndsAccess(t *testing.T) {
	h := newHouse(t)
	h.now = day.AddDate(1, 11, 0)
	h.next(func(e *trust.Edit) {})
	g := h.all()
	g.Expires = h.now.Add(access.MaxLife)
	s := h.token(g)
	tokens := h.tokens()
	must[access.Caller](t)(tokens.Check(t.Context(), s.Text()))
	h.now = h.doc.Expires.Add(time.Second)
	_, err := tokens.Check(t.Context(), s.Text())
	refusedFor(t, err, "no token counts")
}

func TestOneIDAndOneSecret(t *testing.T) {
	h := newHouse(t)
	s := h.token(h.all())
	wide := h.all()
	wide.Scopes = []access.Scope{access.Operate}
	h.put(h.made("policy", h.head("policy", "grace"), s, wide))
	p := must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
	if p.May(access.Operate) {
		t.Error("a second statement widened the token")
	}
}

// Statements that our tools do not make, by keys that have the role.
func TestCraftedStatements(t *testing.T) {
	h := newHouse(t)
	s := h.token(h.all())
	made := must[evidence.Statement[access.Token]](t)(access.NewToken(h.head("policy", "grace"), secret(t), h.all()))
	made.Predicate.ID, made.Subject[0].Name = s.ID, "token "+s.ID // another secret under the id of one that counts
	made.Predicate.Scopes = []access.Scope{access.Operate}
	h.put(sealed(t, "policy", made))
	p := must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
	if p.May(access.Operate) {
		t.Error("a second statement took the token's place")
	}

	// The policy role of one project ends a token for all by saying that it is of his.
	end := must[evidence.Statement[access.Revocation]](t)(access.NewRevocation(h.head("policy-age", "owner"), h.known(s), "mine"))
	end.Predicate.Projects = []string{"age"}
	h.put(sealed(t, "policy-age", end))
	must[access.Caller](t)(h.tokens().Check(t.Context(), s.Text()))
}

func TestStatementsThatAreNotMade(t *testing.T) {
	h := newHouse(t)
	head := h.head("policy", "grace")
	for want, edit := range map[string]func(g *access.Grant){
		"expected some of": func(g *access.Grant) { g.Scopes = nil },
		`scope "root"`:     func(g *access.Grant) { g.Scopes = []access.Scope{access.Read, "root"} },
		`owner "Ada"`:      func(g *access.Grant) { g.Owner = "Ada" },
		"ends before":      func(g *access.Grant) { g.Expires = g.NotBefore },
		"at most 366":      func(g *access.Grant) { g.Expires = g.NotBefore.Add(access.MaxLife + 48*time.Hour) },
		"../secrets":       func(g *access.Grant) { g.Projects = []string{"../secrets"} },
	} {
		g := h.all()
		edit(&g)
		_, err := access.NewToken(head, secret(t), g)
		refusedFor(t, err, want)
	}
}
