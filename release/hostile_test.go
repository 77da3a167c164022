package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
)

// manifest is the smallest manifest that decodes.
func manifest() Manifest {
	sum := strings.Repeat("0", 64)
	return Manifest{
		Schema: manifestSchema,
		Release: Identity{"hello", "v1.0.0", "example.com/hello", SourceIdentity{
			"https://example.com/hello", "", strings.Repeat("a", 40), strings.Repeat("b", 40), "2026-01-02T03:04:05Z"}},
		Toolchain: "go1.26.8", Hazards: []Hazard{},
		Binaries: []Binary{{"bin/hello_v1.0.0_linux_amd64", "hello", "example.com/hello", Platform{"linux", "amd64"}, "v1.0.0"}},
		Files: []Artifact{
			{"bin/hello_v1.0.0_linux_amd64", 1, "0755", sum, RoleBinary},
			{"checksums.txt", 1, "0644", sum, RoleChecksums},
		},
	}
}

func encoded(t testing.TB, m Manifest) []byte {
	t.Helper()
	data, err := envelope.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestManifestRefuses(t *testing.T) {
	if _, err := DecodeManifest(encoded(t, manifest())); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(m *Manifest)
		want   string
	}{
		"unknown schema version":    {func(m *Manifest) { m.Schema = strings.TrimSuffix(m.Schema, "1") + "2" }, "schema"},
		"path out of the package":   {func(m *Manifest) { m.Files[0].Path = "../hello" }, "path"},
		"absolute path":             {func(m *Manifest) { m.Files[0].Path = "/bin/hello" }, "path"},
		"Windows path":              {func(m *Manifest) { m.Files[0].Path = `bin\hello` }, "path"},
		"device name":               {func(m *Manifest) { m.Files[1].Path = "con.txt" }, "con.txt"},
		"case collision":            {func(m *Manifest) { m.Files[1].Path = "BIN/hello_v1.0.0_linux_amd64" }, "BIN"},
		"duplicate path":            {func(m *Manifest) { m.Files[1].Path = m.Files[0].Path }, ""},
		"file and directory":        {func(m *Manifest) { m.Files[1].Path = "bin" }, ""},
		"unsorted":                  {func(m *Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] }, "sorted"},
		"bidirectional name":        {func(m *Manifest) { m.Release.Project = "hel\u202elo" }, "project"},
		"zero-width name":           {func(m *Manifest) { m.Release.Version = "v1\u200b" }, "version"},
		"slash in version":          {func(m *Manifest) { m.Release.Version = "v1/2" }, "version"},
		"unknown role":              {func(m *Manifest) { m.Files[1].Role = "malware" }, "role"},
		"unknown mode":              {func(m *Manifest) { m.Files[0].Mode = "4755" }, "mode"},
		"negative size":             {func(m *Manifest) { m.Files[0].Size = -1 }, "size"},
		"upper-case digest":         {func(m *Manifest) { m.Files[0].SHA256 = strings.Repeat("A", 64) }, "sha256"},
		"binary under another name": {func(m *Manifest) { m.Binaries[0].Name = "other" }, "bin/other_v1.0.0_linux_amd64"},
		"binary of no file":         {func(m *Manifest) { m.Files = m.Files[1:] }, "binaries are"},
		"null list":                 {func(m *Manifest) { m.Hazards = nil }, "hazards"},
	} {
		m := manifest()
		tc.change(&m)
		if _, err := DecodeManifest(encoded(t, m)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
	unknown := bytes.Replace(encoded(t, manifest()), []byte(`"toolchain"`), []byte(`"toolchian"`), 1)
	if _, err := DecodeManifest(unknown); err == nil || !strings.Contains(err.Error(), `the nearest known is "toolchain"`) {
		t.Errorf("misspelled field: %v", err)
	}
}

func TestChecksumsRefuse(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	good := a + "  bin/x\n" + b + "  y\n"
	if sums, err := ParseChecksums([]byte(good)); err != nil || len(sums) != 2 {
		t.Fatal(sums, err)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"empty line":       "\n",
		"no last line end": strings.TrimSuffix(good, "\n"),
		"CRLF":             strings.ReplaceAll(good, "\n", "\r\n"),
		"upper case":       strings.ToUpper(a) + "  x\n",
		"binary mark":      a + " *x\n",
		"one space":        a + " x\n",
		"short digest":     a[1:] + "  x\n",
		"unsorted":         b + "  y\n" + a + "  bin/x\n",
		"twice":            a + "  x\n" + b + "  x\n",
		"parent":           a + "  ../x\n",
		"escaped name":     `\` + a + "  x\\n\n",
		"trailing data":    good + "\n",
		"control":          a + "  x\x1b[2J\n",
	} {
		if sums, err := ParseChecksums([]byte(text)); err == nil {
			t.Errorf("%s: parsed as %v", name, sums)
		} else if strings.ContainsAny(err.Error(), "\x1b\r\n") {
			t.Errorf("%s: the message holds control characters: %q", name, err)
		}
	}
}

func TestStatementOfAnotherType(t *testing.T) {
	s := evidence.NewStatement(evidence.DetachedSignature, []evidence.Subject{evidence.FileSubject("x", strings.Repeat("0", 64))}, struct{}{})
	data, err := envelope.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	var typed *evidence.TypeError
	if _, err := evidence.DecodeStatement[struct{}](data, evidence.Provenance); !errors.As(err, &typed) || typed.Field != "predicateType" {
		t.Errorf("another predicate type: %v", err)
	}
	if _, err := evidence.DecodeStatement[Closing](data, evidence.DetachedSignature); err == nil {
		t.Error("a predicate without its fields is accepted")
	}
}

// What a document says is printed as text, whatever it holds.
func TestMarkdownShowsTextAsText(t *testing.T) {
	m := manifest()
	m.Hazards = []Hazard{{"x", "# not a heading <script>alert(1)</script> | [link](https://example.com) \u202e\u200b\x1b[31m"}}
	text := string(m.Markdown())
	for _, bad := range []string{"\u202e", "\u200b", "\x1b", "\n# not", ": # not"} {
		if strings.Contains(text, bad) {
			t.Errorf("the Markdown holds %q", bad)
		}
	}
	for _, escaped := range []string{`\<script\>`, `\[link\]`, `\|`, `\# not`, `\\u{202e}`} {
		if !strings.Contains(text, escaped) {
			t.Errorf("the Markdown does not hold %q:\n%s", escaped, text)
		}
	}
}

func FuzzChecksumsHaveOneForm(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  bin/x\n"))
	f.Add([]byte(strings.Repeat("0", 64) + "  a\n" + strings.Repeat("1", 64) + "  b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := ParseChecksums(data)
		if err == nil && !bytes.Equal(FormatChecksums(sums), data) {
			t.Errorf("accepted %q", data)
		}
	})
}

func FuzzManifestHasOneForm(f *testing.F) {
	f.Add(encoded(f, manifest()))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			return
		}
		if again, err := envelope.Encode(m); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
		m.Markdown()
	})
}

func FuzzStatementHasOneForm(f *testing.F) {
	good, _ := envelope.Encode(evidence.NewStatement(evidence.ReleaseEvidence, []evidence.Subject{evidence.FileSubject("x", "00")}, Closing{}))
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := evidence.DecodeStatement[json.RawMessage](data, evidence.ReleaseEvidence)
		if err != nil {
			return
		}
		if again, err := envelope.Encode(s); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted %q, writes %q (%v)", data, again, err)
		}
	})
}
