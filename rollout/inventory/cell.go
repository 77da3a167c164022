package inventory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// identifier checks the id of an endpoint and returns it without spaces around.
// What can't be seen, or is seen as a plain space and is none, is refused: two ids
// have to look like two.
func identifier(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", errors.New("no id")
	case len(text) > MaxID:
		return "", fmt.Errorf("id %s, expected at most %d bytes", shown(text), MaxID)
	}
	for _, r := range text {
		// Lone surrogates of JSON and bytes that are not UTF-8 arrive as the
		// replacement character, all alike.
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return "", fmt.Errorf("id %s has the character U+%04X", shown(text), r)
		}
	}
	return text, nil
}

// isTarget reports whether a text can be the id of a deployment target, as in the
// endpoint-deployment schema.
func isTarget(text string) bool {
	for i := range len(text) {
		c := text[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || !strings.ContainsRune("._+-", rune(c))) {
			return false
		}
	}
	return 0 < len(text) && len(text) <= 100
}

func badTarget(text string) error {
	return fmt.Errorf("target %s, expected 1 to 100 letters, digits or ._+-, a letter or digit first", shown(text))
}

// digest returns a sha256 in lower-case hex, "" for none.
func (k kind) digest(text string) (string, error) {
	if k.output {
		var err error
		if text, err = ofOutput(text); err != nil {
			return "", err
		}
	}
	if text == "" {
		return "", nil
	}
	if _, err := hex.DecodeString(text); err != nil || len(text) != 2*sha256.Size {
		return "", fmt.Errorf("sha256 %s, expected 64 hex digits", shown(text))
	}
	return strings.ToLower(text), nil
}

// ofOutput returns what follows sha256= in the output of a script, or the whole
// output if that is not in it.
func ofOutput(text string) (string, error) {
	digest, times := text, 0
	for _, word := range strings.Fields(text) {
		if value, ok := strings.CutPrefix(word, "sha256="); ok {
			digest = value
			times++
		}
	}
	if times > 1 {
		return "", fmt.Errorf("output %s has sha256= %d times", shown(text), times)
	}
	return digest, nil
}

// minKey is the length of an HMAC key from which on it can't be guessed before the
// digest can, in bytes.
const minKey = sha256.Size

// Pseudonym returns what stands for an endpoint's id where nobody without the key
// may learn it: HMAC-SHA-256 of the id without spaces around, in lower-case hex. The
// key has at least 32 bytes, else the error is an [*OptionError]; for what is no id
// it is a [*FormatError]. Without the key, nobody can tell who it was, nor test a
// guess.
func Pseudonym(key []byte, id string) (string, error) {
	if len(key) < minKey {
		return "", &OptionError{"key", fmt.Sprintf("%d bytes, expected at least %d", len(key), minKey)}
	}
	id, err := identifier(id)
	if err != nil {
		return "", malformed("%w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)), nil
}
