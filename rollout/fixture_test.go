package rollout

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// key is a signer whose key follows from its name.
type key struct{ private ed25519.PrivateKey }

func keyOf(name string) key {
	seed := sha256.Sum256([]byte(name))
	return key{ed25519.NewKeyFromSeed(seed[:])}
}

func (k key) Public() envelope.PublicKey {
	public, err := envelope.NewPublicKey(k.private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return public
}

func (k key) Sign(message []byte) ([]byte, error) { return ed25519.Sign(k.private, message), nil }

func keyid(name string) string { return keyOf(name).Public().KeyID() }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// day is the first day of the tests' calendar.
var day = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// members are keys by name, with person, role and reach.
var members = []struct {
	name, person string
	role         trust.Role
	environments []string
	rings        []string
}{
	{"root", "owner", trust.Root, nil, nil},
	{"releaser", "ada", trust.Releaser, nil, nil},
	{"operator", "ada", trust.Operator, []string{"*"}, []string{"*"}},
	{"operator-2", "grace", trust.Operator, []string{"*"}, []string{"*"}},
	{"operator-staging", "grace", trust.Operator, []string{"*"}, []string{"staging"}},
	{"observer", "observer", trust.Observer, []string{"*"}, []string{"*"}},
	{"observer-ada", "ada", trust.Observer, []string{"*"}, []string{"*"}},
	{"observer-grace", "grace", trust.Observer, []string{"*"}, []string{"*"}},
	{"policy", "grace", trust.Policy, []string{"*"}, []string{"*"}},
	{"policy-2", "owner", trust.Policy, []string{"*"}, []string{"*"}},
	{"policy-2b", "owner", trust.Policy, []string{"*"}, []string{"*"}},
	{"approver", "owner", trust.Approver, []string{"*"}, []string{"*"}},
}

// trustFiles makes versions of one root; edits[i] makes version i+2 out of the one
// before. The policy role needs two persons.
func trustFiles(t testing.TB, edits ...func(*trust.Edit)) *trust.Chain {
	t.Helper()
	e := trust.New(day.AddDate(0, -1, 0), day.AddDate(1, 0, 0))
	e.Threshold(trust.Policy, 2)
	for _, p := range []string{"ada", "grace", "owner", "observer"} {
		e.Person(trust.Person{ID: p, Name: strings.ToUpper(p[:1]) + p[1:]})
	}
	for _, m := range members {
		ok(t, e.AddKey(keyOf(m.name).Public(), trust.Key{Person: m.person}))
		g := trust.Grant{KeyID: keyid(m.name), Role: m.role, Projects: []string{"age"}, Environments: m.environments, Rings: m.rings}
		if m.role == trust.Root {
			g.Projects = nil
		}
		ok(t, e.Grant(g))
	}
	files := map[string][]byte{}
	doc := must[trust.Document](t)(e.Document())
	pin := addVersion(t, files, doc)
	for i, edit := range edits {
		next := must[*trust.Edit](t)(doc.Next(day.AddDate(0, 0, i)))
		edit(next)
		doc = must[trust.Document](t)(next.Document())
		addVersion(t, files, doc)
	}
	return must[*trust.Chain](t)(trust.Load(files, pin))
}

func addVersion(t testing.TB, files map[string][]byte, d trust.Document) string {
	t.Helper()
	data := must[[]byte](t)(d.Marshal())
	files[trust.FileName(d.Version)] = data
	b := must[envelope.Bundle](t)(envelope.Sign(keyOf("root"), trust.PayloadType, data))
	files[trust.BundleName(d.Version, keyOf("root").Public())] = must[[]byte](t)(b.Marshal())
	return trust.Digest(data)
}

// world is a log that grows, and the state that follows.
type world struct {
	t     testing.TB
	chain *trust.Chain
	trust TrustVersion
	s     *State
	now   time.Time
	acts  []Act
}

func newWorld(t testing.TB) *world { return newWorldOf(t, trustFiles(t)) }

func newWorldOf(t testing.TB, chain *trust.Chain) *world {
	t.Helper()
	w := &world{t: t, chain: chain, now: day, s: NewState(Options{Project: "age", Authorities: chain, Location: time.LoadLocation})}
	return w.trusting(1)
}

// trusting lets later heads name a version.
func (w *world) trusting(version int) *world {
	w.t.Helper()
	d := must[[]byte](w.t)(w.document(version).Marshal())
	w.trust = TrustVersion{version, trust.Digest(d)}
	return w
}

func (w *world) document(version int) trust.Document {
	d, found := w.chain.Directory().Document(version)
	if !found {
		w.t.Fatalf("no trust version %d", version)
	}
	return d
}

func (w *world) head(name string) Head {
	person := "nobody"
	for _, m := range members {
		if m.name == name {
			person = m.person
		}
	}
	return Head{Actor{keyid(name), person}, w.trust, nil, w.now}
}

func (w *world) after(d time.Duration) *world {
	w.now = w.now.Add(d)
	return w
}

// act signs a statement with a real key and verifies it, as a log does. Every act
// has its own second.
func act[P any](w *world, name string, s evidence.Statement[P]) Act {
	w.t.Helper()
	return rawAct(w, name, s.PredicateType, must[[]byte](w.t)(envelope.Encode(s)))
}

func rawAct(w *world, name, predicateType string, payload []byte) Act {
	w.t.Helper()
	b := must[envelope.Bundle](w.t)(envelope.Sign(keyOf(name), evidence.PayloadType, payload))
	ok(w.t, b.Verify(keyOf(name).Public()))
	data := must[[]byte](w.t)(b.Marshal())
	return Act{int64(len(w.acts)), evidence.DigestOf(payload), evidence.DigestOf(data), predicateType, b.KeyID, payload, w.now, nil}
}

// try applies an act and keeps it.
func (w *world) try(a Act) *Refusal {
	w.acts = append(w.acts, a)
	w.now = w.now.Add(time.Second)
	return w.s.Apply(a)
}

// do applies an act that must be legal.
func (w *world) do(a Act) Act {
	w.t.Helper()
	if r := w.try(a); r != nil {
		w.t.Fatalf("refused with %d: %s", r.Code, r.Reason)
	}
	return a
}

// deny applies an act that must be refused with a code and words.
func (w *world) deny(a Act, c Code, words string) *Refusal {
	w.t.Helper()
	r := w.try(a)
	expectRefusal(w.t, r, c, words)
	return r
}

func expectRefusal(t testing.TB, err error, c Code, words string) {
	t.Helper()
	r, is := err.(*Refusal)
	if !is || r == nil {
		t.Fatalf("got %v, expected a refusal: %s", err, words)
	}
	if r.Code != c || !strings.Contains(r.Reason, words) {
		t.Fatalf("refused with %d: %s\nexpected %d: …%s…", r.Code, r.Reason, c, words)
	}
}

// signPolicy brings rules into force, by two persons.
func (w *world) signPolicy(r Rules) {
	w.t.Helper()
	before := w.s.Policy().Previous()
	for _, name := range []string{"policy", "policy-2"} {
		w.do(act(w, name, must[evidence.Statement[Policy]](w.t)(NewPolicy(w.head(name), "age", before, r))))
	}
}

func (w *world) ring(name string) Ring {
	w.t.Helper()
	r, found := w.s.Policy().Rules.Ring(name)
	if !found {
		w.t.Fatalf("no ring %s", name)
	}
	return r
}

// hosts are the populations of the tests' targets.
var hosts = map[string][]string{
	"linux-runner": {"host-1", "host-2", "host-3", "host-4"},
	"mac-laptop":   {"mac-1", "mac-2"},
}

func (w *world) populate(ring string) (RecordedPopulation, map[string][]byte) {
	w.t.Helper()
	st, lists, err := w.s.NewPopulation(w.head("policy"), w.ring(ring), hosts)
	ok(w.t, err)
	a := w.do(act(w, "policy", st))
	p, _ := w.s.Population("production", ring)
	if p.Act != a.Digest {
		w.t.Fatal("the population is not the newest")
	}
	return p, lists
}

func pilot() Capture {
	return Capture{Environment: "production", Ring: "pilot", ChangeRecord: "CHG-1", Status: StatusStaged}
}

func (w *world) newRollout(name, version string, c Capture) evidence.Statement[Rollout] {
	w.t.Helper()
	return must[evidence.Statement[Rollout]](w.t)(NewRollout(w.head(name), packageOf(w.t, version), w.s, c))
}

// capture captures v1.0.0 into the pilot ring and returns the rollout's id.
func (w *world) capture() string {
	w.t.Helper()
	st := w.newRollout("operator", "v1.0.0", pilot())
	w.do(act(w, "operator", st))
	return st.Predicate.ID
}

func (w *world) progress(id string) Progress {
	w.t.Helper()
	p, found := w.s.Progress(id)
	if !found {
		w.t.Fatalf("no rollout %s", id)
	}
	return p
}

func (w *world) status(name, id string, to Status) Act {
	w.t.Helper()
	return act(w, name, must[evidence.Statement[StatusChange]](w.t)(NewStatusChange(w.head(name), w.progress(id), to, "")))
}

// inventory reports every host of every target with the rollout's binary, now.
func (w *world) inventory(id string) []Endpoint {
	var list []Endpoint
	for _, t := range w.progress(id).Rollout.Targets {
		for _, host := range hosts[t.ID] {
			list = append(list, Endpoint{host, t.ID, t.SHA256, w.now})
		}
	}
	return list
}

func (w *world) sighting(ring string, endpoints []Endpoint) Sighting {
	p, _ := w.s.Population("production", ring)
	lists := map[string][]byte{}
	for target, ids := range hosts {
		lists[target+".ids"] = must[[]byte](w.t)(FormatIDs(ids))
	}
	return Sighting{p, lists, endpoints, Input{strings.Repeat("ab", 32), "csv", "test"}, w.now}
}

func (w *world) observation(name, id string, endpoints []Endpoint) Act {
	w.t.Helper()
	p := w.progress(id)
	st, _, err := w.s.NewObservation(w.head(name), p, w.sighting(p.Rollout.Ring, endpoints))
	ok(w.t, err)
	return act(w, name, st)
}

// succeeded goes from nothing to a rollout that succeeded.
func (w *world) succeeded() string {
	w.t.Helper()
	w.populate("pilot")
	id := w.capture()
	w.after(time.Minute)
	w.do(w.observation("observer", id, w.inventory(id)))
	w.do(w.status("operator", id, StatusSucceeded))
	return id
}

// packageFiles are the files of a package of project age, made for a version.
func packageFiles(t testing.TB, version string) (release.Verdict, PackageFiles) {
	t.Helper()
	id := release.Identity{Project: "age", Version: version, Module: "example.com/age", Source: release.SourceIdentity{
		URI: "https://git.example.com/age", GitCommit: strings.Repeat("1", 40), GitTree: strings.Repeat("2", 40), CommitTime: "2026-03-01T00:00:00Z",
	}}
	d := release.Deployment{Schema: evidence.Namespace + "endpoint-deployment/v1", Release: id}
	m := release.Manifest{
		Schema: evidence.Namespace + "release-manifest/v1", Release: id, KeyID: keyid("releaser"), Toolchain: "go1.26.8",
		Hazards: []release.Hazard{}, Binaries: []release.Binary{}, Files: []release.Artifact{},
	}
	for target, p := range map[string]release.Platform{"linux-runner": {OS: "linux", Arch: "amd64"}, "mac-laptop": {OS: "darwin", Arch: "arm64"}} {
		path := release.BinaryPath("age", version, p)
		sum := evidence.SHA256([]byte(path))
		m.Binaries = append(m.Binaries, release.Binary{Path: path, Name: "age", Main: "example.com/age/cmd/age", Platform: p, GoVersion: version})
		m.Files = append(m.Files, release.Artifact{Path: path, Size: 1, Mode: "0755", SHA256: sum, Role: release.RoleBinary})
		d.Targets = append(d.Targets, release.DeploymentTarget{
			ID: target, Surface: "endpoint", Platform: p, Binary: path, SHA256: sum, Channel: "manual", Tool: "installers.json",
			InstallPath: "/usr/local/bin/age", RolloutGate: "gate", RollbackSteps: []string{"back"}, RequiredEvidence: []string{"rollout"},
		})
	}
	return sealPackage(t, m, d)
}

// sealPackage makes the files of a manifest, and the verdict that they pass.
func sealPackage(t testing.TB, m release.Manifest, d release.Deployment) (release.Verdict, PackageFiles) {
	t.Helper()
	sortBy(m.Binaries, func(b release.Binary) string { return b.Path })
	sortBy(d.Targets, func(x release.DeploymentTarget) string { return x.ID })
	var f PackageFiles
	f.Deployment = must[[]byte](t)(envelope.Encode(d))
	m.Files = append(m.Files, release.Artifact{Path: release.DeploymentFile, Size: int64(len(f.Deployment)), Mode: "0644", SHA256: evidence.SHA256(f.Deployment), Role: release.RoleDeployment})
	sortBy(m.Files, func(a release.Artifact) string { return a.Path })
	f.Manifest = must[[]byte](t)(envelope.Encode(m))
	b := must[envelope.Bundle](t)(evidence.Sign(keyOf("releaser"), closingOf(m.Release, f.Manifest)))
	f.Closing = must[[]byte](t)(b.Marshal())
	return release.Verdict{
		Result: release.Pass, Release: &m.Release, ManifestDigest: evidence.DigestOf(f.Manifest).String(), Trust: release.TrustUsed{Mode: "root"},
		Checks: []release.Check{{ID: "checksums", Result: release.Pass, Required: true}, {ID: "signature", Subject: "release-evidence.json", Result: release.Pass, Required: true}},
	}, f
}

func closingOf(id release.Identity, manifest []byte) evidence.Statement[release.Closing] {
	return evidence.NewStatement(evidence.ReleaseEvidence, []evidence.Subject{evidence.FileSubject(release.ManifestFile, evidence.SHA256(manifest))},
		release.Closing{Release: id, Manifest: evidence.SHA256(manifest)})
}

func sortBy[T any](list []T, name func(T) string) {
	for i := range list {
		for j := i; j > 0 && name(list[j]) < name(list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

func packageOf(t testing.TB, version string) *Package {
	t.Helper()
	v, f := packageFiles(t, version)
	return must[*Package](t)(ReadPackage(v, f))
}

// changed returns the bytes of a statement with one text replaced, which must be
// there.
func changed(t testing.TB, payload []byte, old, replacement string) []byte {
	t.Helper()
	if !strings.Contains(string(payload), old) {
		t.Fatalf("no %q in\n%s", old, payload)
	}
	return []byte(strings.Replace(string(payload), old, replacement, 1))
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
