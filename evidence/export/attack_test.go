package export_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/translog"
)

var auditor = storetest.NewSigner("auditor")

// fails wants exactly these checks to fail a report.
func fails(t *testing.T, r *export.Report, want ...string) {
	t.Helper()
	if got := failing(r); r.Result != export.Fail || !slices.Equal(got, want) {
		t.Errorf("%s by %v, expected %v\n%s", r.Result, got, want, describe(r))
	}
}

// includes wants these checks to fail a report, and others that can't go on without.
func includes(t *testing.T, r *export.Report, want ...string) {
	t.Helper()
	for _, id := range want {
		if r.Result != export.Fail || !slices.Contains(failing(r), id) {
			t.Errorf("%s by %v, expected %v\n%s", r.Result, failing(r), want, describe(r))
		}
	}
}

// TestResealing shows that the attacks below fail for what they change, not for how
// they are signed again.
func TestResealing(t *testing.T) {
	w := newWorld(t)
	for _, c := range []export.Completeness{export.Matching, export.Labels, export.Complete} {
		data := w.write(t, func(s *export.Source) { s.Completeness, s.Blobs = c, true })
		if !bytes.Equal(unpack(t, data).reseal(t, auditor, "auditor", nil).pack(t), data) {
			t.Errorf("%s: signed again, it is another export", c)
		}
	}
}

// An exporter without an auditor's key changes an export.
func TestChangedFiles(t *testing.T) {
	w := newWorld(t)
	other := world{library(t), w.chain}
	storetest.Add(t, other.store, storetest.Rollout(1))
	seal(t, other.store)
	every := func(s *export.Source) { s.Completeness, s.Blobs = export.Complete, true }
	mixed := unpack(t, other.write(t, every))
	blob := "blobs/sha256/" + evidence.SHA256(binary)
	for name, tc := range map[string]struct {
		change func(unpacked)
		want   []string
	}{
		"added report.html":   {func(u unpacked) { u.files["report.html"] = []byte("<h1>pass</h1>") }, []string{"closed-set"}},
		"added blob":          {func(u unpacked) { u.files["blobs/sha256/"+evidence.SHA256([]byte("x"))] = []byte("x") }, []string{"closed-set", "records", "completeness", "blobs"}},
		"added trust version": {func(u unpacked) { u.files["trust/2.trust.json"] = u.files["trust/1.trust.json"] }, []string{"closed-set", "trust"}},
		"changed blob":        {func(u unpacked) { u.files[blob] = []byte("a Binary") }, []string{"closed-set", "blobs"}},
		"dropped blob":        {func(u unpacked) { delete(u.files, blob) }, []string{"closed-set", "records", "completeness"}},
		"changed entries":     {func(u unpacked) { u.files["tile/entries/000.p/7"][40] ^= 1 }, []string{"closed-set", "entries", "inclusion", "completeness"}},
		"changed tile":        {func(u unpacked) { u.files["tile/0/000.p/7"][40] ^= 1 }, []string{"closed-set", "entries", "inclusion", "completeness"}},
		"changed index": {func(u unpacked) {
			u.files["index.json"] = bytes.Replace(u.files["index.json"], []byte(`"complete"`), []byte(`"matching"`), 1)
		}, []string{"index", "closed-set", "inclusion"}},
		"changed date": {func(u unpacked) {
			u.files["records.jsonl"] = bytes.Replace(u.files["records.jsonl"], []byte("2026-03-02"), []byte("2026-02-02"), 1)
		}, []string{"closed-set"}},
		"mixed records":    {func(u unpacked) { u.files["records.jsonl"] = mixed.files["records.jsonl"] }, []string{"closed-set", "records", "completeness"}},
		"mixed checkpoint": {func(u unpacked) { u.files["checkpoint"] = mixed.files["checkpoint"] }, []string{"closed-set", "checkpoint", "entries", "inclusion", "completeness"}},
		"mixed index":      {func(u unpacked) { u.files["index.json"] = mixed.files["index.json"] }, []string{"index", "closed-set", "checkpoint", "records"}},
		"mixed signature":  {func(u unpacked) { u.files["export.sigstore.json"] = mixed.files["export.sigstore.json"] }, []string{"index"}},
		"mixed seal": {func(u unpacked) {
			u.files["index.json"], u.files["export.sigstore.json"] = mixed.files["index.json"], mixed.files["export.sigstore.json"]
		}, []string{"index", "closed-set", "checkpoint", "records"}},
		"no signature": {func(u unpacked) { delete(u.files, "export.sigstore.json") }, []string{"index", "signature"}},
		"no index":     {func(u unpacked) { delete(u.files, "index.json") }, []string{"index", "closed-set"}},
		"no records":   {func(u unpacked) { delete(u.files, "records.jsonl") }, []string{"closed-set", "records"}},
		"no trust": {func(u unpacked) {
			maps.DeleteFunc(u.files, func(path string, _ []byte) bool { return strings.HasPrefix(path, "trust/") })
		}, []string{"closed-set", "trust"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := unpack(t, w.write(t, every))
			tc.change(u)
			includes(t, w.verify(t, u.pack(t)), tc.want...)
		})
	}
}

