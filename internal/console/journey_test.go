package console_test

import (
	"strings"
	"testing"
)

func TestEveryPage(t *testing.T) {
	w := newWorld(t)
	server := w.serve(nil)
	b := newBrowser(t)
	b.open(server.URL + "/")
	b.look("login")
	b.signIn(server.URL)
	list := w.run("rollproof evidence search --jsonl --metadata-kind managed-endpoint-rollout | grep -o '\"rollout\":\"[^\"]*' | cut -d'\"' -f4")
	rollout := strings.Fields(list)[0]
	request := strings.TrimSpace(w.run(`rollproof approval list --json | grep -o '"act": "sha256:[^"]*' | head -1 | cut -d: -f3`))
	execution := strings.TrimSpace(w.run(`rollproof evidence search --metadata-kind rollout-promotion-execution --jsonl | grep -o '"act":"sha256:[0-9a-f]*' | head -1 | cut -d: -f3`))
	pkg := strings.TrimSpace(w.run(`rollproof evidence search --metadata-kind release-package --jsonl | grep -o '"act":"sha256:[0-9a-f]*' | head -1 | cut -d: -f3`))
	for name, path := range map[string]string{
		"rings": "/rings/hello", "target": "/target/hello/production/hello-linux-amd64", "rollouts": "/rollouts/hello", "rollout": "/rollout/" + rollout,
		"requests": "/requests/hello", "request": "/request/" + request, "executions": "/executions/hello", "execution": "/execution/" + execution,
		"evidence": "/evidence", "filtered": "/evidence?ring=pilot&q=ada", "record": "/record/" + execution, "package": "/record/" + pkg, "release": "/record/" + pkg + "/release",
		"log": "/log", "keys": "/keys",
	} {
		b.open(server.URL + path)
		b.look(name)
	}
}
