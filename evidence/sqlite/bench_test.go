package sqlite_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

const benchBatch = 1000

// bundle returns a signed rollout of about 2 KB, as large as one of a release for four
// platforms.
func bundle(n int) []byte {
	var subjects []evidence.Subject
	for _, platform := range []string{"linux_amd64", "linux_arm64", "windows_amd64"} {
		subjects = append(subjects, storetest.Subject(fmt.Sprintf("bin/age_v1.0.%d_%s", n, platform)))
	}
	return storetest.Envelope(storetest.NewSigner("ada"), storetest.RolloutType, subjects, storetest.Story{
		Facts: evidence.Facts{
			Project: "age", Version: fmt.Sprintf("v1.0.%d", n), ChangeRecord: fmt.Sprintf("CHG-%d", n), Environment: "production", Ring: "pilot",
			RolloutStatus: "planned", Rollout: fmt.Sprintf("rollout-%d", n), DeploymentTargets: []string{"github-actions-linux-amd64-runner", "workstation-windows-amd64"},
		},
		Claimed: "2026-03-02T12:00:00Z", Comment: "the release of the week, as agreed with operations",
	})
}

// filler returns the n-th record of a library of many: nothing in it is signed, for
// a search looks at columns. Values are spread as they are in life: a few kinds,
// rings and people, some hundred versions, and change records of ten records each.
func filler(n int) evidence.Record {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n))
	act := sha256.Sum256(seed[:])
	template := fillerTemplate()
	data := bytes.Clone(template)
	copy(data[len(data)-200:], fmt.Sprintf("%x", act))
	r := evidence.Record{
		ID: evidence.DigestOf(data), Act: act, Envelope: data, StatementType: evidence.StatementType, PredicateType: storetest.RolloutType,
		Signer: evidence.SignedBy{KeyID: storetest.NewSigner("ada").Public().KeyID(), Person: fmt.Sprintf("person-%d", n%20), Role: "attest"},
		Kind:   evidence.Kinds[fillerKind(n)],
	}
	r.Project, r.Version, r.ChangeRecord = fillerProject(n), fmt.Sprintf("v1.%d.0", n/1000), fmt.Sprintf("CHG-%d", n/10)
	r.Environment, r.Ring = []string{"production", "test"}[n%2], []string{"pilot", "staging", "production"}[n%3]
	r.RolloutStatus = "succeeded"
	if n%997 == 0 {
		r.RolloutStatus = "failed"
	}
	r.Rollout = fmt.Sprintf("rollout-%d", n/5)
	r.DeploymentTargets = []string{"github-actions-linux-amd64-runner", fmt.Sprintf("target-%d", n%100)}
	r.Text = []string{"the release of the week, as agreed with operations", fmt.Sprintf("incident-%d", n/50)}
	for k := range 3 {
		seed[0] = byte(k + 1)
		sum := sha256.Sum256(seed[:])
		r.Subjects = append(r.Subjects, evidence.FileSubject(fmt.Sprintf("bin/tool_%d_%d", n/1000, k), fmt.Sprintf("%x", sum)))
	}
	return r
}

var fillerTemplate = sync.OnceValue(func() []byte { return bundle(1_000_000) })

// fillerKind: of a hundred records 60 are rollouts, and one in ten thousand is a hold.
func fillerKind(n int) int {
	switch {
	case n%10_000 == 17:
		return slices.Index(evidence.Kinds, evidence.KindHold)
	case n%100 < 60:
		return slices.Index(evidence.Kinds, evidence.KindRollout)
	case n%100 < 80:
		return slices.Index(evidence.Kinds, evidence.KindObservation)
	}
	return slices.Index(evidence.Kinds, evidence.KindApproval)
}

// fillerProject: half of all records are of one project, the rest of fifty.
func fillerProject(n int) string {
	if n%2 == 0 {
		return "age"
	}
	return fmt.Sprintf("project-%d", n/2%50)
}

func fillerDigest(n int) string {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n))
	seed[0] = 1
	return fmt.Sprintf("%x", sha256.Sum256(seed[:]))
}

// latencies collects how long single operations took.
type latencies []time.Duration

func (l *latencies) time(f func()) {
	start := time.Now()
	f()
	*l = append(*l, time.Since(start))
}