// An exporter with an auditor's key changes an export and signs it again.
func TestChangedAndSealed(t *testing.T) {
	w := newWorld(t)
	lines := func(f func([]string) []string) func(unpacked) {
		return func(u unpacked) { u.files["records.jsonl"] = []byte(strings.Join(f(u.lines()), "")) }
	}
	part := func(l, key string) string { // its proof or envelope
		_, rest, _ := strings.Cut(l, `"`+key+`":`)
		end := map[string]string{"proof": "]", "envelope": `"`}[key]
		return rest[:strings.Index(rest[1:], end)+2]
	}
	trade := func(key string) func(unpacked) {
		return lines(func(l []string) []string {
			a, b := part(l[0], key), part(l[1], key)
			l[0], l[1] = strings.Replace(l[0], a, b, 1), strings.Replace(l[1], b, a, 1)
			return l
		})
	}
	matching, complete := []export.Completeness{export.Matching}, []export.Completeness{export.Complete}
	both := []export.Completeness{export.Matching, export.Complete}
	for name, tc := range map[string]struct {
		in     []export.Completeness
		change func(unpacked)
		index  func(*export.Index)
		want   []string
	}{
		"a report":                      {both, func(u unpacked) { u.files["report.html"] = []byte("<h1>pass</h1>") }, nil, []string{"closed-set"}},
		"a record twice":                {both, lines(func(l []string) []string { return slices.Insert(l, 1, l[0]) }), nil, []string{"records"}},
		"a record at the end again":     {matching, lines(func(l []string) []string { return append(l, l[0]) }), nil, []string{"records"}},
		"records left out":              {complete, lines(func(l []string) []string { return slices.Delete(l, 2, 4) }), nil, []string{"completeness"}},
		"the last record left out":      {complete, lines(func(l []string) []string { return l[:6] }), nil, []string{"completeness"}},
		"records said to be fewer":      {both, nil, func(i *export.Index) { i.Counts.Records-- }, []string{"records"}},
		"envelopes traded":              {both, trade("envelope"), nil, []string{"inclusion"}},
		"proofs traded":                 {matching, trade("proof"), nil, []string{"inclusion"}},
		"narrow made complete":          {matching, nil, func(i *export.Index) { i.Completeness = export.Complete }, []string{"closed-set", "entries", "inclusion", "completeness"}},
		"complete made narrow":          {complete, nil, func(i *export.Index) { i.Completeness = export.Matching }, []string{"closed-set", "inclusion"}},
		"another filter":                {matching, nil, func(i *export.Index) { i.Query.Projects = []string{"age"} }, []string{"filter"}},
		"a filter by words":             {both, nil, func(i *export.Index) { i.Query.Text = "first" }, nil},
		"a status that is none":         {both, nil, func(i *export.Index) { i.Query.RolloutStatuses = []string{"x"} }, []string{"index"}},
		"another schema":                {both, nil, func(i *export.Index) { i.Schema = export.ReportSchema }, []string{"index"}},
		"another completeness":          {both, nil, func(i *export.Index) { i.Completeness = "all" }, []string{"index"}},
		"a file listed twice":           {both, nil, func(i *export.Index) { i.Files = slices.Insert(i.Files, 0, i.Files[0]) }, []string{"closed-set"}},
		"a file not listed":             {both, nil, func(i *export.Index) { i.Files = i.Files[1:] }, []string{"closed-set"}},
		"another root":                  {both, nil, func(i *export.Index) { i.Root[0] ^= 1 }, []string{"checkpoint"}},
		"another origin":                {both, nil, func(i *export.Index) { i.Origin += "0" }, []string{"checkpoint"}},
		"another size":                  {matching, nil, func(i *export.Index) { i.Size++ }, []string{"checkpoint"}},
		"a size beyond all":             {complete, nil, func(i *export.Index) { i.Size = 1 << 48 }, []string{"closed-set", "checkpoint"}},
		"a blob that is nobody's":       {both, func(u unpacked) { u.files["blobs/sha256/"+evidence.SHA256([]byte("x"))] = []byte("x") }, nil, []string{"blobs"}},
		"another blob in its place":     {both, func(u unpacked) { u.files["blobs/sha256/"+evidence.SHA256(binary)] = []byte("x") }, nil, []string{"blobs"}},
		"blobs said not to be there":    {both, nil, func(i *export.Index) { i.Blobs = false }, []string{"closed-set"}},
		"an envelope said to be erased": {complete, func(u unpacked) { u.erase(t, 1, leafOf(t, w, 1)) }, nil, []string{"completeness", "blobs"}},
		"a proof as well": {complete, lines(func(l []string) []string {
			l[0] = strings.Replace(l[0], `"proof":[]`, `"proof":["`+encode(make([]byte, 32))+`"]`, 1)
			return l
		}), nil, []string{"inclusion"}},
		"another one erased":  {both, func(u unpacked) { u.erase(t, 2, leafOf(t, w, 1)) }, nil, []string{"inclusion"}},
		"dates that go back":  {both, lines(func(l []string) []string { l[3] = strings.Replace(l[3], "2026", "2025", 1); return l }), nil, []string{"records"}},
		"a date that is none": {both, lines(func(l []string) []string { l[3] = strings.Replace(l[3], ".000Z", "Z", 1); return l }), nil, nil},
		"an empty line":       {both, lines(func(l []string) []string { return append(l, "\n") }), nil, nil},
		"no last line end":    {both, lines(func(l []string) []string { l[6] = strings.TrimSpace(l[6]); return l }), nil, nil},
		"a spaced line":       {both, lines(func(l []string) []string { l[0] = strings.Replace(l[0], ",", ", ", 1); return l }), nil, nil},
		"a carriage return":   {both, lines(func(l []string) []string { l[0] = strings.Replace(l[0], "\n", "\r\n", 1); return l }), nil, nil},
		"a key more":          {both, lines(func(l []string) []string { l[0] = strings.Replace(l[0], `{`, `{"index":9,`, 1); return l }), nil, nil},
		"a null proof":        {complete, lines(func(l []string) []string { l[0] = strings.Replace(l[0], `[]`, `null`, 1); return l }), nil, nil},
		"an entry as well":    {both, lines(func(l []string) []string { l[0] = strings.Replace(l[0], "}\n", ",\"entry\":\"x\"}\n", 1); return l }), nil, nil},
		"no trust document":   {both, func(u unpacked) { u.files["trust/1.trust.json"] = append(u.files["trust/1.trust.json"], '\n') }, nil, []string{"trust"}},
		"an unknown tile":     {complete, func(u unpacked) { u.files["tile/1/000.p/1"] = make([]byte, 32) }, nil, []string{"closed-set"}},
		"a forged request":    {both, func(u unpacked) { u.files["consistency"] = []byte("old 1\n\n" + string(u.files["checkpoint"])) }, nil, nil},
		"a request for another tree": {both, func(u unpacked) {
			c := must[translog.SignedCheckpoint](t)(translog.Sign(translog.Checkpoint{Origin: origin, Tree: translog.Tree{Root: translog.EmptyRoot}}, public("log"), logSigner{}))
			u.files["consistency"] = []byte("old 0\n\n" + string(must[[]byte](t)(c.Marshal())))
		}, nil, []string{"checkpoint"}},
		"no request": {both, func(u unpacked) { u.files["consistency"] = []byte("x") }, nil, []string{"checkpoint"}},
	} {
		for _, c := range tc.in {
			t.Run(name+", "+string(c), func(t *testing.T) {
				u := unpack(t, w.write(t, func(s *export.Source) { s.Completeness, s.Blobs = c, true }))
				if tc.change != nil {
					tc.change(u)
				}
				r := w.verify(t, u.reseal(t, auditor, "auditor", tc.index).pack(t))
				switch {
				case name == "a forged request": // of which nothing is believed
					if r.Result != export.Pass {
						t.Error(describe(r))
					}
				case tc.want == nil:
					if r.Result != export.Fail || !slices.Contains(failing(r), "records") && !slices.Contains(failing(r), "index") {
						t.Errorf("%s\n%s", r.Result, describe(r))
					}
				default:
					includes(t, r, tc.want...)
				}
			})
		}
	}
}

