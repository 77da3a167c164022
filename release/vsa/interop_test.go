package vsa

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// written is a directory with a key, a summary in both encodings, and files.
func written(t *testing.T, f Facts) (dir, keyid string) {
	t.Helper()
	key, dir := newKey(t, 1), t.TempDir()
	bundle, line, err := Write(key, f)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := key.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := newKey(t, 2).Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"key.pub": pem, "other.pub": stranger, "tiny" + BundleSuffix: bundle, "tiny" + LineSuffix: line, "linux": []byte("linux"), "other": []byte("other")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, key.Public().KeyID()
}

// cosign verifies the bundle for a subject, and refuses it for another file.
func TestInteropCosign(t *testing.T) {
	tool, err := exec.LookPath("cosign")
	if err != nil && os.Getenv("ROLLPROOF_REQUIRE_INTEROP") == "1" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
	dir, _ := written(t, passed())
	for file, want := range map[string]bool{"linux": true, "other": false} {
		cmd := exec.Command(tool, "verify-blob-attestation", "--key", "key.pub", "--insecure-ignore-tlog", "--type", PredicateType, "--bundle", "tiny"+BundleSuffix, file)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("cosign, %s: %v: %s", file, err, out)
		}
	}
}

// slsa-verifier verifies the line for its subjects, resource, verifier and levels, and
// for nothing else. Where it cannot be built make interop goes on without it.
func TestInteropSLSAVerifier(t *testing.T) {
	tool, err := exec.LookPath("slsa-verifier")
	if err != nil {
		t.Skip(err)
	}
	dir, keyid := written(t, passed())
	without, _ := written(t, failed())
	type question struct{ dir, subject, resource, verifier, level, key string }
	good := question{dir, sum("linux"), passed().ResourceURI, passed().VerifierID, LevelBuild1, "key.pub"}
	ask := func(change func(*question)) question {
		q := good
		change(&q)
		return q
	}
	for name, c := range map[string]struct {
		question
		want bool
	}{
		"good":             {good, true},
		"another level":    {ask(func(q *question) { q.level = LevelRebuildMatch }), true},
		"another subject":  {ask(func(q *question) { q.subject = sum("other") }), false},
		"another resource": {ask(func(q *question) { q.resource += "4" }), false},
		"another verifier": {ask(func(q *question) { q.verifier += "s" }), false},
		"a higher level":   {ask(func(q *question) { q.level = "SLSA_BUILD_LEVEL_3" }), false},
		"another key":      {ask(func(q *question) { q.key = "other.pub" }), false},
		"a failed verdict": {ask(func(q *question) { q.dir = without }), false},
	} {
		cmd := exec.Command(tool, "verify-vsa", "--attestation-path", "tiny"+LineSuffix, "--subject-digest", "sha256:"+c.subject, "--resource-uri", c.resource,
			"--verifier-id", c.verifier, "--verified-level", c.level, "--public-key-path", c.key, "--public-key-id", keyid)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); (err == nil) != c.want {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
