package inventory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// A line is an endpoint in the normal form, its keys in this order.
type line struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	SHA256 string `json:"sha256"`
	SeenAt string `json:"seen_at"`
}

// JSONLines returns the normal form of the endpoints, sorted by target and id: one
// compact JSON object with LF for each, "" for what it does not have. [Read] with
// Format JSONLines returns what was written, and this writes it again byte for byte.
func (l List) JSONLines() []byte {
	sorted := slices.SortedStableFunc(slices.Values(l.Endpoints), func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.ID, b.ID))
	})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, endpoint := range sorted {
		text := line{ID: endpoint.ID, Target: endpoint.Target, SHA256: endpoint.SHA256}
		if !endpoint.SeenAt.IsZero() {
			text.SeenAt = endpoint.SeenAt.UTC().Format(time.RFC3339)
		}
		_ = e.Encode(text) // neither strings nor a buffer can fail
	}
	return b.Bytes()
}
