package rebuild

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
)

// What assembling refuses already can't be built into a package; the rules are the
// same for whoever assembles otherwise.
func TestBuildInfoNamesTheCause(t *testing.T) {
	for name, test := range map[string]struct {
		changes []Change
		want    Cause
		part    string
	}{
		"another Go":              {[]Change{{"dependency example.com/x", "v1 h1:a", "v2 h1:b"}, {"toolchain", "go1.25.1", "go1.26.8"}}, CauseToolchain, "go1.25.1, rebuilt go1.26.8"},
		"another version":         {[]Change{{"dependency example.com/x", "v1 h1:a", "v2 h1:b"}}, CauseModules, "example.com/x is v1"},
		"one dependency less":     {[]Change{{"dependency example.com/x", "", "v2 h1:b"}}, CauseModules, "is missing, rebuilt v2"},
		"vendored":                {[]Change{{"dependency example.com/x", "v1", "v1 h1:b"}}, CauseVendor, "vendor directory"},
		"modified":                {[]Change{{"main module version", "v1.0.0+dirty", "v1.0.0"}, {"vcs.modified", "true", "false"}}, CauseDirtyTree, "+dirty"},
		"another commit":          {[]Change{{"vcs.revision", "a", "b"}}, CauseSource, "vcs.revision is a"},
		"another main package":    {[]Change{{"main package", "a", "b"}}, CauseSource, "main package is a"},
		"no build info":           {[]Change{{"build info", "not a Go executable", ""}, {"toolchain", "", "go1.26.8"}}, CauseBuildInfo, "no build info"},
		"another default GODEBUG": {[]Change{{"DefaultGODEBUG", "x=1", ""}}, CauseSettings, "x=1, rebuilt missing"},
		"the same":                {nil, "", ""},
	} {
		if got, why := judgeBuildInfo(test.changes); got != test.want || !strings.Contains(why, test.part) {
			t.Errorf("%s: %s, %q; want %s, %q", name, got, why, test.want, test.part)
		}
	}
}

func TestBuildIDNamesTheCause(t *testing.T) {
	for name, test := range map[string]struct {
		theirs, ours string
		functions    []Change
		want         Cause
	}{
		"main package":        {"a/x/c/d", "a/b/c/d", nil, CauseSource},
		"compiler":            {"a/b/x/d", "a/b/c/d", nil, CauseToolchain},
		"linker":              {"x/b/c/d", "a/b/c/d", nil, CauseLinkerFlags},
		"a package below":     {"x/b/c/d", "a/b/c/d", []Change{{"example.com/x.F", "10", "20"}}, CauseSource},
		"edited":              {"a/b/c/d", "a/b/c/d", nil, CauseEdited},
		"none":                {"", "a/b/c/d", nil, CauseLinkerFlags},
		"none on either side": {"", "", nil, CauseSource},
		"something else":      {"redacted", "a/b/c/d", nil, CauseSource},
		"none in the rebuild": {"a/b/c/d", "", nil, CauseSource},
	} {
		d := &Difference{Functions: test.functions}
		if got, why := judgeBuildID(d, []string{".data"}, strings.Split(test.theirs, "/"), strings.Split(test.ours, "/")); got != test.want || why == "" {
			t.Errorf("%s: %s, %q; want %s", name, got, why, test.want)
		}
	}
}

// Some of all is never a match.
func TestResultOfAll(t *testing.T) {
	for want, results := range map[Result][][]Result{
		Match:      {{Match}, {Match, Match, Match, Match, Match, Match}},
		Incomplete: {{}, {NotChecked}, {Match, Match, Match, Match, Match, NotChecked}, {Match, ""}, {Match, "pass"}},
		Differs:    {{Differs}, {Match, Match, Match, Match, Match, Differs}, {NotChecked, Differs}},
	} {
		for _, list := range results {
			r := Report{}
			for _, result := range list {
				r.Targets = append(r.Targets, Target{Result: result})
			}
			if r.conclude(); r.Result != want || r.Matched+r.Differed+r.NotChecked != len(list) {
				t.Errorf("%q: %s, want %s", list, r.Result, want)
			}
		}
	}
}

