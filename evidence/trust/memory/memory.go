// Package memory keeps, in one file, the newest trust versions that this machine
// has seen, so that nobody can take it back to an older one.
//
// The file has one line for each time that a pin's newest version changed:
//
//	sha256:66e2… 3 sha256:9a0c…
//
// which is the pin, the version's number, and its digest; lines are only ever added.
// What was seen for a pin is its line with the highest number. Adding a line is one
// write in append mode, so that of two processes at once neither undoes what the
// other saw. Two lines that give one version two digests are a fork: whoever reads
// them refuses both. A line that cannot be read is an error, never skipped.
package memory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rollproof/rollproof/evidence/trust"
)

// File is a memory in the named file, which need not exist yet.
type File string

var _ trust.Memory = File("")

// ErrDamaged is returned for a file with a line that is not of the form above.
var ErrDamaged = errors.New("the trust memory is damaged")

var lineForm = regexp.MustCompile(`^(sha256:[0-9a-f]{64}) ([1-9][0-9]{0,5}) (sha256:[0-9a-f]{64})$`)

// maxFile is the size in bytes of the largest file that is read: some 10,000 lines.
const maxFile = 2 << 20

// Seen returns the newest version seen for pin, number 0 for none.
func (f File) Seen(pin string) (trust.Seen, error) {
	lines, err := f.lines()
	if err != nil {
		return trust.Seen{}, err
	}
	var newest trust.Seen
	digests := map[int]string{}
	for i, line := range lines {
		form := lineForm.FindStringSubmatch(line)
		if form == nil {
			return trust.Seen{}, &trust.Error{
				Err:  fmt.Errorf("%w: %s, line %d", ErrDamaged, f, i+1),
				Hint: "compare the file with a copy; removing the line forgets what it held",
			}
		}
		if form[1] != pin {
			continue
		}
		version, err := strconv.Atoi(form[2])
		if err != nil {
			return trust.Seen{}, err
		}
		if known, ok := digests[version]; ok && known != form[3] {
			return trust.Seen{}, &trust.Error{
				Err:  fmt.Errorf("%w: version %d was seen as %s and as %s", trust.ErrFork, version, known, form[3]),
				Hint: "ask the root's owners which one is theirs: somebody may hold their keys",
			}
		}
		digests[version] = form[3]
		if version > newest.Version {
			newest = trust.Seen{Version: version, Digest: form[3]}
		}
	}
	return newest, nil
}

func (f File) lines() ([]string, error) {
	info, err := os.Stat(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrDamaged, f, info.Size(), maxFile)
	}
	data, err := os.ReadFile(string(f))
	if err != nil || len(data) == 0 {
		return nil, err
	}
	text, complete := strings.CutSuffix(string(data), "\n")
	if !complete {
		text += "\x00" // so that its last line is refused, whatever it holds
	}
	return strings.Split(text, "\n"), nil
}

// Remember adds a version to what was seen for pin, and flushes it to the disk. It
// returns [trust.ErrFork] where another document of that version was seen, by this
// process or by one that ran at the same time.
func (f File) Remember(pin string, s trust.Seen) error {
	line := fmt.Sprintf("%s %d %s", pin, s.Version, s.Digest)
	if !lineForm.MatchString(line) {
		return fmt.Errorf("not to be remembered: %q", line)
	}
	if _, err := f.Seen(pin); err != nil {
		return err
	}
	if err := f.add(line); err != nil {
		return err
	}
	_, err := f.Seen(pin)
	return err
}

func (f File) add(line string) error {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}
