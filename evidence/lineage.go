package evidence

import (
	"context"
	"errors"
)

// LineageSchema identifies the document of a [Lineage].
const LineageSchema = Namespace + "evidence-lineage/v1"

// A Lineage is a record with what it stands on and what stands on it.
type Lineage struct {
	Schema   string     `json:"schema"`
	Record   RecordLine `json:"record"`
	StandsOn []Relative `json:"standsOn"`
	Below    []Relative `json:"below"`
	Cut      bool       `json:"cut"` // there are more than [MaxRelatives]
}

// A Relative is a record of a lineage and those behind it, in the same direction. One
// that stands elsewhere in the lineage already has none.
type Relative struct {
	Record RecordLine `json:"record"`
	Behind []Relative `json:"behind"`
}

// MaxRelatives limits a lineage.
const MaxRelatives = 500

// Lineage walks from a record along digests: an act stands on the acts, and on the
// release, that its subjects name. What the records say is derived from their
// envelopes.
func (in Intake) Lineage(ctx context.Context, r Reader, index int64) (Lineage, error) {
	w := walk{in: in, r: r, ctx: ctx, seen: map[int64]bool{index: true}}
	record, err := w.record(index)
	if err != nil {
		return Lineage{}, err
	}
	l := Lineage{Schema: LineageSchema, Record: record.Line()}
	if l.StandsOn, err = w.from(record, w.above); err != nil {
		return l, err
	}
	l.Below, err = w.from(record, w.below)
	l.Cut = w.cut
	return l, err
}

type walk struct {
	in   Intake
	r    Reader
	ctx  context.Context
	seen map[int64]bool
	cut  bool
}

// record derives a record; of an erased one only the stored line is left.
func (w *walk) record(index int64) (Record, error) {
	derived, _, err := w.in.Rederive(w.ctx, w.r, index)
	if errors.Is(err, ErrErased) {
		return derived, nil
	}
	return derived, err
}

// from follows one direction, each record once.
func (w *walk) from(record Record, next func(Record) ([]int64, error)) ([]Relative, error) {
	list := []Relative{}
	indexes, err := next(record)
	if err != nil {
		return nil, err
	}
	for _, index := range indexes {
		again := w.seen[index]
		if !again && len(w.seen) > MaxRelatives {
			w.cut = true
			break
		}
		w.seen[index] = true
		relative, err := w.record(index)
		if err != nil {
			return nil, err
		}
		node := Relative{Record: relative.Line(), Behind: []Relative{}}
		if !again {
			if node.Behind, err = w.from(relative, next); err != nil {
				return nil, err
			}
		}
		list = append(list, node)
	}
	return list, nil
}

// above are the records whose act a subject is, and the release that a subject names
// by its manifest.
func (w *walk) above(record Record) ([]int64, error) {
	var list []int64
	for _, s := range record.Subjects {
		d, err := ParseDigest(s.Digest["sha256"])
		if err != nil || d == record.Act {
			continue
		}
		index, err := w.r.Find(w.ctx, d.Hex())
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && index != record.Index {
			list = append(list, index)
		}
		if s.Name == manifestName && record.Kind != KindReleasePackage {
			releases, err := w.named(d, []Kind{KindReleasePackage})
			if err != nil {
				return nil, err
			}
			list = append(list, releases...)
		}
	}
	return list, nil
}

// manifestName is the file by whose digest acts name a release.
const manifestName = "release-evidence.json"

// below are the records that name this act, or this release by its manifest.
func (w *walk) below(record Record) ([]int64, error) {
	list, err := w.named(record.Act, nil)
	if err != nil || record.Kind != KindReleasePackage {
		return list, err
	}
	for _, s := range record.Subjects {
		d, err := ParseDigest(s.Digest["sha256"])
		if err != nil || s.Name != manifestName {
			continue
		}
		named, err := w.named(d, Kinds)
		if err != nil {
			return nil, err
		}
		for _, index := range named {
			other, err := w.r.Record(w.ctx, index)
			if err != nil {
				return nil, err
			}
			if other.Kind != KindReleasePackage {
				list = append(list, index)
			}
		}
	}
	return list, nil
}

// named returns the records with a subject of this digest, oldest first.
func (w *walk) named(d Digest, kinds []Kind) ([]int64, error) {
	page, err := w.r.Search(w.ctx, Query{Digests: []string{d.Hex()}, Kinds: kinds, Order: OldestFirst, Limit: MaxLimit})
	if err != nil {
		return nil, err
	}
	w.cut = w.cut || page.Next != ""
	var list []int64
	for _, r := range page.Records {
		list = append(list, r.Index)
	}
	return list, nil
}