func (l latencies) median() time.Duration {
	slices.Sort(l)
	return l[(len(l)-1)/2]
}

// report prints the median and the 95th percentile in milliseconds.
func (l latencies) report(b *testing.B) {
	slices.Sort(l)
	for name, p := range map[string]int{"p50-ms": 50, "p95-ms": 95} {
		b.ReportMetric(float64(l[(len(l)-1)*p/100].Microseconds())/1000, name)
	}
}

// plain is the least that any store does: the same bytes in one table of the same
// SQLite, equally durable.
type plain struct{ db *sql.DB }

func newPlain(b *testing.B) plain {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "plain.db")+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE envelope (bytes BLOB)"); err != nil {
		b.Fatal(err)
	}
	return plain{db}
}

func (p plain) add(b *testing.B, envelopes [][]byte) {
	tx, err := p.db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for _, data := range envelopes {
		if _, err := tx.Exec("INSERT INTO envelope (bytes) VALUES (?)", data); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkIngest records envelopes, verified, logged and durable, one and a thousand
// at a time. Beside it stand the time of the store alone and that of the same bytes
// in a plain table.
func BenchmarkIngest(b *testing.B) {
	for _, batch := range []int{1, benchBatch} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { benchmarkIngest(b, batch) })
	}
}

func benchmarkIngest(b *testing.B, batch int) {
	s, p, next := openAt(b, filepath.Join(b.TempDir(), "evidence.db"), time.Now), newPlain(b), 0
	intake := storetest.Intake()
	var examine, add, raw time.Duration
	since := func(d *time.Duration, start time.Time) { *d += time.Since(start) }
	for b.Loop() {
		b.StopTimer()
		var envelopes [][]byte
		for range batch {
			envelopes, next = append(envelopes, bundle(next)), next+1
		}
		start := time.Now()
		p.add(b, envelopes)
		since(&raw, start)
		b.StartTimer()
		start = time.Now()
		records, errs := intake.ExamineAll(envelopes, nil)
		if err := errors.Join(errs...); err != nil {
			b.Fatal(err)
		}
		since(&examine, start)
		start = time.Now()
		if _, err := evidence.Add(b.Context(), s, records); err != nil {
			b.Fatal(err)
		}
		since(&add, start)
	}
	b.ReportMetric(float64(next)/(examine+add).Seconds(), "records/s")
	b.ReportMetric(float64(next)/add.Seconds(), "store-records/s")
	b.ReportMetric(float64(next)/examine.Seconds(), "verify-records/s")
	b.ReportMetric(float64(next)/raw.Seconds(), "plain-rows/s")
	b.ReportMetric(add.Seconds()/raw.Seconds(), "store/plain")
}

// benchSizes are the sizes of the libraries; ROLLPROOF_BENCH_RECORDS names one more.
func benchSizes(b *testing.B) []int {
	sizes := []int{10_000, 100_000}
	if text := os.Getenv("ROLLPROOF_BENCH_RECORDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		sizes = []int{n}
	}
	return sizes
}

// A library is a store of many records.
type library struct {
	file    string
	filling float64 // records a second, not verified
	more    float64 // bytes of a record over its envelope's
}

// fill makes a library of n records.
func fill(b *testing.B, n int) library {
	file := filepath.Join(b.TempDir(), "evidence.db")
	s, err := sqlite.Open(b.Context(), file, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	start, envelopes := time.Now(), 0
	for from := 0; from < n; from += benchBatch {
		var records []evidence.Record
		for i := from; i < min(n, from+benchBatch); i++ {
			records = append(records, filler(i))
			envelopes += len(records[len(records)-1].Envelope)
		}
		if _, err := evidence.Add(b.Context(), s, records); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(start)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	return library{file, float64(n) / took.Seconds(), float64(info.Size()-int64(envelopes)) / float64(n)}
}

// BenchmarkSearch prints the latency of the first page of searches, with values that
// are drawn at random.
func BenchmarkSearch(b *testing.B) {
	for _, n := range benchSizes(b) {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			lib := fill(b, n)
			b.Run("open", func(b *testing.B) { benchmarkOpen(b, lib) })
			s, raw := openAt(b, lib.file, time.Now), lib.raw(b)
			for _, search := range searches(n) {
				b.Run(search.name, func(b *testing.B) { benchmarkSearch(b, s, search.query, func() { raw(rand.IntN(n)) }) })
			}
		})
	}
}

