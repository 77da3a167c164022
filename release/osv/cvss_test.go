package osv

import (
	"strings"
	"testing"
)

// The vectors and base scores are those of the CVSS v3.1 examples document of FIRST
// (https://www.first.org/cvss/v3-1/examples).
func TestBaseScores(t *testing.T) {
	for vector, want := range map[string]int{
		"AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 61, // CVE-2013-1937
		"AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N": 64, // CVE-2013-0375
		"AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 31, // CVE-2014-3566
		"AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H": 99, // CVE-2012-1516
		"AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L": 42, // CVE-2009-0783
		"AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H": 88, // CVE-2012-0384
		"AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H": 78, // CVE-2015-1098
		"AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N": 75, // CVE-2014-0160
		"AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 98, // CVE-2014-6271
		"AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N": 68, // CVE-2008-1447
		"AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 68, // CVE-2014-2005
		"AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N": 58, // CVE-2010-0467
		"AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N": 58, // CVE-2012-1342
		"AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H": 93, // CVE-2013-6014
		"AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N": 54, // CVE-2014-9253
		"AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 88, // CVE-2011-1265
		"AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N": 46, // CVE-2014-2019
		"AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N": 74, // CVE-2014-0224
		"AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H": 96, // CVE-2012-5376
		"AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 100,
		"AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0,
		"AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:N/A:N": 0,
	} {
		for _, version := range []string{"CVSS:3.0/", "CVSS:3.1/"} {
			if got, err := baseScore(version + vector); err != nil || got != want {
				t.Errorf("%s%s: %d, %v, expected %d", version, vector, got, err, want)
			}
		}
	}
}

func TestBaseScoreLeavesOtherMetricsOut(t *testing.T) {
	got, err := baseScore("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U/MAV:P")
	if err != nil || got != 98 {
		t.Errorf("%d, %v", got, err)
	}
}

func TestVectorsThatHaveNoScore(t *testing.T) {
	const good = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	for name, vector := range map[string]string{
		"empty": "", "version 2": "AV:N/AC:L/Au:N/C:N/I:N/A:P", "version 4": strings.Replace(good, "3.1", "4.0", 1), "version 3.2": strings.Replace(good, "3.1", "3.2", 1),
		"missing": strings.TrimSuffix(good, "/A:H"), "twice": good + "/A:H", "unknown value": good[:len(good)-1] + "X", "unknown metric": good + "/X:N",
		"twice with another value": good + "/A:N", "trailing slash": good + "/", "lower case": strings.ToLower(good),
	} {
		if got, err := baseScore(vector); err == nil {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// The specification's own examples of rounding, and the noise of floating point that
// its appendix A is about.
func TestRoundUp(t *testing.T) {
	for score, want := range map[float64]int{4.02: 41, 4.00: 40, 4.000000000001: 40, 8.6 * 1.0000000000000002: 86, 0: 0, 10: 100} {
		if got := roundUp(score); got != want {
			t.Errorf("%v: %d, expected %d", score, got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for tenths, want := range map[int]Level{0: None, 1: Low, 39: Low, 40: Medium, 69: Medium, 70: High, 89: High, 90: Critical, 100: Critical} {
		if got := levelOf(tenths); got != want {
			t.Errorf("%d: %s, expected %s", tenths, got, want)
		}
	}
	for _, l := range []Level{Unknown, None, Low, Medium, High, Critical} {
		text, err := l.MarshalText()
		var back Level
		if err != nil || back.UnmarshalText(text) != nil || back != l {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ParseLevel("High"); err == nil {
		t.Error("read High")
	}
}
