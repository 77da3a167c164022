package release_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/keys"
	"github.com/rollproof/rollproof/release"
)

const (
	releaseFile = "tiny.release.sigstore.json"
	archiveFile = "archives/tiny.tar.gz"
	attestFile  = "attestations/build.json"
)

// attestation is somebody else's word about a file of the given digest.
func attestation(predicateType, sum string) []byte {
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`, sum, predicateType)
	return fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[]}`, evidence.PayloadType, base64.StdEncoding.EncodeToString([]byte(statement)))
}

// importing packages the binaries as something that rollproof did not build, with an
// archive and an attestation about it.
func importing(t testing.TB) *memory {
	t.Helper()
	archive := []byte("an archive")
	m, _ := cached(t, "imported", newKey(t, 1), func(in *release.Ingredients) {
		in.Link = nil
		in.Imported = &release.Imported{Archives: []string{archiveFile}, Attestations: map[string][]byte{"build.json": attestation(evidence.Provenance, evidence.SHA256(archive))}}
	})
	return m
}

func TestImportedPackage(t *testing.T) {
	m := importing(t)
	v := verify(t, m, newKey(t, 1))
	if v.Result != release.Pass || v.Failed != 0 {
		t.Errorf("%s: %+v", v.Result, v.Checks)
	}
	for _, c := range v.Checks {
		want := release.Pass
		if strings.HasPrefix(c.ID, "provenance") || c.ID == "attestation" {
			want = release.NotChecked
		}
		if c.Result != want || c.Required != (want == release.Pass) {
			t.Errorf("%s %s: %s, required %t", c.ID, c.Subject, c.Result, c.Required)
		}
	}
	if !slices.ContainsFunc(v.Notes, func(n string) bool {
		return strings.HasPrefix(n, "rollproof did not build these binaries: bin/tiny_v1.2.3_linux_amd64, bin/tiny_v1.2.3_windows_amd64.exe;")
	}) {
		t.Errorf("notes %q", v.Notes)
	}
	for path := range m.files {
		if strings.Contains(path, "provenance") || strings.HasSuffix(path, ".link") {
			t.Errorf("%s claims a build", path)
		}
	}
}

// Whoever strips the provenance from a package that rollproof built needs the releaser's
// key, and then the verdict says that nobody vouches for the build.
func TestReleaserLiesAboutAnImport(t *testing.T) {
	key := newKey(t, 1)
	built, _ := signed(t)
	for name, test := range map[string]struct {
		from   *memory
		attack func(m *memory, manifest *release.Manifest)
		check  string
	}{
		"both statements": {importing(t), func(m *memory, manifest *release.Manifest) {
			m.put("tiny.provenance.sigstore.json", built.files["tiny.provenance.sigstore.json"])
			list(manifest, "tiny.provenance.sigstore.json", release.RoleProvenance)
		}, "manifest"},
		"neither statement": {importing(t), func(m *memory, manifest *release.Manifest) {
			m.remove(releaseFile)
			unlist(manifest, releaseFile)
		}, "manifest"},
		"an archive in a built package": {built.clone(), func(m *memory, manifest *release.Manifest) {
			attach(t, m, manifest, key, archiveFile)
		}, "manifest"},
		"an attestation in a built package": {built.clone(), func(m *memory, manifest *release.Manifest) {
			m.put(attestFile, attestation(evidence.Provenance, evidence.SHA256(m.files[manifest.Binaries[0].Path])))
			list(manifest, attestFile, release.RoleAttestation)
		}, "manifest"},
		"an archive elsewhere": {importing(t), func(m *memory, manifest *release.Manifest) {
			attach(t, m, manifest, key, "bin/more.tar.gz")
			restate(t, m, key, func(s *evidence.Statement[release.ReleaseClaim]) {
				s.Subject = append(s.Subject, evidence.FileSubject("bin/more.tar.gz", evidence.SHA256([]byte("x"))))
			})
		}, "manifest"},
		"a statement without the archive": {importing(t), func(m *memory, manifest *release.Manifest) {
			restate(t, m, key, func(s *evidence.Statement[release.ReleaseClaim]) { s.Subject = s.Subject[1:] })
		}, "release-statement"},
		"a statement of another release": {importing(t), func(m *memory, manifest *release.Manifest) {
			restate(t, m, key, func(s *evidence.Statement[release.ReleaseClaim]) { s.Predicate.Purl = "pkg:golang/example.com/tiny@v9" })
		}, "release-statement"},
		"a statement of another type": {importing(t), func(m *memory, manifest *release.Manifest) {
			restate(t, m, key, func(s *evidence.Statement[release.ReleaseClaim]) { s.PredicateType = evidence.DetachedSignature })
		}, "release-statement"},
		"an attestation of something else": {importing(t), func(m *memory, manifest *release.Manifest) {
			m.put(attestFile, attestation(evidence.Provenance, strings.Repeat("0", 64)))
		}, "attestation"},
		"an attestation that reads as ours": {importing(t), func(m *memory, manifest *release.Manifest) {
			m.put(attestFile, attestation(evidence.ReleaseEvidence, evidence.SHA256(m.files[manifest.Binaries[0].Path])))
		}, "attestation"},
		"an attestation that is none": {importing(t), func(m *memory, manifest *release.Manifest) { m.put(attestFile, []byte("{}")) }, "attestation"},
		"another main package":        {importing(t), func(m *memory, manifest *release.Manifest) { manifest.Binaries[0].Main += "/x" }, "build-info"},
		"another main version":        {importing(t), func(m *memory, manifest *release.Manifest) { manifest.Binaries[0].GoVersion = "v9" }, "build-info"},
		"another toolchain":           {importing(t), func(m *memory, manifest *release.Manifest) { manifest.Toolchain = "go1.2.3" }, "build-info"},
		"another commit": {importing(t), func(m *memory, manifest *release.Manifest) {
			manifest.Release.Source.GitCommit = strings.Repeat("0", 40)
		}, "build-info"},
	} {
		t.Run(name, func(t *testing.T) {
			m := test.from
			manifest, err := release.DecodeManifest(m.files[release.ManifestFile])
			if err != nil {
				t.Fatal(err)
			}
			test.attack(m, manifest)
			seal(t, m, manifest, key)
			v := verify(t, m, key)
			if v.Result != release.Fail || !slices.Contains(failed(v), test.check) {
				t.Errorf("%s, failed %v, expected %s", v.Result, failed(v), test.check)
			}
			if slices.Contains(failed(v), "closed-set") || slices.Contains(failed(v), "closing-subjects") {
				t.Errorf("failed %v: the package was not sealed again, the test proves little", failed(v))
			}
		})
	}
}

