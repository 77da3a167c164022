package trust

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence/envelope"
)

// What callers tell apart with errors.Is.
var (
	ErrForeignFile = errors.New("does not belong into a trust directory")
	ErrGap         = errors.New("a version is missing")
	ErrThreshold   = errors.New("not signed by enough persons")
	ErrStep        = errors.New("a version does not follow from the one before")
	ErrPin         = errors.New("no version has the pinned digest")
	ErrFork        = errors.New("two documents of one version")
	ErrRollback    = errors.New("older than what was seen before")
	ErrMinVersion  = errors.New("older than the version that is asked for")
)

// A Directory is the files of a trust root: every version from the first on, and
// signatures over them. Its last versions may still lack signatures; nothing in it
// is trusted before [Load] has walked it from a pin.
type Directory struct {
	versions []version // version n at index n-1
}

type version struct {
	doc     Document
	data    []byte
	digest  string
	signers map[string]string // keyid → name of the bundle that verifies
	bundles map[string][]byte // name → bytes
}

var fileForm = regexp.MustCompile(`^([1-9][0-9]{0,5})\.trust\.(?:([0-9a-f]{16})\.sigstore\.)?json$`)

// Read reads the files of a trust directory, by name. It refuses any other file, a
// missing version, a version that does not follow from the one before, and a
// signature that does not verify or whose key may not sign that version.
func Read(files map[string][]byte) (*Directory, error) {
	d, err := readDocuments(files)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".sigstore.json") {
			if err := d.addBundle(name, files[name]); err != nil {
				return nil, err
			}
		}
	}
	return d, d.checkSteps()
}

// readDocuments reads the versions and leaves the signatures.
func readDocuments(files map[string][]byte) (*Directory, error) {
	found := map[int]version{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		form := fileForm.FindStringSubmatch(name)
		if form == nil {
			return nil, fmt.Errorf("%+q %w", name, ErrForeignFile)
		}
		if form[2] != "" {
			continue
		}
		doc, err := Parse(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strconv.Itoa(doc.Version) != form[1] {
			return nil, fmt.Errorf("%s: holds version %d: %w", name, doc.Version, ErrForeignFile)
		}
		found[doc.Version] = version{
			doc: doc, data: files[name], digest: Digest(files[name]),
			signers: map[string]string{}, bundles: map[string][]byte{},
		}
	}
	d := &Directory{}
	for n := 1; n == 1 || len(d.versions) < len(found); n++ {
		v, ok := found[n]
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrGap, FileName(n))
		}
		d.versions = append(d.versions, v)
	}
	return d, nil
}

// at returns the version with number n, nil where there is none.
func (d *Directory) at(n int) *version {
	if n < 1 || n > len(d.versions) {
		return nil
	}
	return &d.versions[n-1]
}