type search struct {
	name  string
	query func() evidence.Query
}

func searches(n int) []search {
	list := func(v ...string) []string { return v }
	kinds := func(k ...evidence.Kind) []evidence.Kind { return k }
	draw := func() int { return rand.IntN(n) }
	return []search{
		{"newest", func() evidence.Query { return evidence.Query{} }},
		{"digest", func() evidence.Query { return evidence.Query{Digests: list(fillerDigest(draw()))} }},
		{"digest-unknown", func() evidence.Query { return evidence.Query{Digests: list(fillerDigest(n + draw()))} }},
		{"change-record", func() evidence.Query { return evidence.Query{ChangeRecords: list(fmt.Sprintf("CHG-%d", draw()/10))} }},
		{"rare-kind", func() evidence.Query { return evidence.Query{Kinds: kinds(evidence.KindHold)} }},
		{"frequent+frequent", func() evidence.Query {
			return evidence.Query{Kinds: kinds(evidence.KindRollout), Environments: list("test"), Rings: list("staging")}
		}},
		{"rare+frequent", func() evidence.Query {
			return evidence.Query{RolloutStatuses: list("failed"), Kinds: kinds(evidence.KindApproval), Rings: list("pilot", "staging")}
		}},
		{"version+project+kind", func() evidence.Query {
			return evidence.Query{Projects: list(fillerProject(draw())), Versions: list(fmt.Sprintf("v1.%d.0", draw()/1000)), Kinds: kinds(evidence.KindObservation)}
		}},
		{"project+target+person", func() evidence.Query {
			k := draw()
			return evidence.Query{Projects: list(fillerProject(k)), DeploymentTargets: list(fmt.Sprintf("target-%d", k%100)), Persons: list(fmt.Sprintf("person-%d", k%20))}
		}},
		{"kinds+time", func() evidence.Query {
			return evidence.Query{Kinds: kinds(evidence.KindApproval, evidence.KindHold), Until: time.Now().Add(-time.Second), Projects: list("age", "project-3")}
		}},
		{"frequent, never together", func() evidence.Query {
			return evidence.Query{Projects: list("age"), Environments: list("test")}
		}},
		{"text-rare", func() evidence.Query { return evidence.Query{Text: fmt.Sprintf("incident-%d", draw()/50)} }},
		{"text-frequent", func() evidence.Query { return evidence.Query{Text: "agreed operations"} }},
		{"text+filters", func() evidence.Query {
			return evidence.Query{Text: "week agreed", ChangeRecords: list(fmt.Sprintf("CHG-%d", draw()/10))}
		}},
		{"text-prefix", func() evidence.Query { return evidence.Query{Text: fmt.Sprintf("incident %d*", draw()/50/10)} }},
	}
}

// raw reads one row of the same file by its number, which is the least that any answer
// takes.
func (l library) raw(b *testing.B) func(int) {
	db, err := sql.Open("sqlite", "file:"+l.file+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return func(n int) {
		var data []byte
		if err := db.QueryRow("SELECT bytes FROM envelope WHERE record = ?", n).Scan(&data); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkSearch also prints how many raw reads take as long as the median search.
func benchmarkSearch(b *testing.B, s *sqlite.Store, query func() evidence.Query, raw func()) {
	var took, reads latencies
	hits := 0
	for b.Loop() {
		q := query()
		took.time(func() {
			page, err := s.Search(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			hits += len(page.Records)
		})
		reads.time(raw)
	}
	took.report(b)
	b.ReportMetric(float64(took.median())/float64(reads.median()), "search/raw")
	b.ReportMetric(float64(hits)/float64(b.N), "hits")
}

// benchmarkOpen also prints how fast the library was filled, and what a record costs.
func benchmarkOpen(b *testing.B, lib library) {
	var took latencies
	for b.Loop() {
		took.time(func() {
			s, err := sqlite.Open(b.Context(), lib.file, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Len(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
	took.report(b)
	b.ReportMetric(lib.filling, "filled/s")
	b.ReportMetric(lib.more, "bytes-over-envelope")
}