// attach adds an archive with its signature.
func attach(t *testing.T, m *memory, manifest *release.Manifest, key *keys.Private, path string) {
	t.Helper()
	m.put(path, []byte("x"))
	list(manifest, path, release.RoleArchive)
	m.put(release.BundlePath(path), bundle(t, key, evidence.NewStatement(evidence.DetachedSignature, []evidence.Subject{evidence.FileSubject(path, evidence.SHA256([]byte("x")))}, struct{}{})))
	list(manifest, release.BundlePath(path), release.RoleSignature)
}

func list(m *release.Manifest, path string, role release.Role) {
	m.Files = append(m.Files, release.Artifact{Path: path, Mode: "0644", Role: role})
}

func unlist(m *release.Manifest, path string) {
	m.Files = slices.DeleteFunc(m.Files, func(f release.Artifact) bool { return f.Path == path })
}

// restate signs a changed release statement.
func restate(t *testing.T, m *memory, key *keys.Private, change func(*evidence.Statement[release.ReleaseClaim])) {
	t.Helper()
	b, err := envelope.ParseBundle(m.files[releaseFile])
	if err != nil {
		t.Fatal(err)
	}
	var s evidence.Statement[release.ReleaseClaim]
	if err := json.Unmarshal(b.Payload, &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	m.put(releaseFile, bundle(t, key, s))
}

func bundle[P any](t *testing.T, key *keys.Private, s evidence.Statement[P]) []byte {
	t.Helper()
	b, err := evidence.Sign(key, s)
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// seal makes everything agree again that follows from the files: digests, checksums.txt
// with its signatures, the manifest and the closing statement.
func seal(t *testing.T, m *memory, manifest *release.Manifest, key *keys.Private) {
	t.Helper()
	var sums []release.Checksum
	for _, f := range manifest.Files {
		switch f.Role {
		case release.RoleChecksums, release.RoleRawSignature, release.RoleSignature, release.RoleProvenance, release.RoleLink, release.RoleRelease:
		default:
			sums = append(sums, release.Checksum{SHA256: evidence.SHA256(m.files[f.Path]), Path: f.Path})
		}
	}
	text := release.FormatChecksums(sums)
	m.put(release.ChecksumsFile, text)
	raw, err := envelope.SignRaw(key, text)
	if err != nil {
		t.Fatal(err)
	}
	m.put(release.RawSignature, raw)
	m.put(release.BundlePath(release.ChecksumsFile), bundle(t, key, evidence.NewStatement(evidence.DetachedSignature, []evidence.Subject{evidence.FileSubject(release.ChecksumsFile, evidence.SHA256(text))}, struct{}{})))
	for i, f := range manifest.Files {
		manifest.Files[i].SHA256, manifest.Files[i].Size = evidence.SHA256(m.files[f.Path]), int64(len(m.files[f.Path]))
	}
	slices.SortFunc(manifest.Files, func(a, b release.Artifact) int { return strings.Compare(a.Path, b.Path) })
	data, err := envelope.Encode(manifest)
	if err != nil {
		t.Fatal(err)
	}
	m.put(release.ManifestFile, data)
	var subjects []evidence.Subject
	for path, data := range m.files {
		if path != release.ClosingFile {
			subjects = append(subjects, evidence.FileSubject(path, evidence.SHA256(data)))
		}
	}
	slices.SortFunc(subjects, func(a, b evidence.Subject) int { return strings.Compare(a.Name, b.Name) })
	m.put(release.ClosingFile, bundle(t, key, evidence.NewStatement(evidence.ReleaseEvidence, subjects, release.Closing{Release: manifest.Release, Manifest: evidence.SHA256(data)})))
}