// A binary of a package is hostile: comparing it ends, in a difference that a report
// can hold, and never in a panic.
func FuzzHostileBinaryIsExplained(f *testing.F) {
	small := smallELF(map[string]string{
		".text": "code", idNote: "\x04\x00\x00\x00\x07\x00\x00\x00\x04\x00\x00\x00Go\x00\x00a/b/c/d\x00", ".gopclntab": lyingTable,
	})
	machO := append([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"\x1d\x00\x00\x00\x10\x00\x00\x00\xf0\xff\xff\xff\xff\xff\xff\xff"...)
	for _, seed := range [][]byte{
		nil, []byte("MZ"), []byte("\x7fELF"), []byte("\xcf\xfa\xed\xfe"), small, append(small, 1), small[:len(small)-1], machO,
		append([]byte("MZ"), make([]byte, 200)...), append([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01"), bytes.Repeat([]byte{0xff}, 200)...),
	} {
		f.Add(seed)
	}
	ours := image{bytes.NewReader(small), int64(len(small))}
	f.Fuzz(func(t *testing.T, hostile []byte) {
		theirs := image{bytes.NewReader(hostile), int64(len(hostile))}
		d := explain(theirs, ours)
		if d.Cause == "" || d.Section == "" || d.Explanation == "" || len(d.Sections) > maxNames || len(d.BuildInfo) > maxNames || len(d.Functions) > maxFunctions {
			t.Errorf("%+v", d)
		}
		for _, text := range append([]string{d.Section, d.Explanation}, d.Sections...) {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x202e }) || len(text) > 3*maxText {
				t.Errorf("unfit text %q", text)
			}
		}
		l, _ := readLayout(theirs)
		for _, s := range l.sections {
			if s.offset < 0 || s.size < 0 || s.offset+s.size > theirs.size {
				t.Errorf("section %q reaches beyond the file", s.name)
			}
		}
		l.functionSizes()
	})
}

// lyingTable claims more functions than it can hold.
const lyingTable = "\xf1\xff\xff\xff\x00\x00\x01\x08\xff\xff\xff\xff\x00\x00\x00\x00" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// It is not believed.
func TestFunctionTableThatLies(t *testing.T) {
	file := smallELF(map[string]string{".gopclntab": lyingTable})
	l, err := readLayout(image{bytes.NewReader(file), int64(len(file))})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.find(".gopclntab"); !ok {
		t.Fatalf("sections %+v, the test would prove nothing", l.sections)
	}
	if sizes := l.functionSizes(); len(sizes) > 0 {
		t.Errorf("%d functions", len(sizes))
	}
}

// smallELF writes an ELF file that consists of sections alone.
func smallELF(content map[string]string) []byte {
	var body, headers bytes.Buffer
	body.Write(make([]byte, 64))
	names := "\x00"
	add := func(name string, kind elf.SectionType, text string) {
		_ = binary.Write(&headers, binary.LittleEndian, elf.Section64{
			Name: uint32(len(names)), Type: uint32(kind), Off: uint64(body.Len()), Size: uint64(len(text)), Addralign: 1,
		})
		names += name + "\x00"
		body.WriteString(text)
	}
	_ = binary.Write(&headers, binary.LittleEndian, elf.Section64{})
	for _, name := range slices.Sorted(maps.Keys(content)) {
		add(name, elf.SHT_PROGBITS, content[name])
	}
	add(".shstrtab", elf.SHT_STRTAB, names+".shstrtab\x00")
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Shentsize: 64,
		Shoff: uint64(body.Len()), Shnum: uint16(headers.Len() / 64), Shstrndx: uint16(headers.Len()/64 - 1)}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var start bytes.Buffer
	_ = binary.Write(&start, binary.LittleEndian, h)
	file := append(body.Bytes(), headers.Bytes()...)
	copy(file, start.Bytes())
	return file
}
