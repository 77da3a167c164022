package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/archive"
	"github.com/rollproof/rollproof/release/provenance"
	"github.com/rollproof/rollproof/release/sbom"
)

// InspectionSchema identifies the inspection document.
const InspectionSchema = evidence.Namespace + "inspection/v1"

// An Inspection shows, binary by binary, what each document of a package says of it
// and whether that agrees. It is for people who look why: a verdict decides, and an
// inspection without differences is none. Signatures are not looked at.
type Inspection struct {
	Schema         string            `json:"schema"`
	Release        Identity          `json:"release"`
	DryRun         bool              `json:"dryRun"`
	ManifestDigest string            `json:"manifestDigest"` // sha256:<hex> of release-evidence.json
	Verdict        Result            `json:"verdict"`        // of the verification before
	Documents      []string          `json:"documents"`      // the columns
	Agree          int               `json:"agree"`
	Differ         int               `json:"differ"`
	Absent         int               `json:"absent"`
	Binaries       []InspectedBinary `json:"binaries"` // the rows, sorted by path
}

// An InspectedBinary is a file that is a binary, or that some document calls one.
type InspectedBinary struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // hex, "" when the file is missing
	Size   int64  `json:"size"`   // bytes
	Cells  []Cell `json:"cells"`  // in the order of the documents
}

// Agreement is what a document and a binary have with each other.
type Agreement string

// The three agreements. Absent says that the package has no such document, or that
// the document does not speak of this binary.
const (
	Agree  Agreement = "agree"
	Differ Agreement = "differ"
	Absent Agreement = "absent"
)

// A Cell is one document about one binary.
type Cell struct {
	Document    string       `json:"document"`
	State       Agreement    `json:"state"`
	Compared    int          `json:"compared"` // facts
	Differences []Difference `json:"differences"`
}

// A Difference is a fact that the document states otherwise. Digest and size are
// expected to be the file's, everything else what its build info says; build info
// itself is expected to be what the manifest says.
type Difference struct {
	Fact     string `json:"fact"`
	Said     string `json:"said"`     // "" for nothing
	Expected string `json:"expected"` // "" for nothing
}

// The columns.
const (
	columnManifest   = "manifest"
	columnChecksums  = "checksums"
	columnBuildInfo  = "build-info"
	columnSPDX       = "spdx"
	columnCycloneDX  = "cyclonedx"
	columnProvenance = "provenance"
)

// Inspect compares the documents of a package with its binaries. The verdict is one of
// this very package, passed or not: where it names a manifest, another one is an
// error, and so is a manifest that can't be read. A document that can't be read
// differs in every row.
func Inspect(ctx context.Context, c Container, verdict *Verdict) (*Inspection, error) {
	if verdict == nil {
		return nil, errors.New("no verdict: a package is verified before it is inspected")
	}
	v := &verification{container: c, opts: VerifyOptions{Parallel: runtime.GOMAXPROCS(0)}}
	if err := v.hash(ctx); err != nil {
		return nil, err
	}
	data, err := v.read(ManifestFile, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	digest := "sha256:" + evidence.SHA256(data)
	if verdict.ManifestDigest != "" && verdict.ManifestDigest != digest {
		return nil, fmt.Errorf("%s: has %s, the verdict is about %s", ManifestFile, digest, verdict.ManifestDigest)
	}
	if v.manifest, err = DecodeManifest(data); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	in := &inspector{verification: v, unreadable: map[string]string{}}
	in.load()
	return in.inspection(digest, verdict.Result), nil
}

// An inspector is one run of Inspect.
type inspector struct {
	*verification
	sums       map[string]string // of checksums.txt
	bill       map[string]sbom.Binary
	document   *sbom.Document
	origin     *provenance.Statement
	subjects   map[string]string
	cycloneDX  []byte            // as it is; nil when there is none
	converted  []byte            // as it follows from the SPDX document
	unreadable map[string]string // why, by column
}

// load reads every document. What is missing stays empty.
func (in *inspector) load() {
	in.sums, in.bill, in.subjects = map[string]string{}, map[string]sbom.Binary{}, map[string]string{}
	in.loadDocument(columnChecksums, ChecksumsFile, maxManifest, func(data []byte) error {
		sums, err := ParseChecksums(data)
		for _, s := range sums {
			in.sums[s.Path] = s.SHA256
		}
		return err
	})
	in.loadDocument(columnSPDX, SBOMPath(in.manifest.Release.Project), maxSBOM, in.readBill)
	in.loadDocument(columnCycloneDX, CycloneDXPath(in.manifest.Release.Project), maxSBOM, func(data []byte) error {
		in.cycloneDX = data
		return nil
	})
	in.loadDocument(columnProvenance, ProvenancePath(in.manifest.Release.Project, in.manifest.DryRun), maxManifest, in.readOrigin)
}

func (in *inspector) loadDocument(column, path string, limit int64, read func([]byte) error) {
	if _, exists := in.files[path]; !exists {
		return
	}
	data, err := in.read(path, limit)
	if err == nil {
		err = read(data)
	}
	if err != nil {
		in.unreadable[column] = err.Error()
	}
}

func (in *inspector) readBill(data []byte) (err error) {
	if in.document, err = sbom.Read(data); err != nil {
		return err
	}
	for _, b := range in.document.Binaries {
		in.bill[b.Path] = b
	}
	in.converted, err = sbom.CycloneDX(data)
	return err
}

// readOrigin reads the provenance, whose signature is the verdict's affair.
func (in *inspector) readOrigin(data []byte) error {
	if !in.manifest.DryRun {
		b, err := envelope.ParseBundle(data)
		if err != nil {
			return err
		}
		data = b.Payload
	}
	s, err := provenance.Read(data)
	if err != nil {
		return err
	}
	in.origin = &s
	in.subjects, _ = subjectsOf(s.Subject)
	return nil
}

func (in *inspector) inspection(digest string, result Result) *Inspection {
	i := &Inspection{
		Schema: InspectionSchema, Release: in.manifest.Release, DryRun: in.manifest.DryRun, ManifestDigest: digest, Verdict: result,
		Documents: []string{columnManifest, columnChecksums, columnBuildInfo, columnSPDX, columnCycloneDX, columnProvenance},
		Binaries:  []InspectedBinary{},
	}
	for _, path := range in.binaryPaths() {
		row := in.inspect(path)
		for _, c := range row.Cells {
			switch c.State {
			case Agree:
				i.Agree++
			case Differ:
				i.Differ++
			default:
				i.Absent++
			}
		}
		i.Binaries = append(i.Binaries, row)
	}
	return i
}

// binaryPaths are the files below bin/ and whatever a document takes for a binary.
func (in *inspector) binaryPaths() []string {
	isBinary := func(path string) bool {
		return strings.HasPrefix(path, "bin/") && !strings.HasSuffix(path, bundleSuffix)
	}
	paths := map[string]bool{}
	for _, path := range slices.Concat(sortedKeys(in.files), sortedKeys(in.sums)) {
		if isBinary(path) {
			paths[path] = true
		}
	}
	for _, path := range slices.Concat(in.manifest.paths(RoleBinary), sortedKeys(in.bill), sortedKeys(in.subjects)) {
		paths[path] = true
	}
	return slices.Sorted(maps.Keys(paths))
}

// Encode returns the document's exact bytes, and refuses to write what its schema does
// not allow.
func (i *Inspection) Encode() ([]byte, error) { return encodeDocument(i, InspectionSchema) }

// printable cuts text from documents to what can be shown.
func printable(text string) string {
	const most = 400
	if len(text) > most {
		text = text[:most] + "…"
	}
	return archive.Printable(text)
}
