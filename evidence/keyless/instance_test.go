package keyless

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"golang.org/x/mod/sumdb/tlog"
)

// An object is a JSON object that a test builds, and then bends.
type object map[string]any

// day is when everything happens: long past, so that a verifier that reads the
// clock of the machine shows.
var day = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

// far is the end of the authorities' certificates: the library that writes tokens
// puts the time of the machine into them, beside the time that is asked for.
var far = day.AddDate(200, 0, 0)

// lifetime is how long a certificate of a signer is valid.
const lifetime = 10 * time.Minute

// An instance is a whole Sigstore in memory: certificate authority, CT log,
// transparency log and timestamp authority. Its keys are new each time.
type instance struct {
	t         testing.TB
	next      func() *ecdsa.PrivateKey
	ca        authority
	tsa       authority
	tsaLeaf   *x509.Certificate
	tsaKey    *ecdsa.PrivateKey
	log       *ecdsa.PrivateKey
	ctLog     *ecdsa.PrivateKey
	trustTime string // start of the validity of everything
}

// An authority is a root certificate with one intermediate, which issues.
type authority struct {
	root, intermediate *x509.Certificate
	key                *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newInstance(t testing.TB) *instance {
	return newInstanceOf(t, func() *ecdsa.PrivateKey { return newKey(t) })
}

// newFixedInstance is an instance of the same keys in each process, so that what one
// fuzzing worker finds means the same to the others.
func newFixedInstance(t testing.TB) *instance {
	n := byte(0)
	return newInstanceOf(t, func() *ecdsa.PrivateKey {
		n++
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return k
	})
}

func newInstanceOf(t testing.TB, next func() *ecdsa.PrivateKey) *instance {
	i := &instance{t: t, next: next, log: next(), ctLog: next(), tsaKey: next(), trustTime: "2020-01-01T00:00:00Z"}
	i.ca = i.authority("ca", x509.ExtKeyUsageCodeSigning)
	i.tsa = i.authority("tsa", x509.ExtKeyUsageTimeStamping)
	purpose, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	i.check(err)
	i.tsaLeaf = i.issue(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "tsa"},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: day.AddDate(-1, 0, 0), NotAfter: far,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: purpose}},
	}, i.tsa.intermediate, i.tsaKey.Public(), i.tsa.key)
	return i
}

func (i *instance) check(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) authority(name string, usage x509.ExtKeyUsage) authority {
	rootKey, key := i.next(), i.next()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name + "-root", Organization: []string{"example.com"}},
		NotBefore: day.AddDate(-1, 0, 0), NotAfter: far,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	rootCert := i.issue(template, template, rootKey.Public(), rootKey)
	below := *template
	below.Subject.CommonName, below.ExtKeyUsage = name, []x509.ExtKeyUsage{usage}
	return authority{rootCert, i.issue(&below, rootCert, key.Public(), rootKey), key}
}

func (i *instance) issue(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	i.t.Helper()
	template.SerialNumber = big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	i.check(err)
	c, err := x509.ParseCertificate(der)
	i.check(err)
	return c
}

// certificate issues a signer's certificate, valid from notBefore, with an SCT by
// ctLog unless it is nil.
func (i *instance) certificate(who person, public crypto.PublicKey, notBefore time.Time, ctLog *ecdsa.PrivateKey) *x509.Certificate {
	i.t.Helper()
	template := &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		NotBefore: notBefore, NotAfter: notBefore.Add(lifetime),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(who.issuer)}},
	}
	if u, err := url.Parse(who.subject); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else if strings.Contains(who.subject, "@") {
		template.EmailAddresses = []string{who.subject}
	} else { // a user name, which Go's verifier doesn't know
		name, err := cryptoutils.MarshalOtherNameSAN(who.subject, true)
		i.check(err)
		template.ExtraExtensions = append(template.ExtraExtensions, *name)
	}
	if who.trigger != "" {
		value, err := asn1.MarshalWithParams(who.trigger, "utf8")
		i.check(err)
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 20}, Value: value})
	}
	if ctLog == nil {
		return i.issue(template, i.ca.intermediate, public, i.ca.key)
	}
	bare := i.issue(template, i.ca.intermediate, public, i.ca.key)
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: sctList, Value: i.sct(bare, ctLog)})
	return i.issue(template, i.ca.intermediate, public, i.ca.key)
}

