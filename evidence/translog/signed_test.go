package translog_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/translog"
)

func sevenLeaves(t testing.TB) translog.SignedCheckpoint {
	t.Helper()
	return signed(t, tree(t, store(t, leaves(7)), 7))
}

func TestSignedCheckpointRoundTrip(t *testing.T) {
	want := sevenLeaves(t)
	data := marshal(t, want)
	got, err := translog.Open(data, origin, logKey.public())
	must(t, err)
	if got.Checkpoint != want.Checkpoint || !bytes.Equal(marshal(t, got), data) || len(got.Cosignatures()) != 1 {
		t.Errorf("read %v, expected %v", got, want)
	}
	at, err := got.Cosigned(witness, witnessKey.public())
	if err != nil || !at.Equal(cosignedAt) || at.Location() != time.UTC {
		t.Errorf("cosigned at %v, %v, expected %v", at, err, cosignedAt)
	}
}

// noteVerifier verifies cosignatures for package note, from the text of C2SP
// tlog-cosignature.
type noteVerifier struct {
	note.Verifier
	key ed25519.PublicKey
}

func (v noteVerifier) Verify(text, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(v.key, []byte(message), sig[8:])
}

type named struct {
	name string
	hash uint32
}

func (n named) Name() string              { return n.name }
func (n named) KeyHash() uint32           { return n.hash }
func (named) Verify(msg, sig []byte) bool { return false }

// peerVerifiers verify with package note; the cosigner's key is read from its text.
func peerVerifiers(t testing.TB) note.Verifiers {
	t.Helper()
	text, err := translog.LogKey(origin, logKey.public())
	must(t, err)
	logs, err := note.NewVerifier(text)
	must(t, err)
	text, err = translog.CosignerKey(witness, witnessKey.public())
	must(t, err)
	parts := strings.SplitN(text, "+", 3)
	material, err := base64.StdEncoding.DecodeString(parts[2])
	must(t, err)
	if parts[0] != witness || material[0] != 4 || len(material) != 33 {
		t.Fatalf("cosigner's key is %s", text)
	}
	var hash uint32
	_, err = fmt.Sscanf(parts[1], "%08x", &hash)
	must(t, err)
	return note.VerifierList(logs, noteVerifier{named{witness, hash}, material[1:]})
}

func TestPeerOpens(t *testing.T) {
	s := sevenLeaves(t)
	n, err := note.Open(marshal(t, s), peerVerifiers(t))
	must(t, err)
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 || n.Text != string(marshal(t, s.Checkpoint)) {
		t.Errorf("note reads %+v", n)
	}
	want, err := note.NewEd25519VerifierKey(origin, logKey.public())
	must(t, err)
	if got, err := translog.LogKey(origin, logKey.public()); got != want || err != nil {
		t.Errorf("verifier key is %s, %v, note says %s", got, err, want)
	}
}

func TestPeerSigns(t *testing.T) {
	c := sevenLeaves(t).Checkpoint
	want, err := note.NewEd25519VerifierKey(origin, logKey.public())
	must(t, err)
	hash := strings.Split(want, "+")[1]
	seed := append([]byte{1}, logKey.private.Seed()...)
	signer, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + hash + "+" + base64.StdEncoding.EncodeToString(seed))
	must(t, err)
	peer, err := note.Sign(&note.Note{Text: string(marshal(t, c))}, signer)
	must(t, err)
	ours, err := translog.Sign(c, logKey.public(), logKey)
	must(t, err)
	if !bytes.Equal(marshal(t, ours), peer) {
		t.Errorf("signed checkpoint is\n%s, note writes\n%s", marshal(t, ours), peer)
	}
}

