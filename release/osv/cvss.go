package osv

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Level is a qualitative severity. The zero value is Unknown.
type Level int

// The levels, in their order (CVSS v3.1 specification, section 5).
const (
	Unknown Level = iota
	None
	Low
	Medium
	High
	Critical
)

var levelNames = []string{"unknown", "none", "low", "medium", "high", "critical"}

func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return "unknown"
	}
	return levelNames[l]
}

// MarshalText returns the level's word.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's word.
func (l *Level) UnmarshalText(text []byte) error {
	parsed, err := ParseLevel(string(text))
	*l = parsed
	return err
}

// ParseLevel reads a level's word.
func ParseLevel(word string) (Level, error) {
	if i := slices.Index(levelNames, word); i >= 0 {
		return Level(i), nil
	}
	return Unknown, fmt.Errorf("%.40q is no severity, expected one of %s", word, strings.Join(levelNames[1:], ", "))
}

// levelOf returns the level of a score in tenths.
func levelOf(tenths int) Level {
	switch {
	case tenths >= 90:
		return Critical
	case tenths >= 70:
		return High
	case tenths >= 40:
		return Medium
	case tenths > 0:
		return Low
	}
	return None
}

// metrics are the numbers of the base metrics (CVSS v3.1 specification, section 7.4).
// Privileges required have others where the scope changes.
var metrics = map[string]map[string]float64{
	"AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
	"AC": {"L": 0.77, "H": 0.44},
	"PR": {"N": 0.85, "L": 0.62, "H": 0.27},
	"UI": {"N": 0.85, "R": 0.62},
	"S":  {"U": 0, "C": 1},
	"C":  {"H": 0.56, "L": 0.22, "N": 0},
	"I":  {"H": 0.56, "L": 0.22, "N": 0},
	"A":  {"H": 0.56, "L": 0.22, "N": 0},
}

var changedPrivileges = map[string]float64{"N": 0.85, "L": 0.68, "H": 0.5}

// notBase are the temporal and environmental metrics, which a base score leaves out.
var notBase = []string{"E", "RL", "RC", "CR", "IR", "AR", "MAV", "MAC", "MPR", "MUI", "MS", "MC", "MI", "MA"}

// baseScore computes the base score of a CVSS v3.0 or v3.1 vector, in tenths (section
// 7.1). Each base metric must be there once.
func baseScore(vector string) (tenths int, err error) {
	value, err := parseVector(vector)
	if err != nil {
		return 0, err
	}
	changed := value["S"] == "C"
	n := map[string]float64{}
	for metric, v := range value {
		n[metric] = metrics[metric][v]
	}
	if changed {
		n["PR"] = changedPrivileges[value["PR"]]
	}
	base := 1 - (1-n["C"])*(1-n["I"])*(1-n["A"])
	impact := 6.42 * base
	if changed {
		impact = 7.52*(base-0.029) - 3.25*math.Pow(base-0.02, 15)
	}
	if impact <= 0 {
		return 0, nil
	}
	sum := impact + 8.22*n["AV"]*n["AC"]*n["PR"]*n["UI"]
	if changed {
		sum *= 1.08
	}
	return roundUp(min(sum, 10)), nil
}

// roundUp returns the smallest number of tenths that is not below a score. It goes by
// way of integers, so that 4.000000000000001 stays 4.0 (appendix A).
func roundUp(score float64) int {
	units := int(math.Round(score * 100_000))
	return (units + 9_999) / 10_000
}

func parseVector(vector string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(vector, "CVSS:3.1/")
	if !ok {
		if rest, ok = strings.CutPrefix(vector, "CVSS:3.0/"); !ok {
			return nil, errors.New("not a vector of CVSS 3")
		}
	}
	value, seen := map[string]string{}, map[string]bool{}
	for part := range strings.SplitSeq(rest, "/") {
		metric, v, _ := strings.Cut(part, ":")
		if seen[metric] {
			return nil, fmt.Errorf("metric %.20q stands twice", metric)
		}
		seen[metric] = true
		if slices.Contains(notBase, metric) {
			continue
		}
		if _, known := metrics[metric][v]; !known {
			return nil, fmt.Errorf("metric %.20q is not known", part)
		}
		value[metric] = v
	}
	if len(value) != len(metrics) {
		return nil, fmt.Errorf("%d of %d base metrics", len(value), len(metrics))
	}
	return value, nil
}