// sct is the value of the SCT list extension (RFC 6962 sections 3.2 and 3.3) for a
// certificate that does not have it yet.
func (i *instance) sct(bare *x509.Certificate, ctLog *ecdsa.PrivateKey) []byte {
	milliseconds := uint64(day.UnixMilli())
	signed := []byte{0, 0}
	signed = binary.BigEndian.AppendUint64(signed, milliseconds)
	signed = append(signed, 0, 1)
	issuer := sha256.Sum256(i.ca.intermediate.RawSubjectPublicKeyInfo)
	signed = append(signed, issuer[:]...)
	n := len(bare.RawTBSCertificate)
	signed = append(signed, byte(n>>16), byte(n>>8), byte(n))
	signed = append(signed, bare.RawTBSCertificate...)
	signed = append(signed, 0, 0)
	sig := i.sign(ctLog, signed)

	one := append([]byte{0}, i.keyID(ctLog)...)
	one = binary.BigEndian.AppendUint64(one, milliseconds)
	one = append(one, 0, 0, 4, 3)
	one = append(binary.BigEndian.AppendUint16(one, uint16(len(sig))), sig...)
	list := binary.BigEndian.AppendUint16(nil, uint16(len(one)+2))
	list = append(binary.BigEndian.AppendUint16(list, uint16(len(one))), one...)
	value, err := asn1.Marshal(list)
	i.check(err)
	return value
}

func (i *instance) sign(k crypto.Signer, message []byte) []byte {
	i.t.Helper()
	sum := sha256.Sum256(message)
	sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	i.check(err)
	return sig
}

func (i *instance) spki(k crypto.Signer) []byte {
	i.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	i.check(err)
	return der
}

// keyID is a log's id: the sha256 of its public key.
func (i *instance) keyID(k crypto.Signer) []byte {
	sum := sha256.Sum256(i.spki(k))
	return sum[:]
}

// token is an RFC 3161 response over a signature.
func (i *instance) token(sig []byte, at time.Time) []byte {
	i.t.Helper()
	sum := sha256.Sum256(sig)
	reply, err := (&timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}).CreateResponseWithOpts(i.tsaLeaf, i.tsaKey, crypto.SHA256)
	i.check(err)
	return reply
}

const (
	logURI  = "https://log.example.com"
	logSize = 2
)

// entry puts a body on the transparency log, in the second of two places.
func (i *instance) entry(kind, version string, body []byte, at time.Time) object {
	i.t.Helper()
	id := i.keyID(i.log)
	promise, err := json.Marshal(map[string]any{
		"body": base64.StdEncoding.EncodeToString(body), "integratedTime": at.Unix(), "logID": hex.EncodeToString(id), "logIndex": 4711,
	})
	i.check(err)
	other := tlog.RecordHash([]byte("somebody else's entry"))
	top := tlog.NodeHash(other, tlog.RecordHash(body))
	return object{
		"logIndex": "4711", "logId": object{"keyId": id},
		"kindVersion": object{"kind": kind, "version": version}, "integratedTime": fmt.Sprint(at.Unix()),
		"inclusionPromise": object{"signedEntryTimestamp": i.sign(i.log, promise)},
		"inclusionProof": object{
			"logIndex": "1", "treeSize": fmt.Sprint(logSize), "rootHash": top[:], "hashes": [][]byte{other[:]},
			"checkpoint": object{"envelope": i.checkpoint(i.log, top)},
		},
		"canonicalizedBody": body,
	}
}

// checkpoint is a signed tree head in the form of Rekor's first version.
func (i *instance) checkpoint(k *ecdsa.PrivateKey, top tlog.Hash) string {
	text := fmt.Sprintf("log.example.com - 42\n%d\n%s\n", logSize, top)
	sig := append(i.keyID(i.log)[:4:4], i.sign(k, []byte(text))...)
	return text + "\n\u2014 log.example.com " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// trustedRoot names everything of the instance. A test deletes what it wants.
func (i *instance) trustedRoot() object {
	since := object{"start": i.trustTime}
	logInstance := func(uri string, k crypto.Signer) object {
		return object{
			"baseUrl": uri, "hashAlgorithm": "SHA2_256", "logId": object{"keyId": i.keyID(k)},
			"publicKey": object{"rawBytes": i.spki(k), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since},
		}
	}
	chain := func(uri string, certificates ...*x509.Certificate) object {
		list := []object{}
		for _, c := range certificates {
			list = append(list, object{"rawBytes": c.Raw})
		}
		return object{"uri": uri, "certChain": object{"certificates": list}, "validFor": since}
	}
	return object{
		"mediaType":              root.TrustedRootMediaType01,
		"tlogs":                  []any{logInstance(logURI, i.log)},
		"ctlogs":                 []any{logInstance("https://ct.example.com", i.ctLog)},
		"certificateAuthorities": []any{chain("https://ca.example.com", i.ca.intermediate, i.ca.root)},
		"timestampAuthorities":   []any{chain("https://tsa.example.com", i.tsaLeaf, i.tsa.intermediate, i.tsa.root)},
	}
}

func (o object) without(keys ...string) object {
	for _, k := range keys {
		delete(o, k)
	}
	return o
}

func (o object) json(t testing.TB) []byte {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
