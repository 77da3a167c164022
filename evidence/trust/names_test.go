package trust

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, good := range []string{
		"Ada", "Ada Lovelace-King", "O'Neill (Ada), B.", "José", "Åsa", "Ада", "Ελένη", "أدا", "אדה", "हिन्दी", "น้ำใส",
		"山田太郎", "やまだ タロウ", "김철수", "金철수", "Nguyễn", "Ada 2",
	} {
		if err := checkName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                       "0 bytes",
		"Аda":                    "mixes scripts: U+0410 is Cyrillic, U+0061 is Latin",
		"Adа":                    "mixes scripts",
		"Grace Ηopper":           "mixes scripts: U+0397 is Greek",
		"Jose\u0301":             "NFC",
		"\u212Bsa":               "NFC",
		"Ａda":                    "another form of \"A\"",
		"𝐀da":                    "another form",
		"oﬃce":                   "another form",
		"Ada\u200b":              "no letter",
		"Ada\u202e":              "no letter",
		"Ada\u00a0L":             "no letter",
		"Ada\n":                  "spaces at an end",
		" Ada":                   "spaces",
		"Ada  L":                 "spaces",
		"Ada\x1b[2J":             "no letter",
		"<b>Ada</b>":             "no letter",
		"123":                    "has no letter",
		"🙂":                      "no letter",
		"Ad\xffa":                "UTF-8",
		strings.Repeat("a", 129): "129 bytes",
	} {
		if err := checkName(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q: got %v, want an error with %q", bad, err, want)
		}
	}
}
