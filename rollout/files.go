package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release"
	"github.com/rollproof/rollproof/release/archive"
)

// Names of the files of a rollout's directory.
const (
	EvidenceFile  = "managed-endpoint-rollout-evidence.json"
	MarkdownFile  = "managed-endpoint-rollout-evidence.md"
	BundleFile    = EvidenceFile + ".sigstore.json"
	ChecksumsFile = "checksums.txt"
)

// summed are the files that the checksums name.
var summed = []string{EvidenceFile, MarkdownFile, BundleFile}

// maxFile is the size in bytes of the largest file of a directory: a bundle holds
// its payload in base64.
const maxFile = 2 * envelope.MaxSigned

// Files returns the files of a rollout's directory, by name: the bundle, its payload
// byte for byte, the payload for people, and the checksums of the three.
func Files(b envelope.Bundle) (map[string][]byte, error) {
	s, err := readBundle(b)
	if err != nil {
		return nil, err
	}
	bundle, err := b.Marshal()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{EvidenceFile: b.Payload, MarkdownFile: Markdown(s), BundleFile: bundle}
	files[ChecksumsFile] = checksums(files)
	return files, nil
}

func checksums(files map[string][]byte) []byte {
	var sums []release.Checksum
	for _, name := range summed {
		sums = append(sums, release.Checksum{SHA256: evidence.SHA256(files[name]), Path: name})
	}
	return release.FormatChecksums(sums)
}

// readBundle reads the statement of a bundle as strictly as a [State] does.
func readBundle(b envelope.Bundle) (evidence.Statement[Rollout], error) {
	var none evidence.Statement[Rollout]
	if b.PayloadType != evidence.PayloadType {
		return none, &evidence.TypeError{Field: "payloadType", Got: b.PayloadType, Want: evidence.PayloadType}
	}
	if _, err := readers[RolloutType](b.Payload); err != nil {
		return none, err
	}
	return evidence.DecodeStatement[Rollout](b.Payload, RolloutType)
}

// A Directory is what a rollout's directory says. Its signature is not verified.
type Directory struct {
	Statement evidence.Statement[Rollout]
	Bundle    envelope.Bundle
	Envelope  []byte // the bundle's exact bytes
	Act       evidence.Digest
}

// ReadFiles reads a rollout's directory: exactly the four files, checksums that fit,
// a payload that is the bundle's, and Markdown that is rendered from it. Whether the
// bundle's signature verifies, and its signer may do this, is asked afterwards. The
// error is a [*Refusal] that names the file.
func ReadFiles(files map[string][]byte) (*Directory, error) {
	if err := checkClosed(files); err != nil {
		return nil, badEvidence(err)
	}
	if err := compareChecksums(files); err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", ChecksumsFile, err))
	}
	b, err := envelope.ParseBundle(files[BundleFile])
	if err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", BundleFile, err))
	}
	if !bytes.Equal(b.Payload, files[EvidenceFile]) {
		return nil, badEvidence(fmt.Errorf("%s is not what %s signs: it was changed after signing", EvidenceFile, BundleFile))
	}
	s, err := readBundle(b)
	if err != nil {
		return nil, badEvidence(fmt.Errorf("%s: %w", EvidenceFile, err))
	}
	if !bytes.Equal(Markdown(s), files[MarkdownFile]) {
		return nil, badEvidence(fmt.Errorf("%s is not what %s renders to", MarkdownFile, EvidenceFile))
	}
	return &Directory{s, b, files[BundleFile], evidence.DigestOf(b.Payload)}, nil
}

func checkClosed(files map[string][]byte) error {
	want := append([]string{ChecksumsFile}, summed...)
	for _, name := range want {
		if _, ok := files[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !slices.Contains(want, name) {
			return fmt.Errorf("%s does not belong to a rollout", archive.Printable(name))
		}
		if len(files[name]) > maxFile {
			return fmt.Errorf("%s has %d bytes, the limit is %d", name, len(files[name]), maxFile)
		}
	}
	return nil
}

// compareChecksums names the file that does not fit.
func compareChecksums(files map[string][]byte) error {
	sums, err := release.ParseChecksums(files[ChecksumsFile])
	if err != nil {
		return err
	}
	for _, s := range sums {
		if !slices.Contains(summed, s.Path) {
			return fmt.Errorf("%s does not belong to a rollout", s.Path)
		}
		if got := evidence.SHA256(files[s.Path]); got != s.SHA256 {
			return fmt.Errorf("%s has sha256 %s, expected %s", s.Path, got, s.SHA256)
		}
	}
	if !bytes.Equal(checksums(files), files[ChecksumsFile]) {
		return errors.New("it does not name all three files")
	}
	return nil
}