// TestEnvelopeOfAnotherKey puts the same statement, signed by another key that may
// sign it, in the place of a record.
func TestEnvelopeOfAnotherKey(t *testing.T) {
	w := newWorld(t)
	r := must[evidence.Record](t)(w.store.Record(t.Context(), 2))
	mine := storetest.Envelope(storetest.NewSigner("grace"), storetest.ApprovalType, []evidence.Subject{storetest.Subject("two")}, storetest.Story{Facts: evidence.Facts{Project: "age", Version: "v2", ApprovalState: "approved",
		TargetRing: "production", Environment: "test"}})
	if !bytes.Equal(mine, r.Envelope) {
		t.Fatal("not the fixture's record")
	}
	forged := storetest.Envelope(storetest.NewSigner("ada"), storetest.ApprovalType, []evidence.Subject{storetest.Subject("two")}, storetest.Story{Facts: evidence.Facts{Project: "age", Version: "v2", ApprovalState: "approved",
		TargetRing: "production", Environment: "test"}})
	for _, c := range []export.Completeness{export.Matching, export.Complete} {
		u := unpack(t, w.write(t, func(s *export.Source) { s.Completeness = c }))
		u.files["records.jsonl"] = bytes.Replace(u.files["records.jsonl"], []byte(encode(mine)), []byte(encode(forged)), 1)
		r := w.verify(t, u.reseal(t, auditor, "auditor", nil).pack(t))
		if got := failing(r); !slices.Contains(got, "inclusion") || r.Records[2].Result != export.Fail {
			t.Errorf("%s: %v, %+v", c, got, r.Records[2])
		}
	}
}

