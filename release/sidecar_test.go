package release_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/trust"
	"github.com/rollproof/rollproof/release"
)

// robot is a keyless identity that the test's trust root lists as a releaser.
var robot = trust.Identity{Issuer: "https://issuer.example.com", Subject: "https://example.com/hello/.workflows/release.yml@refs/tags/v1"}

// rootWith is a trust root in which ada's key and the robot release the project.
func rootWith(t *testing.T, project string) trust.Authority {
	t.Helper()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	owner, releaser := newKey(t, 9), newKey(t, 1)
	edit := trust.New(day, day.AddDate(1, 0, 0))
	edit.Person(trust.Person{ID: "ada", Name: "Ada"})
	edit.Person(trust.Person{ID: "robot", Name: "Robot"})
	grants := []trust.Grant{
		{KeyID: owner.Public().KeyID(), Role: trust.Root},
		{KeyID: releaser.Public().KeyID(), Role: trust.Releaser, Projects: []string{"tiny"}},
		{Identity: &robot, Role: trust.Releaser, Projects: []string{project}},
	}
	for _, err := range []error{
		edit.AddKey(owner.Public(), trust.Key{Person: "ada"}),
		edit.AddKey(releaser.Public(), trust.Key{Person: "ada"}),
		edit.Identity(trust.IdentityEntry{Issuer: robot.Issuer, Subject: robot.Subject, Person: "robot"}),
		edit.Grant(grants[0]), edit.Grant(grants[1]), edit.Grant(grants[2]),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	doc, err := edit.Document()
	if err != nil {
		t.Fatal(err)
	}
	data, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{trust.FileName(1): data}
	d, err := trust.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	name, bundle, err := d.Sign(owner, 1)
	if err != nil {
		t.Fatal(err)
	}
	files[name] = bundle
	chain, err := trust.Load(files, trust.Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := chain.At(day.AddDate(0, 1, 0), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func TestSidecarBundles(t *testing.T) {
	const binary = "bin/tiny_v1.2.3_linux_amd64"
	by := func(id trust.Identity, predicateType string, err error) release.BundleVerifier {
		return func([]byte, string) (trust.Identity, string, error) { return id, predicateType, err }
	}
	stranger := trust.Identity{Issuer: robot.Issuer, Subject: "https://example.com/other"}
	for name, tc := range map[string]struct {
		path, project string
		verify        release.BundleVerifier
		want          release.Result // of the check
		verdict       release.Result
	}{
		"good":                   {binary, "tiny", by(robot, "", nil), release.Pass, release.Pass},
		"good provenance":        {binary, "tiny", by(robot, evidence.Provenance, nil), release.Pass, release.Pass},
		"no trusted root":        {binary, "tiny", nil, release.NotChecked, release.Pass},
		"does not verify":        {binary, "tiny", by(trust.Identity{}, "", errors.New("log: no entry")), release.Fail, release.Fail},
		"unlisted identity":      {binary, "tiny", by(stranger, "", nil), release.Fail, release.Fail},
		"another project":        {binary, "other", by(robot, "", nil), release.Fail, release.Fail},
		"a verifier's statement": {binary, "tiny", by(robot, "https://slsa.dev/verification_summary/v1", nil), release.Fail, release.Fail},
		"about no file":          {"bin/none", "tiny", by(robot, "", nil), release.Fail, release.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := signed(t)
			v, err := release.Verify(t.Context(), m, release.VerifyOptions{
				Authority: rootWith(t, tc.project), Keyless: tc.verify,
				Sidecar: []release.SidecarBundle{{Path: tc.path, Data: []byte("{}")}},
			})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(v.Checks, func(c release.Check) bool { return c.ID == "sidecar" })
			if i < 0 || v.Checks[i].Result != tc.want || v.Result != tc.verdict {
				t.Errorf("check %+v, verdict %s, failed %v", v.Checks[max(i, 0)], v.Result, failed(v))
			}
			if named := strings.Contains(strings.Join(v.Notes, "\n"), robot.Subject); named != (tc.want == release.Pass) {
				t.Errorf("notes %q", v.Notes)
			}
		})
	}
}
