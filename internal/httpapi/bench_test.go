package httpapi_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/httpapi"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

const (
	benchRecords = 100_000
	benchReaders = 200
	benchTime    = 20 * time.Second
)

// BenchmarkServe lets 200 readers, each with a token of its own, ask for one page of a
// search every second for 20 seconds, of a store with 100,000 records, and prints how
// long they waited, and the median over that of a question without work. It goes round
// once, whatever b.N is.
func BenchmarkServe(b *testing.B) {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "evidence.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	fill(b, store)
	root := benchRoot(b)
	secrets := benchTokens(b, store, root)
	url := benchServer(b, store, root)
	b.ResetTimer()
	waited, failed := readAll(b, url, secrets)
	b.StopTimer()
	slices.Sort(waited)
	idle := probe(b, url, secrets)
	b.ReportMetric(float64(waited[len(waited)/2])/float64(idle), "p50/healthz")
	b.ReportMetric(float64(waited[len(waited)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waited[len(waited)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(failed), "errors")
	b.ReportMetric(float64(len(waited)), "requests")
	b.ReportMetric(0, "ns/op")
}

func fill(b *testing.B, store *sqlite.Store) {
	b.Helper()
	in := storetest.Intake()
	for from := 0; from < benchRecords; from += 1000 {
		var records []evidence.Record
		for n := from; n < from+1000; n++ {
			r, err := in.Derive(storetest.Rollout(n))
			if err != nil {
				b.Fatal(err)
			}
			r.Signer.Person, r.Signer.Role = "ada", trust.Attest
			records = append(records, r)
		}
		if _, err := evidence.Add(b.Context(), store, records); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRoot(b *testing.B) access.Root {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	now, all := time.Now().UTC().Truncate(time.Second), []string{"*"}
	edit := trust.New(now.AddDate(0, -1, 0), now.AddDate(1, 0, 0))
	for id, grant := range map[string]trust.Grant{"root": {Role: trust.Root}, "grace": {Role: trust.Policy, Projects: all, Environments: all, Rings: all}} {
		key := storetest.NewSigner(id).Public()
		edit.Person(trust.Person{ID: id, Name: "Grace"})
		must(edit.AddKey(key, trust.Key{Person: id}))
		grant.KeyID = key.KeyID()
		must(edit.Grant(grant))
	}
	doc, err := edit.Document()
	must(err)
	data, err := doc.Marshal()
	must(err)
	bundle, err := envelope.Sign(storetest.NewSigner("root"), trust.PayloadType, data)
	must(err)
	signature, err := bundle.Marshal()
	must(err)
	chain, err := trust.Load(map[string][]byte{trust.FileName(1): data, trust.BundleName(1, storetest.NewSigner("root").Public()): signature}, trust.Digest(data))
	must(err)
	authority, err := chain.At(now, trust.Options{})
	must(err)
	return access.Root{Chain: chain, Authority: authority}
}

func benchTokens(b *testing.B, store *sqlite.Store, root access.Root) []string {
	b.Helper()
	catalog, err := evidence.NewCatalog(access.CatalogEntries()...)
	if err != nil {
		b.Fatal(err)
	}
	in := evidence.Intake{Catalog: catalog, Authority: root.Authority}
	grace, now := storetest.NewSigner("grace"), time.Now()
	h := rollout.Head{Actor: rollout.Actor{KeyID: grace.Public().KeyID(), Person: "grace"}, Trust: rollout.TrustVersion{Version: 1, Digest: root.Chain.Digest()}, Claimed: now}
	var texts []string
	var records []evidence.Record
	for n := range benchReaders {
		secret, err := access.NewSecret(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		st, err := access.NewToken(h, secret, access.Grant{Owner: fmt.Sprintf("reader-%d", n), Machine: true, Scopes: []access.Scope{access.Read}, NotBefore: now.Add(-time.Hour), Expires: now.Add(time.Hour)})
		if err != nil {
			b.Fatal(err)
		}
		bundle, err := evidence.Sign(grace, st)
		if err != nil {
			b.Fatal(err)
		}
		data, err := bundle.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		record, err := in.Examine(data)
		if err != nil {
			b.Fatal(err)
		}
		texts, records = append(texts, secret.Text()), append(records, record)
	}
	if _, err := evidence.Add(b.Context(), store, records); err != nil {
		b.Fatal(err)
	}
	return texts
}

func benchServer(b *testing.B, store *sqlite.Store, root access.Root) string {
	b.Helper()
	logs, err := httpapi.OpenLog(b.TempDir(), time.Now, func(err error) { b.Error(err) })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { logs.Close() })
	tokens := access.NewTokens(store, func() (access.Root, error) { return root, nil }, time.Now)
	if _, err := tokens.List(b.Context()); err != nil { // as rollproof serve does before it listens
		b.Fatal(err)
	}
	catalog := storetest.Intake().Catalog
	server, err := httpapi.New(httpapi.Options{
		Service: service.New(service.Options{Store: store, Catalog: catalog, Now: time.Now, Location: time.LoadLocation, Trust: func() (*trust.Chain, trust.Authority, error) { return root.Chain, root.Authority, nil }}),
		Catalog: catalog, Hosts: []string{"127.0.0.1"}, Log: logs, Now: time.Now, Version: "benchmark",
		Gate: &access.Gate{Tokens: tokens, Sessions: access.NewSessions(tokens, time.Now, rand.Reader, false)},
	})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l, time.Minute) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// pages are what readers ask for, one after the other.
var pages = []string{
	"?limit=50", "?project=age&ring=pilot&limit=50", "?change-record=CHG-77777", "?person=ada&order=oldest", "?text=rollout-5*&limit=50", "?metadata-kind=managed-endpoint-rollout&version=v1.0.4242",
	"?rollout-status=planned&environment=production", "?deployment-target=runner&limit=20",
}

func readAll(b *testing.B, url string, secrets []string) (waited []time.Duration, failed int) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: benchReaders}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	var readers sync.WaitGroup
	for n, secret := range secrets {
		readers.Go(func() {
			time.Sleep(time.Duration(n) * time.Second / benchReaders) // people don't ask all at once
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for i := range int(benchTime.Seconds()) {
				begun := time.Now()
				err := readOne(transport, url+"/api/v1/evidence"+pages[(n+i)%len(pages)], secret)
				mu.Lock()
				waited = append(waited, time.Since(begun))
				if err != nil {
					failed++
				}
				mu.Unlock()
				<-tick.C
			}
		})
	}
	readers.Wait()
	return waited, failed
}

// probe is how long the same server takes, with nobody else asking, for the answer that
// is the least work: the median over all readers.
func probe(b *testing.B, url string, secrets []string) time.Duration {
	b.Helper()
	var took []time.Duration
	for _, secret := range secrets {
		begun := time.Now()
		if err := readOne(http.DefaultTransport, url+"/healthz", secret); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func readOne(transport http.RoundTripper, url, secret string) error {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", res.Status)
	}
	return err
}
