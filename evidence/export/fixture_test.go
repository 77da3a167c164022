package export_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release/archive"
)

const origin = "example.com/evidence-4f1c0a9b2d3e5f60"

func private(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return private(name).Public().(ed25519.PublicKey) }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// grants are the keys of the test's trust root; a key is named like its person. ada
// and grace sign the records.
func grants() map[string]trust.Grant {
	attest := trust.Grant{Role: trust.Attest, Projects: []string{"*"},
		PredicateTypes: []string{storetest.ApprovalType, storetest.ExecutionType, storetest.RollbackType, storetest.RolloutType, storetest.ScanType}}
	return map[string]trust.Grant{
		"root": {Role: trust.Root}, "ada": attest, "grace": attest, "log": {Role: trust.Log},
		"auditor": {Role: trust.Auditor, Projects: []string{"*"}}, "age-auditor": {Role: trust.Auditor, Projects: []string{"age"}},
		"operator": {Role: trust.Operator, Projects: []string{"*"}, Environments: []string{"*"}, Rings: []string{"*"}},
	}
}

// newChain makes a trust root of one version, signed by owner.
func newChain(t testing.TB, owner string, change func(map[string]trust.Grant), edits ...func(*trust.Edit) error) *trust.Chain {
	t.Helper()
	list := grants()
	if change != nil {
		change(list)
	}
	edit := trust.New(storetest.Start.AddDate(0, -1, 0), storetest.Start.AddDate(10, 0, 0))
	for _, name := range slices.Sorted(maps.Keys(list)) {
		key, g := storetest.NewSigner(name).Public(), list[name]
		if name == "root" {
			key = storetest.NewSigner(owner).Public()
		}
		g.KeyID = key.KeyID()
		edit.Person(trust.Person{ID: name, Name: strings.ToUpper(name[:1]) + name[1:]})
		if err := edit.AddKey(key, trust.Key{Person: name}); err != nil {
			t.Fatal(err)
		}
		if err := edit.Grant(g); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range edits {
		if err := f(edit); err != nil {
			t.Fatal(err)
		}
	}
	data := must[[]byte](t)(must[trust.Document](t)(edit.Document()).Marshal())
	bundle := must[envelope.Bundle](t)(envelope.Sign(storetest.NewSigner(owner), trust.PayloadType, data))
	files := map[string][]byte{trust.FileName(1): data, trust.BundleName(1, storetest.NewSigner(owner).Public()): must[[]byte](t)(bundle.Marshal())}
	return must[*trust.Chain](t)(trust.Load(files, trust.Digest(data)))
}

func authority(t testing.TB, c *trust.Chain) trust.Authority {
	t.Helper()
	return must[trust.Authority](t)(c.At(storetest.Start, trust.Options{}))
}

// newStore makes a store with a log; its clock ticks a second for each transaction.
func newStore(t testing.TB) *sqlite.Store {
	t.Helper()
	now := storetest.Start
	s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "evidence.db"), func() time.Time {
		now = now.Add(time.Second)
		return now
	}))
	t.Cleanup(func() { s.Close() })
	if err := s.InitLog(t.Context(), evidence.LogIdentity{Origin: origin, Key: public("log")}); err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s evidence.Store) translog.SignedCheckpoint {
	t.Helper()
	var signed translog.SignedCheckpoint
	err := s.Append(t.Context(), func(tx evidence.Tx) (err error) {
		signed, err = checkpoint.Sign(t.Context(), tx, public("log"), logSigner{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

type logSigner struct{}

func (logSigner) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(private("log"), message), nil
}

// eraseOrder is the text by which the test's erase records are known.
const eraseOrder = "erase"

func erases(r evidence.Record) bool { return slices.Contains(r.Text, eraseOrder) }

// binary is a file that belongs to record 1 of a library.
var binary = []byte("a binary")

// library makes a store whose records differ in every fact. Record 5 is unverified.
func library(t testing.TB) *sqlite.Store {
	t.Helper()
	s := newStore(t)
	ada, grace := storetest.NewSigner("ada"), storetest.NewSigner("grace")
	one := func(name string) []evidence.Subject { return []evidence.Subject{storetest.Subject(name)} }
	blob := must[evidence.Blob](t)(s.PutBlob(t.Context(), bytes.NewReader(binary)))
	add := func(intake evidence.Intake, data []byte, change func(*evidence.Record), blobs ...evidence.Blob) {
		t.Helper()
		r := must[evidence.Record](t)(intake.Examine(data))
		if change != nil {
			change(&r)
		}
		if _, err := evidence.Add(t.Context(), s, []evidence.Record{r}, blobs...); err != nil {
			t.Fatal(err)
		}
	}
	strict := storetest.Intake()
	loose := strict
	loose.AllowUnknownSigner = true
	/* 0 */ add(strict, storetest.Envelope(ada, storetest.RolloutType, one("zero"), storetest.Story{Facts: evidence.Facts{Project: "age", Version: "v1", ChangeRecord: "CHG-1",
		Environment: "production", Ring: "pilot", RolloutStatus: "planned", Rollout: "r1", DeploymentTargets: []string{"linux", "darwin"}}, Comment: "the first"}), nil)
	/* 1 */ add(strict, storetest.Envelope(ada, storetest.RolloutType, []evidence.Subject{storetest.Subject("one"), evidence.FileSubject("bin", evidence.SHA256(binary))},
		storetest.Story{Facts: evidence.Facts{Project: "age", Version: "v2", ChangeRecord: "CHG-2", Environment: "production", Ring: "staging", RolloutStatus: "failed", Rollout: "r2",
			DeploymentTargets: []string{"linux"}}}), nil, blob)
	/* 2 */ add(strict, storetest.Envelope(grace, storetest.ApprovalType, one("two"), storetest.Story{Facts: evidence.Facts{Project: "age", Version: "v2", ApprovalState: "approved",
		TargetRing: "production", Environment: "test"}}), nil)
	/* 3 */ add(strict, storetest.Envelope(grace, storetest.ExecutionType, one("three"), storetest.Story{Facts: evidence.Facts{Project: "sops", ExecutionStatus: "executed", RolloutStatus: "promoted"}}), nil)
	/* 4 */ add(strict, storetest.Envelope(grace, storetest.RollbackType, one("four"), storetest.Story{Facts: evidence.Facts{Project: "sops", ExecutionStatus: "executed"}}), nil)
	/* 5 */ add(loose, storetest.Envelope(storetest.NewSigner("stranger"), storetest.UnknownType,
		[]evidence.Subject{{Name: "commit", Digest: evidence.DigestSet{"gitCommit": "0123456789abcdef0123456789abcdef01234567"}}}, storetest.Story{}), nil)
	/* 6 */ add(strict, storetest.Envelope(ada, storetest.RolloutType, one("six"), storetest.Story{Facts: evidence.Facts{Project: "age"}}), func(r *evidence.Record) { r.Illegal = "ring pilot comes before" })
	return s
}

// A world is a store and who trusts what.
type world struct {
	store *sqlite.Store
	chain *trust.Chain
}

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{library(t), newChain(t, "root", nil)}
	seal(t, w.store)
	return w
}

func (w world) source(t testing.TB) export.Source {
	t.Helper()
	scratch := must[*os.File](t)(os.CreateTemp(t.TempDir(), ""))
	t.Cleanup(func() { scratch.Close() })
	return export.Source{Reader: w.store, Catalog: storetest.Intake().Catalog, Completeness: export.Matching,
		Chain: w.chain, Authority: authority(t, w.chain), Signer: storetest.NewSigner("auditor"), Scratch: scratch}
}

// write makes an export of what change asks for.
func (w world) write(t testing.TB, change func(*export.Source)) []byte {
	t.Helper()
	s := w.source(t)
	if change != nil {
		change(&s)
	}
	var b bytes.Buffer
	if _, err := export.Write(t.Context(), s, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// options are those of a recipient who has the pin of the world's trust root.
func (w world) options(t testing.TB) export.Options {
	t.Helper()
	return export.Options{Catalog: storetest.Intake().Catalog, Now: storetest.Start, Erases: erases,
		Trust: func(files map[string][]byte) (trust.Authority, error) {
			chain, err := trust.Load(files, w.chain.Pin())
			if err != nil {
				return nil, err
			}
			return chain.At(storetest.Start, trust.Options{})
		}}
}

func verify(t testing.TB, data []byte, o export.Options) *export.Report {
	t.Helper()
	return must[*export.Report](t)(export.Verify(t.Context(), bytes.NewReader(data), int64(len(data)), o))
}

func (w world) verify(t testing.TB, data []byte) *export.Report {
	t.Helper()
	return verify(t, data, w.options(t))
}

// failing are the ids of the checks that fail a report, each once.
func failing(r *export.Report) []string {
	var list []string
	for _, c := range r.Checks {
		if c.Required && c.Result != export.Pass {
			list = append(list, c.ID)
		}
	}
	return slices.Compact(list)
}

func describe(r *export.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		if c.Result != export.Pass {
			fmt.Fprintf(&b, "%s %s %s: expected %s, found %s\n", c.Result, c.ID, c.Subject, c.Expected, c.Actual)
		}
	}
	return b.String()
}

// An unpacked export, which an attacker changes.
type unpacked struct {
	top   string
	files map[string][]byte
	mode  fs.FileMode
	says  func(*export.Predicate) // changes the statement
}

func unpack(t testing.TB, data []byte) unpacked {
	t.Helper()
	z := must[*archive.Reader](t)(archive.NewReader(bytes.NewReader(data), int64(len(data))))
	u := unpacked{top: z.Top(), files: map[string][]byte{}, mode: 0o644}
	for _, e := range z.Entries() {
		u.files[e.Path] = must[[]byte](t)(io.ReadAll(must[*archive.File](t)(z.Open(e.Path))))
	}
	return u
}

func (u unpacked) pack(t testing.TB) []byte {
	t.Helper()
	var entries []archive.Entry
	for path, data := range u.files {
		entries = append(entries, archive.Entry{Path: path, Size: int64(len(data)), Mode: u.mode, CRC32: crc32.ChecksumIEEE(data)})
	}
	var b bytes.Buffer
	err := archive.Write(&b, u.top, entries, func(e archive.Entry) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(u.files[e.Path])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (u unpacked) index(t testing.TB) export.Index {
	t.Helper()
	var i export.Index
	if err := envelope.Decode(u.files["index.json"], &i); err != nil {
		t.Fatal(err)
	}
	return i
}

// lines are those of records.jsonl, each with its end.
func (u unpacked) lines() []string {
	return slices.Collect(strings.Lines(string(u.files["records.jsonl"])))
}

// reseal is the attack of an exporter who has an auditor's key: he changes files and
// index, and signs what came of it.
func (u unpacked) reseal(t testing.TB, by storetest.Signer, person string, change func(*export.Index)) unpacked {
	t.Helper()
	i := u.index(t)
	i.Files, i.Counts = nil, export.Counts{}
	for path, data := range u.files {
		if path != "index.json" && path != "export.sigstore.json" {
			i.Files = append(i.Files, export.File{Path: path, Size: int64(len(data)), SHA256: evidence.SHA256(data)})
		}
		if strings.HasPrefix(path, "blobs/") {
			i.Counts.Blobs++
		}
	}
	slices.SortFunc(i.Files, func(a, b export.File) int { return cmp.Compare(a.Path, b.Path) })
	for _, l := range u.lines() {
		i.Counts.Records++
		i.Counts.Erased += int64(strings.Count(l, `"envelope":"",`))
	}
	if change != nil {
		change(&i)
	}
	u.files["index.json"] = must[[]byte](t)(envelope.Encode(i))
	u.top = fmt.Sprintf("audit-%d-%x", i.Size, i.Root[:4])
	p := export.Predicate{Actor: export.Actor{KeyID: by.Public().KeyID(), Person: person}, Trust: export.TrustVersion{Version: 1, Digest: trust.Digest(u.files["trust/1.trust.json"])},
		Origin: i.Origin, Size: i.Size, Root: i.Root, Query: i.Query, Completeness: i.Completeness}
	if u.says != nil {
		u.says(&p)
	}
	statement := evidence.NewStatement(export.PredicateType, []evidence.Subject{evidence.FileSubject("index.json", evidence.SHA256(u.files["index.json"]))}, p)
	u.files["export.sigstore.json"] = must[[]byte](t)(must[envelope.Bundle](t)(evidence.Sign(by, statement)).Marshal())
	return u
}