// The verifier key and signature of C2SP signed-note's own example.
func TestSignedNoteExampleKey(t *testing.T) {
	material, err := base64.StdEncoding.DecodeString("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
	must(t, err)
	got, err := translog.LogKey("example.com/foo", material[1:])
	if want := "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"; got != want || err != nil {
		t.Errorf("verifier key is %s, %v, expected %s", got, err, want)
	}
}

// The signed checkpoint that C2SP tlog-cosignature shows is in our exact encoding.
func TestC2SPExampleParses(t *testing.T) {
	const example = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`
	s, err := translog.ParseSigned([]byte(example))
	must(t, err)
	if s.Origin != "example.com/behind-the-sofa" || s.Size != 20852163 || s.KeyID() != 0x033de0ae || s.Cosignatures()[0].KeyID() != 0x8d66cf3f {
		t.Errorf("read %+v", s)
	}
}

// No change of any bit or byte of a signed and cosigned checkpoint is read as the
// same statements by log and witness.
func TestEveryChangeOfACheckpointIsRefused(t *testing.T) {
	good := marshal(t, sevenLeaves(t))
	for name, data := range mutants(good) {
		s, err := translog.Open(data, origin, logKey.public())
		if err == nil {
			_, err = s.Cosigned(witness, witnessKey.public())
		}
		if err == nil {
			t.Fatalf("%s: %q was accepted", name, data)
		}
	}
}

// line returns a signature line with any bytes.
func line(name string, id uint32, signature ...byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, id), signature...)) + "\n"
}

// looser returns the base64 digit after one, which differs in its lowest bit alone
// when the digit's own is zero.
func looser(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(digits[strings.IndexByte(digits, digit)+1])
}

func TestParseSignedRefuses(t *testing.T) {
	s := sevenLeaves(t)
	text, whole := string(marshal(t, s.Checkpoint)), string(marshal(t, s))
	lines := strings.SplitAfter(whole[len(text)+1:], "\n")
	first, second := lines[0], lines[1]
	short, junk := make([]byte, 64), append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 64)...)
	for name, test := range map[string]struct{ data, want string }{
		"empty":                  {"", "no blank line"},
		"text alone":             {text, "no blank line"},
		"no signature":           {text + "\n", "no signature line"},
		"extension line":         {text + "extension\n\n" + first, "4 line ends, expected 3: origin, size and root, no extensions"},
		"two lines":              {text[:strings.LastIndex(text[:len(text)-1], "\n")+1] + "\n" + first, "2 line ends"},
		"line before":            {"\n" + whole, "line ends, expected 3"},
		"line after":             {whole + "\n", "signature line \"\""},
		"words after":            {whole + "hello\n", `signature line "hello"`},
		"cut":                    {whole[:len(whole)-1], "expected one line"},
		"CRLF":                   {strings.ReplaceAll(whole, "\n", "\r\n"), "no blank line"},
		"log twice":              {text + "\n" + first + first, "of 68 bytes, expected 76"},
		"log's name cosigns":     {text + "\n" + first + line(origin, 1, junk...), "second signature by the log"},
		"cosigner first":         {text + "\n" + second + first, "of 76 bytes, expected 68"},
		"other log first":        {text + "\n" + line("example.com/other", 1, short...), `first signed by "example.com/other"`},
		"cosigned twice":         {whole + second, "twice or out of order"},
		"out of order":           {whole + line("a", 1, junk...), "twice or out of order"},
		"key ids out of order":   {text + "\n" + first + line("a", 2, junk...) + line("a", 1, junk...), "twice or out of order"},
		"unknown kind":           {whole + line("z", 1, make([]byte, 2428)...), "expected one line of at most"},
		"short unknown kind":     {whole + line("z", 1, 1, 2, 3), "of 7 bytes, expected 76"},
		"time 0":                 {whole + line("z", 1, make([]byte, 72)...), "time of 0 seconds"},
		"time after 9999":        {whole + line("z", 1, append([]byte{0, 0, 0, 0x3a, 0xff, 0xf4, 0x41, 0x80}, short...)...), "time of 253402300800 seconds"},
		"time below 0":           {whole + line("z", 1, append(bytes.Repeat([]byte{255}, 8), short...)...), "time of 18446744073709551615 seconds"},
		"hyphen for dash":        {text + "\n" + strings.Replace(first, "—", "-", 1), "expected an em dash"},
		"two spaces":             {text + "\n" + strings.Replace(first, "— ", "—  ", 1), "name: empty"},
		"space at the end":       {text + "\n" + strings.TrimSuffix(first, "\n") + " \n", "not base64"},
		"URL base64":             {text + "\n" + strings.Replace(strings.ReplaceAll(first, "/", "_"), "example.com_", "example.com/", 1), "not base64"},
		"origin with plus":       {strings.ReplaceAll(whole, origin, "a+b"), `expected no "+"`},
		"origin with space":      {strings.ReplaceAll(whole, origin, "a b"), "expected visible ASCII"},
		"origin with wide space": {strings.ReplaceAll(whole, origin, "a\u3000b"), "expected visible ASCII"},
		"origin of Cyrillic a":   {strings.ReplaceAll(whole, origin, "ex\u0430mple"), "expected visible ASCII"},
		"origin with bidi":       {strings.ReplaceAll(whole, origin, "a\u202eb"), "expected visible ASCII"},
		"no origin":              {strings.ReplaceAll(whole, origin, ""), "name: empty"},
		"long origin":            {strings.ReplaceAll(whole, origin, strings.Repeat("x", 129)), "(129 bytes), expected at most 128"},
		"size with zero":         {strings.Replace(whole, "\n7\n", "\n07\n", 1), "exact encoding"},
		"size with plus":         {strings.Replace(whole, "\n7\n", "\n+7\n", 1), "exact encoding"},
		"size below 0":           {strings.Replace(whole, "\n7\n", "\n-7\n", 1), "tree of size -7"},
		"size in hex":            {strings.Replace(whole, "\n7\n", "\n0x7\n", 1), "expected a decimal number"},
		"size too large":         {strings.Replace(whole, "\n7\n", "\n281474976710657\n", 1), "expected 0 to 281474976710656"},
		"size over 64 bits":      {strings.Replace(whole, "\n7\n", "\n18446744073709551623\n", 1), "expected a decimal number"},
		"root in hex":            {strings.Replace(whole, text[len(text)-45:len(text)-1], strings.Repeat("ab", 32), 1), "expected 32 bytes in base64"},
		"root with CR":           {strings.Replace(whole, text[len(text)-45:], text[len(text)-45:len(text)-1]+"\r\n", 1), "exact encoding"},
		"loose base64":           {strings.Replace(whole, text[len(text)-3:]+"\n", looser(text[len(text)-3])+"=\n\n", 1), "exact encoding"},
		"huge":                   {whole + strings.Repeat("x", translog.MaxSignedSize), "expected at most 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translog.ParseSigned([]byte(test.data))
			wantError[*translog.FormatError](t, err, test.want)
		})
	}
}

// An empty tree has one root, whatever a log may sign.
func TestEmptyTree(t *testing.T) {
	empty := translog.Checkpoint{Origin: origin, Tree: translog.Tree{Root: translog.EmptyRoot}}
	s, err := translog.Sign(empty, logKey.public(), logKey)
	must(t, err)
	if _, err := translog.Open(marshal(t, s), origin, logKey.public()); err != nil {
		t.Error(err)
	}
	empty.Root[0]++
	_, err = translog.Sign(empty, logKey.public(), logKey)
	wantError[*translog.RootError](t, err, "the tree of size 0")
	_, err = translog.ParseCheckpoint(fmt.Appendf(nil, "%s\n0\n%v\n", origin, empty.Root))
	wantError[*translog.RootError](t, err, "the tree of size 0")
}

func TestForeignKeysAndOrigins(t *testing.T) {
	s := sevenLeaves(t)
	forged, err := translog.Sign(s.Checkpoint, otherKey.public(), otherKey)
	must(t, err)
	err = forged.Verify(origin, logKey.public())
	if wantError[*translog.SignatureError](t, err, "no signature by"); !errors.Is(err, translog.ErrNotSigned) {
		t.Error(err)
	}
	// The forger claims the log's key id: only the signature can tell.
	borrowed := strings.Split(string(marshal(t, forged)), "\n\n")[0] + "\n\n" + line(origin, s.KeyID(), ed25519.Sign(otherKey.private, marshal(t, s.Checkpoint))...)
	_, err = translog.Open([]byte(borrowed), origin, logKey.public())
	if wantError[*translog.SignatureError](t, err, "wrong signature by"); !errors.Is(err, translog.ErrBadSignature) {
		t.Error(err)
	}
	wantError[*translog.OriginError](t, s.Verify("example.com/evidence-0000000000000000", logKey.public()), "expected \"example.com/evidence-0")
	wantError[*translog.FormatError](t, s.Verify(origin, nil), "Ed25519 key of 0 bytes, expected 32")
	wantError[*translog.FormatError](t, s.Verify("", logKey.public()), "name: empty")
	if err := (translog.SignedCheckpoint{}).Verify(origin, logKey.public()); err == nil {
		t.Error("the zero checkpoint was verified")
	}
	_, err = s.Cosigned(witness, otherKey.public())
	wantError[*translog.SignatureError](t, err, "no signature by")
	_, err = s.Cosigned("example.com/witness-ada", witnessKey.public())
	wantError[*translog.SignatureError](t, err, "no signature by")
	_, err = s.Cosigned(origin, witnessKey.public())
	wantError[*translog.FormatError](t, err, "is the log itself")
	_, err = s.Cosigned(witness, nil)
	wantError[*translog.FormatError](t, err, "Ed25519 key of 0 bytes")
}

type signerFunc func(message []byte) ([]byte, error)

func (f signerFunc) Sign(message []byte) ([]byte, error) { return f(message) }

// A signer that fails, or that holds another key than the one that was named, is
// found before anything is written.
func TestSignersThatMisbehave(t *testing.T) {
	c := sevenLeaves(t).Checkpoint
	attempt := func(s translog.Signer) [2]error {
		_, err1 := translog.Sign(c, logKey.public(), s)
		_, err2 := translog.Cosign(c, witness, logKey.public(), s, cosignedAt)
		return [2]error{err1, err2}
	}
	for _, err := range attempt(signerFunc(func([]byte) ([]byte, error) { return nil, errBroken })) {
		if !errors.Is(err, errBroken) {
			t.Errorf("error is %v", err)
		}
	}
	for _, s := range []translog.Signer{otherKey, signerFunc(func([]byte) ([]byte, error) { return nil, nil }), signerFunc(func(m []byte) ([]byte, error) { return append(ed25519.Sign(logKey.private, m), 0), nil })} {
		for _, err := range attempt(s) {
			wantError[*translog.SignatureError](t, err, "the signer's answer: checkpoint: wrong signature by")
		}
	}
	_, err := translog.Sign(c, nil, logKey)
	wantError[*translog.FormatError](t, err, "Ed25519 key of 0 bytes")
}

func TestParseCheckpointRefuses(t *testing.T) {
	good := string(marshal(t, sevenLeaves(t).Checkpoint))
	for name, data := range map[string]string{
		"size with zero": strings.Replace(good, "\n7\n", "\n07\n", 1),
		"size with plus": strings.Replace(good, "\n7\n", "\n+7\n", 1),
		"root with CR":   good[:len(good)-1] + "\r\n",
		"loose base64":   good[:len(good)-3] + looser(good[len(good)-3]) + "=\n",
	} {
		_, err := translog.ParseCheckpoint([]byte(data))
		t.Run(name, func(t *testing.T) { wantError[*translog.FormatError](t, err, "exact encoding") })
	}
	for name, data := range mutants([]byte(good)) {
		if c, err := translog.ParseCheckpoint(data); err == nil && bytes.Equal(marshal(t, c), []byte(good)) {
			t.Errorf("%s: %q was read as another text", name, data)
		}
	}
	_, err := translog.ParseCheckpoint([]byte(good + strings.Repeat("x", 300)))
	wantError[*translog.FormatError](t, err, "expected at most 256")
}

// A raw signature of a file can never serve as a checkpoint's or a cosignature:
// the raw protocol signs neither message.
func TestRawSignerSignsNoCheckpoint(t *testing.T) {
	s := sevenLeaves(t)
	text := marshal(t, s.Checkpoint)
	for _, message := range [][]byte{text, append([]byte("cosignature/v1\ntime 1\n"), text...)} {
		public, err := envelope.NewPublicKey(logKey.public())
		must(t, err)
		if err := envelope.VerifyRaw(public, message, ed25519.Sign(logKey.private, message)); !errors.Is(err, envelope.ErrReservedBytes) {
			t.Errorf("%q: error is %v", message, err)
		}
	}
}

func TestNewOrigin(t *testing.T) {
	got, err := translog.NewOrigin("example.com/evidence", "4f1c0a9b2d3e5f60")
	if err != nil || got != origin {
		t.Errorf("origin is %s, %v", got, err)
	}
	for name, test := range map[string]struct{ name, random, want string }{
		"no name":     {"", "4f1c0a9b2d3e5f60", "name: empty"},
		"space":       {"a b", "4f1c0a9b2d3e5f60", "visible ASCII"},
		"line end":    {"a\n", "4f1c0a9b2d3e5f60", "visible ASCII"},
		"plus":        {"a+b", "4f1c0a9b2d3e5f60", `no "+"`},
		"not UTF-8":   {"a\xff", "4f1c0a9b2d3e5f60", "visible ASCII"},
		"long":        {strings.Repeat("x", 112), "4f1c0a9b2d3e5f60", "(129 bytes), expected at most 128"},
		"no digits":   {"a", "", "16 lower-case hex digits"},
		"few digits":  {"a", "4f1c", "16 lower-case hex digits"},
		"upper case":  {"a", "4F1C0A9B2D3E5F60", "16 lower-case hex digits"},
		"digits + LF": {"a", "4f1c0a9b2d3e5f6\n", "16 lower-case hex digits"},
	} {
		got, err := translog.NewOrigin(test.name, test.random)
		t.Run(name, func(t *testing.T) { wantError[*translog.FormatError](t, err, test.want) })
		if got != "" {
			t.Errorf("%s: origin %q beside an error", name, got)
		}
	}
	if _, err := translog.NewOrigin(strings.Repeat("x", 111), "4f1c0a9b2d3e5f60"); err != nil {
		t.Error(err)
	}
}
