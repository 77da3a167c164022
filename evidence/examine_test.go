package evidence_test

import (
	"reflect"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// Many at once come out as each by itself, good and bad, each at its place.
func TestExamineAll(t *testing.T) {
	var envelopes [][]byte
	for n := range 200 {
		data := storetest.Rollout(n)
		if n%7 == 3 {
			data = append([]byte{}, data[:len(data)-n%5-1]...)
		}
		envelopes = append(envelopes, data)
	}
	var told []int
	records, errs := storetest.Intake().ExamineAll(envelopes, func(done int) { told = append(told, done) })
	refused := 0
	for i, data := range envelopes {
		record, err := storetest.Intake().Examine(data)
		if !reflect.DeepEqual(record, records[i]) || (err == nil) != (errs[i] == nil) || err != nil && err.Error() != errs[i].Error() {
			t.Fatalf("envelope %d: %v and %v", i, err, errs[i])
		}
		if err != nil {
			refused++
		}
	}
	if refused != 29 {
		t.Errorf("%d envelopes were refused, expected 29", refused)
	}
	for i, done := range told {
		if done != i+1 {
			t.Fatalf("told %d after %d", done, i)
		}
	}
	if len(told) != len(envelopes) {
		t.Errorf("told %d times of %d", len(told), len(envelopes))
	}
	if records, errs := (evidence.Intake{}).ExamineAll(nil, nil); len(records)+len(errs) > 0 {
		t.Error("something came out of nothing")
	}
}
