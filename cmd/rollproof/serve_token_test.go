package main

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

// A token is a record: revoked, expired, of another project, or put into the database by
// somebody else, it lets nobody in.
func testTokensAreRecords(t *testing.T, m stock) {
	s := m.copy(t)
	good := s.token("--owner", "ada", "--scope", "read")
	other := s.token("--owner", "robot", "--machine", "--scope", "read", "--project", "elsewhere")
	if code, out := s.try("token", "create", "--key", s.key("operator"), "--owner", "ada", "--scope", "read"); code != 3 {
		t.Errorf("an operator makes a token: exit code %d\n%s", code, out)
	}
	if code, _ := s.try("token", "create", "--key", s.key("policy"), "--owner", "nobody", "--scope", "read"); code != 3 {
		t.Errorf("a token for a person whom nobody knows: exit code %d", code)
	}
	if code, _ := s.try("token", "create", "--key", s.key("policy"), "--owner", "ada", "--scope", "everything"); code != 2 {
		t.Errorf("a token with another scope: exit code %d", code)
	}
	r := s.serve()
	r.tokens[access.Read] = good
	r.get("/api/v1/rings", nil)
	r.wants(r.do("GET", "/api/v1/rings?project=hello", other, nil), http.StatusForbidden, 4)
	if e := r.do("GET", "/api/v1/evidence", other, nil); e.StatusCode != http.StatusOK || strings.Contains(string(e.body), `"project": "hello"`) {
		t.Errorf("of another project: %s %s", e.Status, e.body)
	}
	flipped := good[:len(good)-2] + string(good[len(good)-1]) + string(good[len(good)-2])
	for _, bad := range []string{flipped, strings.ToUpper(good), good + "a", good[:len(good)-1], "rpt_", strings.Replace(good, "_", "-", 1), "x"} {
		if bad != good {
			r.wants(r.do("GET", "/api/v1/rings", bad, nil), http.StatusUnauthorized, 2)
		}
	}
	secret, err := access.ParseSecret(good)
	if err != nil {
		t.Fatal(err)
	}
	s.run(0, "token", "revoke", secret.ID, "--reason", "lost", "--key", s.key("policy"))
	r.wants(r.do("GET", "/api/v1/rings", good, nil), http.StatusUnauthorized, 2)
	s.run(6, "token", "revoke", secret.ID, "--reason", "lost", "--key", s.key("policy"))
	out := s.run(0, "token", "list")
	if !strings.Contains(out, "revoked  "+secret.ID) || strings.Contains(out, good) {
		t.Errorf("token list:\n%s", out)
	}
}

// Somebody writes a token into the database, behind its triggers, as a row like that of
// a real one: with an envelope by a key that is none of the policy role's.
func testATokenRowBySQLLetsNobodyIn(t *testing.T, m stock) {
	s := m.copy(t)
	good := s.token("--owner", "ada", "--scope", "read")
	secret, err := access.NewSecret(strings.NewReader(strings.Repeat("forged bytes ", 10)))
	if err != nil {
		t.Fatal(err)
	}
	forged := s.forgedToken(secret)
	r := s.serve()
	if e := r.do("GET", "/api/v1/rings", good, nil); e.StatusCode != http.StatusOK {
		t.Errorf("before: %s\n%s", e.Status, e.body)
	}
	s.swapEnvelope(forged)
	r.wants(r.do("GET", "/api/v1/rings", secret.Text(), nil), http.StatusUnauthorized, 2)
	r.stop()
	// A server that starts on such a store says so, and answers nobody.
	if out := s.run(3, "serve", "--listen", "127.0.0.1:0"); !strings.Contains(out, "tree") {
		t.Errorf("it starts on a changed log: %s", out)
	}
}

// forgedToken is a token statement signed by the operator, who names the policy's person.
func (s shop) forgedToken(secret access.Secret) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.key("operator"))
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := keys.Parse(data, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now().UTC()
	st, err := access.NewToken(rollout.Head{
		Actor: rollout.Actor{KeyID: key.Public().KeyID(), Person: "operator"}, Trust: rollout.TrustVersion{Version: 1, Digest: "sha256:" + strings.Repeat("0", 64)}, Claimed: now,
	}, secret, access.Grant{Owner: "ada", Scopes: access.Scopes, NotBefore: now.Add(-time.Hour), Expires: now.Add(time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := evidence.Sign(key, st)
	if err != nil {
		s.t.Fatal(err)
	}
	bundle, err := b.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	return bundle
}

// swapEnvelope puts an envelope in the place of the newest record's, with the columns
// that name it.
func (s shop) swapEnvelope(bundle []byte) {
	s.t.Helper()
	b, err := envelope.ParseBundle(bundle)
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(s.dir, ".rollproof", "evidence.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		s.t.Fatal(err)
	}
	var names, texts []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			s.t.Fatal(err)
		}
		names, texts = append(names, name), append(texts, text)
	}
	rows.Close()
	id, act := evidence.DigestOf(bundle), evidence.DigestOf(b.Payload)
	for _, name := range names {
		if _, err := db.Exec("DROP TRIGGER " + name); err != nil {
			s.t.Fatal(err)
		}
	}
	for query, args := range map[string][]any{
		"UPDATE envelope SET bytes = ? WHERE record = (SELECT max(idx) FROM record)":             {bundle},
		"UPDATE record SET id = ?, act = ?, keyid = ? WHERE idx = (SELECT max(idx) FROM record)": {id[:], act[:], b.KeyID},
	} {
		if _, err := db.Exec(query, args...); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			s.t.Fatal(err)
		}
	}
}
