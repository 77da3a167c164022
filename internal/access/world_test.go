package access_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/rollout"
)

// A world is a trust root, in which grace has the role policy and ada is an operator,
// and a store.
type world struct {
	t     *testing.T
	file  string
	store *sqlite.Store
	chain *trust.Chain
	now   time.Time
	*access.Tokens
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "evidence.db"), now: time.Now().UTC().Truncate(time.Second)}
	w.chain = w.chainWith(nil)
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	store, err := sqlite.Open(w.t.Context(), w.file, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { store.Close() })
	w.store = store
	w.Tokens = access.NewTokens(store, func() (access.Root, error) {
		authority, err := w.chain.At(w.now, trust.Options{})
		return access.Root{Chain: w.chain, Authority: authority}, err
	}, func() time.Time { return w.now })
}

func (w *world) chainWith(change func(*trust.Edit)) *trust.Chain {
	w.t.Helper()
	root := storetest.NewSigner("root")
	edit := trust.New(w.now.AddDate(0, -1, 0), w.now.AddDate(1, 0, 0))
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	all := []string{"*"}
	for id, grant := range map[string]trust.Grant{
		"root": {Role: trust.Root}, "grace": {Role: trust.Policy, Projects: all, Environments: all, Rings: all}, "ada": {Role: trust.Operator, Projects: all, Environments: all, Rings: all},
	} {
		key := storetest.NewSigner(id).Public()
		edit.Person(trust.Person{ID: id, Name: strings.ToUpper(id[:1]) + id[1:]})
		must(edit.AddKey(key, trust.Key{Person: id}))
		grant.KeyID = key.KeyID()
		must(edit.Grant(grant))
	}
	if change != nil {
		change(edit)
	}
	doc, err := edit.Document()
	must(err)
	data, err := doc.Marshal()
	must(err)
	bundle, err := envelope.Sign(root, trust.PayloadType, data)
	must(err)
	signature, err := bundle.Marshal()
	must(err)
	chain, err := trust.Load(map[string][]byte{trust.FileName(1): data, trust.BundleName(1, root.Public()): signature}, trust.Digest(data))
	must(err)
	return chain
}

func (w *world) head(person string) rollout.Head {
	return rollout.Head{Actor: rollout.Actor{KeyID: storetest.NewSigner(person).Public().KeyID(), Person: person}, Trust: rollout.TrustVersion{Version: 1, Digest: w.chain.Digest()}, Claimed: w.now}
}

func bundle[P any](t *testing.T, signer string, s evidence.Statement[P]) []byte {
	t.Helper()
	b, err := evidence.Sign(storetest.NewSigner(signer), s)
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// intake is what records tokens.
func (w *world) intake() evidence.Intake {
	w.t.Helper()
	catalog, err := evidence.NewCatalog(access.CatalogEntries()...)
	if err != nil {
		w.t.Fatal(err)
	}
	authority, err := w.chain.At(w.now, trust.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return evidence.Intake{Catalog: catalog, Authority: authority}
}

func (w *world) add(data []byte) evidence.Record {
	w.t.Helper()
	record, err := w.intake().Examine(data)
	if err != nil {
		w.t.Fatal(err)
	}
	added, err := evidence.Add(w.t.Context(), w.store, []evidence.Record{record})
	if err != nil {
		w.t.Fatal(err)
	}
	return added[0].Record
}

// smuggle writes a row as somebody does who holds the file and gets every column, every
// hash of the log and every checksum right: all but the signature's right.
func (w *world) smuggle(data []byte) {
	w.t.Helper()
	record, err := w.intake().Derive(data)
	if err != nil {
		w.t.Fatal(err)
	}
	record.Signer.Person, record.Signer.Role = "grace", trust.Policy
	if _, err := evidence.Add(w.t.Context(), w.store, []evidence.Record{record}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) secret() access.Secret {
	w.t.Helper()
	s, err := access.NewSecret(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// token makes a token's statement.
func (w *world) token(by string, s access.Secret, change func(*access.Grant)) evidence.Statement[access.Token] {
	w.t.Helper()
	g := access.Grant{Owner: "ada", Scopes: []access.Scope{access.Read}, NotBefore: w.now, Expires: w.now.Add(24 * time.Hour)}
	if change != nil {
		change(&g)
	}
	st, err := access.NewToken(w.head(by), s, g)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) refused(what, text string) {
	w.t.Helper()
	var refused *access.RefusedError
	if c, err := w.Check(w.t.Context(), text); !errors.As(err, &refused) {
		w.t.Errorf("%s: %+v, %v", what, c, err)
	}
}

// administer runs SQL behind the triggers.
func (w *world) administer(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	var restore []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			w.t.Fatal(err)
		}
		all, restore = append(all, "DROP TRIGGER "+name), append(restore, text)
	}
	if err := rows.Close(); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range append(append(all, statements...), restore...) {
		if _, err := db.Exec(s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}