func (d *Directory) addBundle(name string, data []byte) error {
	number, err := strconv.Atoi(fileForm.FindStringSubmatch(name)[1])
	if err != nil {
		return err
	}
	v := d.at(number)
	if v == nil {
		return fmt.Errorf("%s %w: there is no %s", name, ErrForeignFile, FileName(number))
	}
	b, err := envelope.ParseBundle(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if b.PayloadType != PayloadType || !bytes.Equal(b.Payload, v.data) {
		return fmt.Errorf("%s: signs something else than %s", name, FileName(number))
	}
	public, err := d.voter(number, b.KeyID)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if want := BundleName(number, public); name != want {
		return fmt.Errorf("%s %w: the signature of %s is named %s", name, ErrForeignFile, b.KeyID, want)
	}
	if err := b.Verify(public); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	v.signers[b.KeyID], v.bundles[name] = name, data
	return nil
}

// voter returns the key of keyid where its signature over version n counts, for its
// own root role or for that of the version before.
func (d *Directory) voter(n int, keyid string) (envelope.PublicKey, error) {
	var refused error
	for _, v := range []*version{d.at(n), d.at(n - 1)} {
		if v == nil {
			continue
		}
		err := v.doc.mayVote(keyid, d.at(n).doc)
		if err == nil {
			k, _ := v.doc.key(keyid)
			return k.public()
		}
		if refused == nil {
			refused = err
		}
	}
	return envelope.PublicKey{}, refused
}

// mayVote reports whether a key of d's root role may sign a version. The date that
// decides is the one that the version claims: it cannot lie before the version that
// precedes it.
func (d Document) mayVote(keyid string, signed Document) error {
	k, ok := d.key(keyid)
	if !ok {
		return fmt.Errorf("signed by %s, which version %d does not list", keyid, d.Version)
	}
	if role := d.roleOf(keyid); role != Root {
		return fmt.Errorf("%s (%s) is %s, not %s", keyid, k.Person, indefinite(role), indefinite(Root))
	}
	return k.active(signed.Issued)
}

// checkSteps holds the rules between one version and the next, signatures apart.
func (d *Directory) checkSteps() error {
	known := map[string]Key{}
	for i, v := range d.versions {
		if i > 0 {
			before := d.versions[i-1]
			switch {
			case v.doc.Previous != before.digest:
				return fmt.Errorf("%w: %s follows %s, and %s is %s", ErrStep, FileName(v.doc.Version), v.doc.Previous, FileName(before.doc.Version), before.digest)
			case v.doc.Issued.Before(before.doc.Issued):
				return fmt.Errorf("%w: %s is issued %s, the one before %s", ErrStep, FileName(v.doc.Version), stamp(v.doc.Issued), stamp(before.doc.Issued))
			}
		}
		for _, k := range v.doc.Keys {
			if err := checkSuccession(known[k.KeyID], k); err != nil {
				return fmt.Errorf("%w: %s: %s %w", ErrStep, FileName(v.doc.Version), k.KeyID, err)
			}
			known[k.KeyID] = k
		}
	}
	return nil
}

// checkSuccession refuses what would undo an earlier version's word about a key,
// also where a version between them did not list it. old is zero for a new key.
func checkSuccession(old, now Key) error {
	if old.KeyID == "" {
		return nil
	}
	if old.Person != now.Person {
		return fmt.Errorf("was a key of %s and is now one of %s", old.Person, now.Person)
	}
	return old.Revoked.allows(now.Revoked)
}

// Votes says how far the signatures over one version have come. Counts are of
// distinct persons.
type Votes struct {
	Version        int
	Own, OwnNeeded int // of the version's own root role
	Before         int // of the root role of the version before
	BeforeNeeded   int // 0 for version 1
	SignedBy       []Signer
	MaySignStill   []Signer // whose signature would count and is not there
	DocumentName   string
	DocumentDigest string
}

// Complete reports whether enough persons have signed.
func (v Votes) Complete() bool { return v.Own >= v.OwnNeeded && v.Before >= v.BeforeNeeded }

// Votes returns the state of every version, oldest first.
func (d *Directory) Votes() []Votes {
	all := make([]Votes, len(d.versions))
	for i := range d.versions {
		all[i] = d.votes(i)
	}
	return all
}

func (d *Directory) votes(i int) Votes {
	v := d.versions[i]
	votes := Votes{Version: v.doc.Version, DocumentName: FileName(v.doc.Version), DocumentDigest: v.digest}
	votes.Own, votes.OwnNeeded = v.count(v.doc), v.doc.Threshold(Root)
	voters := []Document{v.doc}
	if i > 0 {
		before := d.versions[i-1].doc
		votes.Before, votes.BeforeNeeded = v.count(before), before.Threshold(Root)
		voters = append(voters, before)
	}
	listed := map[string]bool{}
	for _, doc := range voters {
		for _, k := range doc.Keys {
			if listed[k.KeyID] || doc.mayVote(k.KeyID, v.doc) != nil {
				continue
			}
			listed[k.KeyID] = true
			if v.signers[k.KeyID] != "" {
				votes.SignedBy = append(votes.SignedBy, doc.signer(k))
			} else {
				votes.MaySignStill = append(votes.MaySignStill, doc.signer(k))
			}
		}
	}
	return votes
}

// count returns how many distinct persons of doc's root role have signed v.
func (v version) count(doc Document) int {
	persons := map[string]bool{}
	for keyid := range v.signers {
		if doc.mayVote(keyid, v.doc) == nil {
			k, _ := doc.key(keyid)
			persons[k.Person] = true
		}
	}
	return len(persons)
}

func (d Document) signer(k Key) Signer {
	p, _ := d.person(k.Person)
	return Signer{KeyID: k.KeyID, Person: p.ID, Name: p.Name, Role: d.roleOf(k.KeyID)}
}

// Complete returns the files of the versions up to the first that is not signed by
// enough persons yet: what a verifier accepts.
func (d *Directory) Complete() map[string][]byte {
	files := map[string][]byte{}
	for i, v := range d.versions {
		if !d.votes(i).Complete() {
			break
		}
		files[FileName(v.doc.Version)] = v.data
		maps.Copy(files, v.bundles)
	}
	return files
}

// Document returns the document of a version.
func (d *Directory) Document(n int) (Document, bool) {
	if v := d.at(n); v != nil {
		return v.doc, true
	}
	return Document{}, false
}

// Newest returns the document with the highest number, signed or not.
func (d *Directory) Newest() Document { return d.versions[len(d.versions)-1].doc }

// Sign signs a version and returns the file to add. It refuses a signature that
// would not count.
func (d *Directory) Sign(s envelope.Signer, n int) (name string, bundle []byte, err error) {
	v := d.at(n)
	if v == nil {
		return "", nil, fmt.Errorf("there is no %s", FileName(n))
	}
	if _, err := d.voter(n, s.Public().KeyID()); err != nil {
		return "", nil, err
	}
	b, err := envelope.Sign(s, PayloadType, v.data)
	if err != nil {
		return "", nil, err
	}
	data, err := b.Marshal()
	if err != nil {
		return "", nil, err
	}
	return BundleName(n, s.Public()), data, nil
}