// TestWriterBelievesNoColumn exports from stores that say something else than their
// envelopes.
func TestWriterBelievesNoColumn(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		reader evidence.Reader
		want   string
	}{
		"found by nothing": {finds{w.store}, "its envelope does not say"},
		"another encoding": {serves{w.store, func(r *evidence.Record) { r.Envelope = plain(t, r.Envelope) }}, "not what its envelope says"},
		"another envelope": {serves{w.store, func(r *evidence.Record) { r.Envelope = storetest.Rollout(1) }}, "not what its envelope says"},
		"another act":      {serves{w.store, func(r *evidence.Record) { r.Act[0] ^= 1 }}, "record 0"},
		"another key":      {serves{w.store, func(r *evidence.Record) { r.Signer.KeyID = "" }}, "record 0"},
	} {
		s := w.source(t)
		s.Reader, s.Query.Projects = tc.reader, []string{"age"}
		if _, err := export.Write(t.Context(), s, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	blob := w.source(t)
	blob.Blobs = true
	path := blobPath(t, w)
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, []byte("another"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := export.Write(t.Context(), blob, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "blob sha256:"+evidence.SHA256(binary)) {
		t.Errorf("another blob: %v", err)
	}
}

// TestModes gives a file the right to be run.
func TestModes(t *testing.T) {
	w := newWorld(t)
	u := unpack(t, w.write(t, nil))
	u.mode = 0o755
	fails(t, w.verify(t, u.pack(t)), "container")
}

// TestErasedWithoutOrder hides a record of a complete export as an erased one, beside
// orders that do not erase it.
func TestErasedWithoutOrder(t *testing.T) {
	ada, stranger := storetest.NewSigner("ada"), storetest.NewSigner("stranger")
	victim := storetest.Examine(t, storetest.Rollout(1))
	order := func(s storetest.Signer, predicateType, digest, comment string) []byte {
		return storetest.Envelope(s, predicateType, []evidence.Subject{evidence.FileSubject("record", digest)}, storetest.Story{Comment: comment})
	}
	for name, tc := range map[string]struct {
		before, after []byte
		want          export.Result
	}{
		"by its act":       {nil, order(ada, storetest.ApprovalType, victim.Act.Hex(), eraseOrder), export.Pass},
		"by its envelope":  {nil, order(ada, storetest.ApprovalType, victim.ID.Hex(), eraseOrder), export.Pass},
		"no order":         {nil, nil, export.Fail},
		"order before":     {order(ada, storetest.ApprovalType, victim.Act.Hex(), eraseOrder), nil, export.Fail},
		"order of another": {nil, order(ada, storetest.ApprovalType, evidence.SHA256(nil), eraseOrder), export.Fail},
		"no erase record":  {nil, order(ada, storetest.ApprovalType, victim.Act.Hex(), "x"), export.Fail},
		"unverified order": {nil, order(stranger, storetest.UnknownType, victim.Act.Hex(), eraseOrder), export.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{newStore(t), newChain(t, "root", nil)}
			index := 0
			storetest.Add(t, w.store, storetest.Rollout(0))
			for _, data := range [][]byte{tc.before, storetest.Rollout(1), tc.after} {
				if data == nil {
					continue
				}
				if bytes.Equal(data, storetest.Rollout(1)) {
					index = int(must[int64](t)(w.store.Len(t.Context())))
				}
				loose := storetest.Intake()
				loose.AllowUnknownSigner = true
				must[[]evidence.Added](t)(evidence.Add(t.Context(), w.store, []evidence.Record{must[evidence.Record](t)(loose.Examine(data))}))
			}
			seal(t, w.store)
			u := unpack(t, w.write(t, func(s *export.Source) { s.Completeness = export.Complete }))
			u.erase(t, index, leafOf(t, w, int64(index)))
			o := w.options(t)
			o.Erases = func(r evidence.Record) bool {
				return erases(r) || r.PredicateType == storetest.UnknownType
			}
			if got := check(verify(t, u.reseal(t, auditor, "auditor", nil).pack(t), o), "completeness"); got.Result != tc.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

// leafOf is the entry of a record.
func leafOf(t testing.TB, w world, index int64) []byte {
	t.Helper()
	return must[[]byte](t)(checkpoint.Leaf(must[evidence.Record](t)(w.store.Record(t.Context(), index))).Marshal())
}

// erase takes the envelope out of a line.
func (u unpacked) erase(t testing.TB, n int, entry []byte) {
	t.Helper()
	l := u.lines()
	head, _, found := strings.Cut(l[n], `"envelope":`)
	if !found {
		t.Fatal("no envelope")
	}
	l[n] = head + fmt.Sprintf("\"envelope\":\"\",\"entry\":%q}\n", entry)
	u.files["records.jsonl"] = []byte(strings.Join(l, ""))
}

// TestStatementIsTheIndex changes an index that was signed, and signs a statement that
// says something else than its index.
func TestStatementIsTheIndex(t *testing.T) {
	w := newWorld(t)
	u := unpack(t, w.write(t, nil))
	signed := u.files["export.sigstore.json"]
	u.files["records.jsonl"] = []byte(strings.Join(u.lines()[1:], ""))
	u.reseal(t, auditor, "auditor", nil).files["export.sigstore.json"] = signed
	fails(t, w.verify(t, u.pack(t)), "index")
	for name, says := range map[string]func(*export.Predicate){
		"origin": func(p *export.Predicate) { p.Origin += "0" }, "size": func(p *export.Predicate) { p.Size++ }, "root": func(p *export.Predicate) { p.Root[0] ^= 1 },
		"query": func(p *export.Predicate) { p.Query.Projects = []string{"age"} }, "completeness": func(p *export.Predicate) { p.Completeness = export.Complete },
	} {
		u := unpack(t, w.write(t, nil))
		u.says = says
		if r := w.verify(t, u.reseal(t, auditor, "auditor", nil).pack(t)); !slices.Equal(failing(r), []string{"index"}) {
			t.Errorf("%s: %v", name, failing(r))
		}
	}
}

// finds is a store whose search finds what does not fit.
type finds struct{ evidence.Reader }

func (f finds) Search(ctx context.Context, q evidence.Query) (evidence.Page, error) {
	return f.Reader.Search(ctx, evidence.Query{Order: q.Order})
}

// serves is a store that changes what it has.
type serves struct {
	evidence.Reader
	change func(*evidence.Record)
}

func (s serves) Record(ctx context.Context, index int64) (evidence.Record, error) {
	r, err := s.Reader.Record(ctx, index)
	s.change(&r)
	return r, err
}

// plain is the same signed statement in another encoding, which a store takes too.
func plain(t testing.TB, bundle []byte) []byte {
	t.Helper()
	b := must[envelope.Bundle](t)(envelope.ParseBundle(bundle))
	return must[[]byte](t)(b.MarshalDSSE(b.KeyID))
}

// blobPath is where the store has the file of record 1.
func blobPath(t *testing.T, w world) string {
	t.Helper()
	f := must[io.ReadCloser](t)(w.store.OpenBlob(t.Context(), evidence.DigestOf(binary)))
	defer f.Close()
	return f.(*os.File).Name()
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
