package export_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/export"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// records are those of a store with everything that its envelopes say.
func records(t *testing.T, s *sqlite.Store) []evidence.Record {
	t.Helper()
	var list []evidence.Record
	for stored, err := range s.Scan(t.Context(), evidence.Range{To: 1 << 20, Envelopes: true}) {
		if err != nil {
			t.Fatal(err)
		}
		r := must[evidence.Record](t)(storetest.Intake().Derive(stored.Envelope))
		r.Index, r.Recorded, r.Illegal, r.Kind, r.Signer.Person = stored.Index, stored.Recorded, stored.Illegal, stored.Kind, stored.Signer.Person
		list = append(list, r)
	}
	return list
}

// odd records have facts that two ways of comparing could see differently.
func odd(t *testing.T, s *sqlite.Store) {
	ada := storetest.NewSigner("ada")
	for i, value := range []string{"AGE", "age ", "äge", "a\u0308ge", "a'ge", `a"ge`, "a%", "a_e", "1", "01", "1.0", "NULL"} {
		f := evidence.Facts{Project: value, Version: value, ChangeRecord: value, Environment: value, Ring: value, TargetRing: value, Rollout: value, DeploymentTargets: []string{value, ""}}
		subjects := []evidence.Subject{
			{Name: value, Digest: evidence.DigestSet{"sha256": evidence.SHA256([]byte(value)), "dirHash": "h1:" + value, "gitCommit": "0123456789ABCDEF0123456789abcdef0123456" + fmt.Sprint(i%10)}},
		}
		storetest.Add(t, s, storetest.Envelope(ada, storetest.RolloutType, subjects, storetest.Story{Facts: f}))
	}
}

// answers compares a store's answer with the one that is made without it.
func answers(t *testing.T, s *sqlite.Store, all []evidence.Record, q evidence.Query) {
	t.Helper()
	var want, got []int64
	q.Limit, q.Order = evidence.MaxLimit, evidence.OldestFirst
	for _, r := range must[evidence.Page](t)(s.Search(t.Context(), q)).Records {
		want = append(want, r.Index)
	}
	for _, r := range all {
		if must[bool](t)(export.Matches(q, r)) {
			got = append(got, r.Index)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v: %v, the store says %v", q, got, want)
	}
}

// TestMatchesAsStoresDo asks for every value of every filter, alone, in pairs and with
// values that nobody has.
func TestMatchesAsStoresDo(t *testing.T) {
	s := library(t)
	odd(t, s)
	all := records(t, s)
	values := everyValue(all)
	shape := reflect.TypeFor[evidence.Query]()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(q *evidence.Query, field, n int) {
		f := reflect.ValueOf(q).Elem().Field(field)
		list := values[shape.Field(field).Name]
		f.Set(reflect.MakeSlice(f.Type(), 0, n))
		for range n {
			f.Set(reflect.Append(f, reflect.ValueOf(list[random.IntN(len(list))]).Convert(f.Type().Elem())))
		}
	}
	var lists []int
	for i := range shape.NumField() {
		if shape.Field(i).Type.Kind() == reflect.Slice {
			lists = append(lists, i)
		}
	}
	if len(lists) != len(values) {
		t.Fatalf("%d filters, %d of them are tried", len(lists), len(values))
	}
	for _, field := range lists {
		for _, value := range values[shape.Field(field).Name] {
			var q evidence.Query
			f := reflect.ValueOf(&q).Elem().Field(field)
			f.Set(reflect.Append(f, reflect.ValueOf(value).Convert(f.Type().Elem())))
			answers(t, s, all, q)
		}
	}
	for range 1500 {
		var q evidence.Query
		for range 1 + random.IntN(3) {
			pick(&q, lists[random.IntN(len(lists))], 1+random.IntN(4))
		}
		q.Illegal = random.IntN(20) == 0
		answers(t, s, all, q)
	}
}

// everyValue returns, for each filter, values that records have and some that none has.
func everyValue(all []evidence.Record) map[string][]string {
	values := map[string][]string{"RolloutStatuses": evidence.RolloutStatuses, "ApprovalStates": evidence.ApprovalStates,
		"PromotionResults": evidence.PromotionExecutionResults, "RollbackResults": evidence.RollbackExecutionResults, "DeploymentTargets": {""}}
	for _, k := range evidence.Kinds {
		values["Kinds"] = append(values["Kinds"], string(k))
	}
	for _, r := range all {
		for name, value := range map[string]string{
			"Projects": r.Project, "Versions": r.Version, "Signers": r.Signer.KeyID, "Persons": r.Signer.Person, "ChangeRecords": r.ChangeRecord, "Environments": r.Environment,
			"Rings": r.Ring, "TargetRings": r.TargetRing, "Rollouts": r.Rollout,
		} {
			values[name] = append(values[name], value, "nobody's")
		}
		values["DeploymentTargets"] = append(values["DeploymentTargets"], r.DeploymentTargets...)
		for _, d := range r.Digests() {
			values["Digests"] = append(values["Digests"], d, "x:"+d, "sha256:"+d, "nobody's", "")
		}
	}
	return values
}

func TestMatchesTimes(t *testing.T) {
	s := library(t)
	all := records(t, s)
	for _, r := range all {
		for _, by := range []time.Duration{-time.Millisecond, -1, 0, 1, time.Millisecond} {
			at := r.Recorded.Add(by)
			answers(t, s, all, evidence.Query{Since: at})
			answers(t, s, all, evidence.Query{Until: at})
			answers(t, s, all, evidence.Query{Since: at, Until: at.Add(2 * time.Second)})
			answers(t, s, all, evidence.Query{Since: at.In(time.FixedZone("east", 9*3600)), Until: at})
		}
	}
}

func TestWordsAreNotDecided(t *testing.T) {
	var bad *evidence.QueryError
	if _, err := export.Matches(evidence.Query{Text: "first"}, evidence.Record{}); !errors.As(err, &bad) {
		t.Error(err)
	}
}
