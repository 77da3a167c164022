package rollout

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
)

var update = flag.Bool("update", false, "write golden files again")

// sample is the bundle of a capture with everything in it.
func sample(t testing.TB) envelope.Bundle {
	t.Helper()
	w := newWorld(t)
	w.succeeded()
	c := Capture{Environment: "production", Ring: "staging", ChangeRecord: "CHG-2", Status: StatusPlanned, Execution: evidence.DigestOf([]byte("promotion"))}
	c.Window = &Planned{day, day.Add(2 * time.Hour)}
	h := w.head("operator")
	h.Seen = &evidence.Checkpoint{Origin: "log.example.com/age", Size: 5, Root: evidence.DigestOf([]byte("root"))}
	st := must[evidence.Statement[Rollout]](t)(NewRollout(h, packageOf(t, "v1.1.0"), w.s, c))
	st.Predicate.Targets[0].InstallPath = "/opt/a|b_c\u202e"
	st.Predicate.Targets[0].Rollback = w.s.Holding("production", "pilot", "linux-runner")
	return must[envelope.Bundle](t)(evidence.Sign(keyOf("operator"), st))
}

func TestFilesAreReadAgain(t *testing.T) {
	files := must[map[string][]byte](t)(Files(sample(t)))
	d := must[*Directory](t)(ReadFiles(files))
	ok(t, d.Bundle.Verify(keyOf("operator").Public()))
	if d.Act != evidence.DigestOf(files[EvidenceFile]) || !bytes.Equal(d.Envelope, files[BundleFile]) || len(files) != 4 {
		t.Error("another directory")
	}
	for _, name := range []string{EvidenceFile, MarkdownFile} {
		golden := "testdata/" + name
		if *update {
			ok(t, os.WriteFile(golden, files[name], 0o644))
		}
		if want := must[[]byte](t)(os.ReadFile(golden)); !bytes.Equal(want, files[name]) {
			t.Errorf("%s is not %s:\n%s", name, golden, files[name])
		}
	}
}

// resum makes checksums that fit, as somebody who edits a file would.
func resum(files map[string][]byte) { files[ChecksumsFile] = checksums(files) }

func TestEditedDirectories(t *testing.T) {
	good := must[map[string][]byte](t)(Files(sample(t)))
	replace := func(name, old, replacement string) func(map[string][]byte) {
		return func(f map[string][]byte) {
			f[name] = bytes.Replace(f[name], []byte(old), []byte(replacement), 1)
		}
	}
	and := func(steps ...func(map[string][]byte)) func(map[string][]byte) {
		return func(f map[string][]byte) {
			for _, s := range steps {
				s(f)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(map[string][]byte)
		words  string
	}{
		{"evidence edited", replace(EvidenceFile, "staging", "pilot"), ChecksumsFile + ": " + EvidenceFile + " has sha256"},
		{"evidence edited and checksums corrected", and(replace(EvidenceFile, "staging", "pilot"), resum), EvidenceFile + " is not what " + BundleFile + " signs"},
		{"twin edited and checksums corrected", and(replace(MarkdownFile, "staging", "pilot"), resum), MarkdownFile + " is not what"},
		{"bundle edited and checksums corrected", and(replace(BundleFile, "mediaType", "mediatype"), resum), BundleFile + ": not a bundle"},
		{"emptied checksums", func(f map[string][]byte) { f[ChecksumsFile] = nil }, ChecksumsFile + ": line 1 is"},
		{"checksums that leave one out", func(f map[string][]byte) {
			f[ChecksumsFile] = f[ChecksumsFile][bytes.IndexByte(f[ChecksumsFile], '\n')+1:]
		}, "it does not name all three files"},
		{"checksums of another file", func(f map[string][]byte) {
			f[ChecksumsFile] = append([]byte(strings.Repeat("a", 64)+"  a\n"), f[ChecksumsFile]...)
		}, "a does not belong to a rollout"},
		{"no checksums", func(f map[string][]byte) { delete(f, ChecksumsFile) }, ChecksumsFile + " is missing"},
		{"no twin", func(f map[string][]byte) { delete(f, MarkdownFile) }, MarkdownFile + " is missing"},
		{"another file", func(f map[string][]byte) { f["notes\u202e.txt"] = nil }, `notes\u{202e}.txt does not belong to a rollout`},
		{"a huge file", func(f map[string][]byte) { f[MarkdownFile] = make([]byte, maxFile+1) }, "the limit is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(good)
			c.change(files)
			_, err := ReadFiles(files)
			expectRefusal(t, err, CodeEvidence, c.words)
		})
	}
}

// What somebody else signs under a rollout's name is no rollout.
func TestBundlesOfAnotherKind(t *testing.T) {
	v, f := packageFiles(t, "v1.0.0")
	closing := must[envelope.Bundle](t)(evidence.Sign(keyOf("releaser"), closingOf(*v.Release, f.Manifest)))
	plain := sample(t)
	plain.PayloadType = "text/plain"
	for words, b := range map[string]envelope.Bundle{"predicateType is": closing, "payloadType is": plain} {
		if _, err := Files(b); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	files := must[map[string][]byte](t)(Files(sample(t)))
	files[BundleFile], files[EvidenceFile] = must[[]byte](t)(closing.Marshal()), closing.Payload
	resum(files)
	_, err := ReadFiles(files)
	expectRefusal(t, err, CodeEvidence, EvidenceFile+": ")
}

// Another key's signature over the same payload is another bundle of the same act:
// whether it counts is judged by the state.
func TestReSignedByAForeignKey(t *testing.T) {
	w := newWorld(t)
	w.populate("pilot")
	st := w.newRollout("operator", "v1.0.0", pilot())
	w.deny(act(w, "stranger", st), CodeEvidence, "which trust version 1 does not list")
}

func TestMarkdownEscapes(t *testing.T) {
	st := must[*Directory](t)(ReadFiles(must[map[string][]byte](t)(Files(sample(t))))).Statement
	st.Predicate.Verification = []release.Check{{ID: "x", Subject: "| <b>\u200b\n# h", Result: release.Pass}}
	md := string(Markdown(st))
	if strings.Contains(md, "<b>") || strings.Contains(md, "\u200b") || strings.Contains(md, "\n# h") || !strings.Contains(md, `\| \<b\>\\u{200b}`) {
		t.Errorf("%s", md)
	}
}
