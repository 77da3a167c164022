package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/evidence/storetest"
	"github.com/rollproof/rollproof/evidence/trust"
)

var (
	ada      = storetest.NewSigner("ada")
	stranger = storetest.NewSigner("stranger")
	subjects = []evidence.Subject{storetest.Subject("a")}
)

// dsse signs any bytes and writes them as another tool might.
func dsse(t testing.TB, s storetest.Signer, payloadType, payload string) string {
	t.Helper()
	sig, err := s.Sign(envelope.PAE(payloadType, []byte(payload)))
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`{"payloadType": %q, "payload": %q, "signatures": [{"keyid": %q, "sig": %q, "certificate": "x"}]}`,
		payloadType, b64([]byte(payload)), s.Public().KeyID(), b64(sig))
}

func statement(predicateType, more string) string {
	return fmt.Sprintf(`{"_type":%q,"predicateType":%q,"subject":[{"name":"a","digest":{"sha256":"ab"}}],"predicate":{"x":[1,{"y":null}]}%s}`, evidence.StatementType, predicateType, more)
}

func TestForeignEnvelopes(t *testing.T) {
	good := dsse(t, ada, evidence.PayloadType, statement(storetest.ScanType, ""))
	bundle := `{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.2","verificationMaterial":{"tlogEntries":[]},"dsseEnvelope":` + good + `}`
	old := dsse(t, ada, evidence.PayloadType, strings.Replace(statement(storetest.ScanType, ""), "Statement/v1", "Statement/v0.1", 1))
	for name, data := range map[string]string{"DSSE": good, "bundle": bundle, "statement v0.1": old} {
		r, err := storetest.Intake().Examine([]byte(data))
		if err != nil || r.Kind != evidence.KindAttestation || r.Signer.Person != "ada" || r.Signer.Role != trust.Attest || string(r.Envelope) != data {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestRefusedEnvelopes(t *testing.T) {
	scan := statement(storetest.ScanType, "")
	sign := func(payload string) string { return dsse(t, ada, evidence.PayloadType, payload) }
	good := sign(scan)
	rollout := string(storetest.Rollout(1))
	bad := sign(`{"_type":"` + evidence.StatementType + `","subject":[{"name":"a","digest":{"sha256":"ab"}}],"predicateType":"` + storetest.RolloutType + `","predicate":{}}`)
	named := func(keyid, person string) string {
		return string(storetest.Envelope(ada, storetest.RolloutType, subjects, storetest.Story{KeyID: keyid, Person: person}))
	}
	ours := func(predicateType string) string { return sign(statement(predicateType, "")) }
	for name, tc := range map[string]struct {
		data  string
		fault evidence.Fault
		want  string
	}{
		"empty":                     {"", evidence.FaultEncoding, "not JSON"},
		"text":                      {"hello", evidence.FaultEncoding, "not JSON"},
		"array":                     {"[]", evidence.FaultEncoding, "not a JSON object"},
		"null":                      {"null", evidence.FaultEncoding, "not a JSON object"},
		"other object":              {"{}", evidence.FaultEncoding, "payload"},
		"two documents":             {good + good, evidence.FaultEncoding, "data after"},
		"invalid UTF-8":             {strings.Replace(good, `"x"`, "\"\xff\"", 1), evidence.FaultEncoding, "UTF-8"},
		"deep":                      {strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), evidence.FaultEncoding, "nested"},
		"huge":                      {`{"a":"` + strings.Repeat("x", envelope.MaxDocument) + `"}`, evidence.FaultEncoding, "limit"},
		"duplicate payload":         {strings.Replace(good, `{"payloadType"`, `{"payload":"e30=","payloadType"`, 1), evidence.FaultEncoding, "duplicate key"},
		"folded payload":            {strings.Replace(good, `"payload":`, `"Payload":`, 1), evidence.FaultEncoding, `unknown field "Payload"`},
		"two signatures":            {strings.Replace(good, `"signatures": [`, `"signatures": [{"sig":"AA=="},`, 1), evidence.FaultEncoding, "2 signatures"},
		"no signature":              {good[:strings.Index(good, `"signatures"`)] + `"signatures":[]}`, evidence.FaultEncoding, "0 signatures"},
		"null signature":            {good[:strings.Index(good, `"signatures"`)] + `"signatures":[null]}`, evidence.FaultEncoding, "not a JSON object"},
		"base64 with newline":       {strings.Replace(good, `"payload": "`, `"payload": "\n`, 1), evidence.FaultEncoding, "not base64"},
		"other payload type":        {dsse(t, ada, "text/plain", scan), evidence.FaultType, "payloadType"},
		"no statement":              {sign(`{"a":1}`), evidence.FaultEncoding, `unknown field "a"`},
		"statement twice":           {sign(scan + scan), evidence.FaultEncoding, "data after"},
		"duplicate type":            {sign(statement(storetest.ScanType, `,"predicateType":"https://example.com/other"`)), evidence.FaultEncoding, "duplicate key"},
		"folded type":               {sign(statement(storetest.ScanType, `,"PredicateType":"https://example.com/other"`)), evidence.FaultEncoding, `unknown field "PredicateType"`},
		"field of its own":          {sign(statement(storetest.ScanType, `,"x":1`)), evidence.FaultEncoding, `unknown field "x"`},
		"duplicate in predicate":    {sign(strings.Replace(scan, `"x":`, `"x":1,"x":`, 1)), evidence.FaultEncoding, "duplicate key"},
		"other statement":           {sign(strings.Replace(scan, "Statement/v1", "Statement/v2", 1)), evidence.FaultType, "_type"},
		"no subjects":               {sign(strings.Replace(scan, `[{"name":"a","digest":{"sha256":"ab"}}]`, "[]", 1)), evidence.FaultEncoding, "without subjects"},
		"no digest":                 {sign(strings.Replace(scan, `{"sha256":"ab"}`, "{}", 1)), evidence.FaultEncoding, "no digest"},
		"null digest":               {sign(strings.Replace(scan, `"ab"`, "null", 1)), evidence.FaultEncoding, "empty digest"},
		"folded name":               {sign(strings.Replace(scan, `"name":"a"`, `"name":"a","Name":"b"`, 1)), evidence.FaultEncoding, `unknown field "Name"`},
		"null name":                 {sign(strings.Replace(scan, `"name":"a"`, `"name":null`, 1)), evidence.FaultEncoding, "name is no string"},
		"empty type":                {ours(""), evidence.FaultType, "predicateType"},
		"type with a line end":      {ours(storetest.ScanType + "\n"), evidence.FaultType, "visible"},
		"type of another script":    {ours("https://example.com/sсan"), evidence.FaultType, "visible"},
		"long type":                 {ours("https://example.com/" + strings.Repeat("x", 1024)), evidence.FaultType, "at most 1024"},
		"ours, unknown":             {ours(evidence.Namespace + "release-evidense/v1"), evidence.FaultType, "predicateType"},
		"ours, in capitals":         {ours(strings.ToUpper(evidence.Namespace) + "x/v1"), evidence.FaultType, "predicateType"},
		"ours, escaped":             {ours(strings.Replace(evidence.Namespace, "/rollproof", "%2Frollproof", 1) + "x/v1"), evidence.FaultType, "predicateType"},
		"ours, escaped twice":       {ours(strings.Replace(evidence.Namespace, "/rollproof", "%252Frollproof", 1) + "x/v1"), evidence.FaultType, "predicateType"},
		"not what its type demands": {bad, evidence.FaultEncoding, ""},
		"spaced payload":            {sign(strings.Replace(string(payload(t, rollout)), "  ", "   ", 1)), evidence.FaultEncoding, "exact encoding"},
		"stranger":                  {dsse(t, stranger, evidence.PayloadType, scan), evidence.FaultSigner, "does not list"},
		"no grant":                  {sign(statement(storetest.UnknownType, "")), evidence.FaultSigner, "not of every project, predicate type " + storetest.UnknownType},
		"other bytes":               {strings.Replace(good, `"sig": "`, `"sig": "AAAA`, 1), evidence.FaultSignature, ada.Public().KeyID()},
		"another's name":            {strings.Replace(dsse(t, stranger, evidence.PayloadType, scan), stranger.Public().KeyID(), ada.Public().KeyID(), 1), evidence.FaultSignature, "does not match"},
		"names another key":         {named(stranger.Public().KeyID(), "ada"), evidence.FaultSigner, "names " + stranger.Public().KeyID()},
		"names another person":      {named(ada.Public().KeyID(), "grace"), evidence.FaultSigner, "names grace"},
	} {
		t.Run(name, func(t *testing.T) {
			var refused *evidence.RefusedError
			_, err := storetest.Intake().Examine([]byte(tc.data))
			if !errors.As(err, &refused) || refused.Fault != tc.fault || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, expected %s: %q", err, tc.fault, tc.want)
			}
		})
	}
}

func payload(t *testing.T, bundle string) []byte {
	t.Helper()
	b, err := envelope.ParseBundle([]byte(bundle))
	if err != nil {
		t.Fatal(err)
	}
	return b.Payload
}

// The flag lets in what nobody vouches for, and nothing that pretends more.
func TestUnknownSigners(t *testing.T) {
	loose := storetest.Intake()
	loose.AllowUnknownSigner = true
	scan := statement(storetest.ScanType, "")
	for name, data := range map[string]string{
		"stranger": dsse(t, stranger, evidence.PayloadType, scan),
		"no grant": dsse(t, ada, evidence.PayloadType, statement(storetest.UnknownType, "")),
	} {
		if r, err := loose.Examine([]byte(data)); err != nil || r.Kind != evidence.KindUnverified || r.Signer.Person != "" || r.Signer.Role != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := loose.Examine([]byte(dsse(t, ada, evidence.PayloadType, scan))); err != nil || r.Kind != evidence.KindAttestation {
		t.Errorf("granted: %+v, %v", r, err)
	}
	var refused *evidence.RefusedError
	forged := strings.Replace(dsse(t, stranger, evidence.PayloadType, scan), stranger.Public().KeyID(), ada.Public().KeyID(), 1)
	if _, err := loose.Examine([]byte(forged)); !errors.As(err, &refused) || refused.Fault != evidence.FaultSignature {
		t.Errorf("forged: %v", err)
	}
	if _, err := (evidence.Intake{AllowUnknownSigner: true}).Examine([]byte(dsse(t, ada, evidence.PayloadType, scan))); !errors.Is(err, evidence.ErrNoAuthority) {
		t.Errorf("without an authority: %v", err)
	}
}

func TestCatalogContradictions(t *testing.T) {
	facts := func([]byte) (evidence.Facts, error) { return evidence.Facts{}, nil }
	good := evidence.Entry{PredicateType: evidence.ReleaseEvidence, Schema: evidence.ReleaseEvidence, Roles: []trust.Role{trust.Releaser}, Kind: evidence.KindReleasePackage, Facts: facts}
	if _, err := evidence.NewCatalog(good); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.NewCatalog(good, good); err == nil {
		t.Error("twice: accepted")
	}
	for name, change := range map[string]func(*evidence.Entry){
		"role":          func(e *evidence.Entry) { e.Roles = []trust.Role{trust.Approver} },
		"no role":       func(e *evidence.Entry) { e.Roles = nil },
		"kind":          func(e *evidence.Entry) { e.Kind = "release" },
		"unverified":    func(e *evidence.Entry) { e.Kind = evidence.KindUnverified },
		"schema":        func(e *evidence.Entry) { e.Schema = "" },
		"other schema":  func(e *evidence.Entry) { e.Schema = evidence.SearchSchema },
		"no facts":      func(e *evidence.Entry) { e.Facts = nil },
		"unknown ours":  func(e *evidence.Entry) { e.PredicateType = evidence.Namespace + "x/v1" },
		"schema is not": func(e *evidence.Entry) { e.PredicateType, e.Schema = "https://slsa.dev/provenance/v1", "x" },
	} {
		e := good
		change(&e)
		if _, err := evidence.NewCatalog(e); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDigests(t *testing.T) {
	d := evidence.DigestOf([]byte("x"))
	for _, text := range []string{d.String(), d.Hex()} {
		if got, err := evidence.ParseDigest(text); err != nil || got != d {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sha256:", d.Hex()[1:], d.String() + "00", strings.ToUpper(d.Hex()), "sha512:" + d.Hex(), " " + d.Hex()} {
		if got, err := evidence.ParseDigest(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	var back evidence.Digest
	if data, err := json.Marshal(d); err != nil || json.Unmarshal(data, &back) != nil || back != d {
		t.Errorf("%s, %v, %v", data, err, back)
	}
	if json.Unmarshal([]byte(`"`+d.Hex()+`"`), &back) == nil {
		t.Error("a digest without its algorithm was read")
	}
}

// Whatever is examined is refused, or it is a record whose digests are those of its
// bytes and which comes out the same when it is examined again.
func FuzzExamineIsStable(f *testing.F) {
	f.Add(storetest.Rollout(1))
	f.Add([]byte(dsse(f, ada, evidence.PayloadType, statement(storetest.ScanType, ""))))
	f.Add([]byte(dsse(f, stranger, evidence.PayloadType, statement(storetest.ScanType, ""))))
	f.Add([]byte(dsse(f, ada, evidence.PayloadType, statement(evidence.Namespace+"x/v1", ""))))
	f.Add([]byte(`{"mediaType":"m","verificationMaterial":{},"dsseEnvelope":{"payload":"e30=","payloadType":"t","signatures":[{"sig":"AA=="}]}}`))
	loose := storetest.Intake()
	loose.AllowUnknownSigner = true
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := loose.Examine(data)
		var refused *evidence.RefusedError
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("an error of another sort: %v", err)
			}
			return
		}
		if strings.HasPrefix(strings.ToLower(r.PredicateType), evidence.Namespace) {
			t.Fatalf("%q passed as foreign", r.PredicateType)
		}
		if r.ID != evidence.DigestOf(data) || !bytes.Equal(r.Envelope, data) || len(r.Subjects) == 0 {
			t.Fatalf("a record that is not its bytes: %+v", r)
		}
		if again, err := loose.Examine(r.Envelope); err != nil || again.Act != r.Act || again.Kind != r.Kind {
			t.Fatalf("examined again: %+v, %v", again, err)
		}
	})
}

// A statement is read as one thing or refused: what encoding/json reads from it with
// its looser rules is the same thing.
func FuzzStatementsHaveOneReading(f *testing.F) {
	f.Add(statement(storetest.ScanType, ""))
	f.Add(statement(storetest.ScanType, `,"PredicateType":"x"`))
	f.Add(statement(storetest.ScanType, `,"predicateType":"x"`))
	f.Add(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"a":"b"},"Name":"x"}],"predicateType":"t","predicate":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		sealed, err := json.Marshal(map[string]any{"payloadType": evidence.PayloadType, "payload": []byte(text), "signatures": []any{map[string]any{"sig": []byte("s")}}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := storetest.Intake().Derive(sealed)
		if err != nil {
			return
		}
		var s evidence.Statement[json.RawMessage]
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("derived, and not readable: %v", err)
		}
		if s.PredicateType != r.PredicateType || s.Type != r.StatementType || !reflect.DeepEqual(s.Subject, r.Subjects) {
			t.Fatalf("two readings: %+v and %+v", s, r)
		}
	})
}
