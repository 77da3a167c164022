package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/internal/access"
	"github.com/rollproof/rollproof/internal/service"
	"github.com/rollproof/rollproof/rollout"
)

// What a server has acknowledged is in the log, also when it is killed in the middle of
// its work (the real program, SIGKILL).
func testKilledUnderLoad(t *testing.T, m stock) {
	s := m.copy(t)
	binary := filepath.Join(t.TempDir(), "rollproof")
	if out, err := exec.Command("go", "build", "-C", m.source, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	stderr := &said{}
	server := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--rate", "100000")
	server.Env, server.Stderr = s.environ(), stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{shop: s, tokens: m.tokens}
	for range 500 {
		if found := listening.FindStringSubmatch(stderr.String()); found != nil {
			r.url = found[1]
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if r.url == "" {
		t.Fatalf("rollproof serve does not listen: %s", stderr)
	}
	holds := r.holds(200)
	var mu sync.Mutex
	var acknowledged []evidence.Digest
	var sent atomic.Int64
	var senders sync.WaitGroup
	for n := range 4 {
		senders.Go(func() {
			for i := n; i < len(holds); i += 4 {
				body, err := json.Marshal(map[string]any{"envelope": holds[i]})
				if err != nil {
					t.Error(err)
				}
				req, err := http.NewRequest("POST", r.url+"/api/v1/evidence", strings.NewReader(string(body)))
				if err != nil {
					t.Error(err)
				}
				req.Header.Set("Authorization", "Bearer "+m.tokens[access.Ingest])
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					return
				}
				data, err := io.ReadAll(res.Body)
				res.Body.Close()
				var doc evidence.AddDocument
				if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(data, &doc) != nil || len(doc.Records) != 1 {
					continue
				}
				mu.Lock()
				acknowledged = append(acknowledged, doc.Records[0].Act)
				mu.Unlock()
				if sent.Add(1) == 40 {
					if err := server.Process.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	senders.Wait()
	if err := server.Wait(); err == nil || len(acknowledged) < 40 {
		t.Fatalf("%v, %d acknowledged", err, len(acknowledged))
	}
	for _, act := range acknowledged {
		s.run(0, "evidence", "show", act.Hex())
	}
	s.run(0, "evidence", "verify", "--all")
	t.Logf("%d acknowledged, each is there", len(acknowledged))
}

// holds are signed acts, each of its own.
func (r *running) holds(n int) [][]byte {
	r.t.Helper()
	draft := r.draft("/api/v1/holds/drafts", service.Ask{KeyID: r.keyid("policy"), Ring: "production", Reason: "hold"})
	s, err := evidence.DecodeStatement[rollout.Hold](draft.Payload, rollout.HoldType)
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := os.ReadFile(r.key("policy"))
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := keys.Parse(data, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var list [][]byte
	for i := range n {
		s.Predicate.Reason = fmt.Sprintf("hold %d", i)
		b, err := evidence.Sign(key, s)
		if err != nil {
			r.t.Fatal(err)
		}
		data, err := b.Marshal()
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}
