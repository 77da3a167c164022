package archive_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var hostileNames = []hostile{
	{"zip slip", named("../../etc/passwd"), `../../etc/passwd: central header at offset 47: element "..", expected a path without . and ..`},
	{"zip slip inside", named(top + "/bin/../../../x"), `element ".."`},
	{"zip slip by backslash", named(top + `/..\..\x`), `backslash in a path, expected "/" between elements`},
	{"dot", named(top + "/./x"), `element "."`},
	{"absolute name", named("/etc/passwd"), "absolute path, expected a relative one"},
	{"Windows drive", named("C:/x"), "path begins with a Windows drive"},
	{"Windows drive inside", named(top + "/C:/x"), `character ":"`},
	{"UNC name", named(`\\host\share`), "backslash in a path"},
	{"stream", named(top + "/x:y"), `character ":"`},
	{"device name", named(top + "/bin/NUL"), "element NUL is a device name of Windows"},
	{"device name with extension", named(top + "/aux.tar.gz"), "element aux.tar.gz is a device name of Windows"},
	{"device as top", named("com1/x"), "element com1 is a device name of Windows"},
	{"NUL byte", named(top + "/x\x00.txt"), `demo-v1.0.0/x\u{0}.txt: central header at offset 49: character \u{0}, expected only`},
	{"line break", named(top + "/x\ny"), `character \u{a}`},
	{"escape sequence", named(top + "/\x1b[2J"), `character \u{1b}`},
	{"right-to-left override", named(top + "/x\u202egpj.exe"), `character \u{202e}`},
	{"zero-width name", named(top + "/x\u200b"), `character \u{200b}`},
	{"non-ASCII name", named(top + "/straße"), `character \u{df}`},
	{"not UTF-8", named(top + "/x\xff"), `character \x{ff}`},
	{"space", named(top + "/a b"), `character \u{20}`},
	{"leading dash", named(top + "/-rf"), `begins with "-"`},
	{"hidden file", named(top + "/.bashrc"), `begins with "."`},
	{"trailing dot", named(top + "/x.exe."), `ends in "."`},
	{"empty element", named(top + "//x"), "empty element"},
	{"empty name", named(""), "empty path"},
	{"long name", named(top + "/" + strings.Repeat("x", 5000)), "path of 5012 bytes, expected at most 601"},
	{"long path", named(top + "/" + strings.Repeat("x/", 200) + "x"), "path of 401 bytes, expected at most 400"},
	{"long element", named(top + "/" + strings.Repeat("x", 201)), "element of 201 bytes, expected at most 200"},
	{"directory entry", named(top+"/bin/", top+"/bin/x"), "names a directory, expected a file"},
	{"top as directory entry", named(top+"/", top+"/x"), "names a directory, expected a file"},
	{"no top", named("x"), "lies in no directory"},
	{"different tops", named("a/x", "b/x"), "lies in another directory than the entries before it, expected a"},
	{"tops that differ by case", named("A/x", "a/y"), "expected A"},
	{"duplicate", named(top+"/x", top+"/x"), "listed twice"},
	{"unsorted", named(top+"/y", top+"/x"), "follows demo-v1.0.0/y, expected entries sorted by name"},
	{"case collision", named(top+"/README", top+"/ReadMe"), "differs only by case from README"},
	{"case collision of directories", named(top+"/Bin/x", top+"/bin/y"), "directory bin differs only by case from Bin"},
	{"Unicode collision by form", named(top+"/e\u0301", top+"/\u00e9"), `character \u{301}`},
	{"Unicode collision by folding", named(top+"/k", top+"/\u212a"), `character \u{212a}`},
	{"file versus directory", named(top+"/bin", top+"/bin/x"), "lies in a directory with the name of the file bin"},
	{"file versus directory by case", named(top+"/BIN", top+"/bin/x"), "lies in a directory with the name of the file BIN"},
}

var hostileHeaders = []hostile{
	{"deflated", func(t testing.TB) []byte { return deflated(t, strings.Repeat("x", 100)) }, "compressed with method 8 (deflate), expected 0 (store)"},
	{"bomb", func(t testing.TB) []byte { return deflated(t, strings.Repeat("\x00", 10<<20)) }, "compressed with method 8 (deflate), expected 0 (store)"},
	{"stored by archive/zip", stored, "flags 0x0008 (data descriptor), expected none"},
	{"zstandard", header(func(h *zip.FileHeader) { h.Method = 93 }), "compressed with method 93 (zstandard)"},
	{"exotic method", header(func(h *zip.FileHeader) { h.Method = 77 }), "compressed with method 77 (unknown)"},
	{"encrypted", header(func(h *zip.FileHeader) { h.Flags = 1 }), "flags 0x0001 (encrypted), expected none"},
	{"AES", header(func(h *zip.FileHeader) { h.Method = 99; h.Flags = 1 }), "compressed with method 99 (AES encryption)"},
	{"strong encryption", header(func(h *zip.FileHeader) { h.Flags = 0x41 }), "flags 0x0041 (encrypted, strong encryption)"},
	{"UTF-8 flag", header(func(h *zip.FileHeader) { h.Flags = 0x800 }), "flags 0x0800 (UTF-8 names)"},
	{"unused flag", header(func(h *zip.FileHeader) { h.Flags = 0x80 }), "flags 0x0080, expected none"},
	{"extra field", header(func(h *zip.FileHeader) { h.Extra = []byte("UT\x05\x00\x01____") }), "extra field of 9 bytes, expected none"},
	{"entry comment", header(func(h *zip.FileHeader) { h.Comment = "hello" }), "comment of 5 bytes, expected none"},
	{"zip64 size", header(func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 32 }), "extra field of 28 bytes, expected none"},
	{"zip64 size without record", patched(func(b []byte) {
		put32(b, nth(b, centralMark, 0)+20, 1<<32-1)
		put32(b, nth(b, centralMark, 0)+24, 1<<32-1)
	}), "size 0xffffffff (zip64), expected at most"},
	{"zip64 offset", patched(func(b []byte) { put32(b, nth(b, centralMark, 1)+42, 1<<32-1) }), "local header recorded at offset 0xffffffff (zip64)"},
	{"symlink", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o120777 << 16 }), "symbolic link, Unix mode 0120777, expected a regular file, 0100755 or 0100644"},
	{"directory mode", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o040755 << 16 }), "directory, Unix mode 040755"},
	{"named pipe", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o010644 << 16 }), "named pipe"},
	{"block device", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o060644 << 16 }), "block device"},
	{"setuid", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o104755 << 16 }), "Unix mode 0104755, expected a regular file"},
	{"writable by all", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o100666 << 16 }), "Unix mode 0100666"},
	{"no file type", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o000644 << 16 }), ": Unix mode 0644, expected a regular file"},
	{"MS-DOS attributes", header(func(h *zip.FileHeader) { h.ExternalAttrs |= 0x20 }), "MS-DOS attributes 0x0020, expected none"},
	{"read-only attribute", header(func(h *zip.FileHeader) { h.ExternalAttrs |= 1 }), "MS-DOS attributes 0x0001, expected none"},
	{"symlink with MS-DOS attributes", header(func(h *zip.FileHeader) { h.ExternalAttrs = 0o120777<<16 | 0x20 }), "symbolic link"},
	{"date", header(func(h *zip.FileHeader) { h.ModifiedDate = 46<<9 | 7<<5 | 30; h.ModifiedTime = 13<<11 | 45<<5 | 1 }), "modified 2026-07-30 13:45:02, expected 1980-01-01 00:00:00"},
	{"version needed", header(func(h *zip.FileHeader) { h.ReaderVersion = 20 }), "version needed 0x0014, expected 0x000a"},
	{"made on MS-DOS", header(func(h *zip.FileHeader) { h.CreatorVersion = 10 }), "version made by 0x000a, expected 0x030a"},
	{"internal attributes", patched(func(b []byte) { b[nth(b, centralMark, 0)+36] = 1 }), "internal attributes 1, expected 0"},
	{"other disk", patched(func(b []byte) { b[nth(b, centralMark, 0)+34] = 1 }), "disk 1, expected 0"},
	{"compressed size lie", patched(func(b []byte) { put32(b, nth(b, centralMark, 0)+20, 3) }), "compressed size 3, expected 4, the uncompressed size"},
	{"declared size too large", header(func(h *zip.FileHeader) { h.CompressedSize64, h.UncompressedSize64 = 3<<30, 3<<30 }), "size 3221225472, expected at most the 4 bytes up to the central directory"},
	{"declared size too small", header(func(h *zip.FileHeader) { h.CompressedSize64, h.UncompressedSize64 = 3, 3 }), "1 bytes between the last entry and the directory, expected none"},
}

// onlyLocal lists what a local header can say otherwise than the central one.
var onlyLocal = []hostile{
	{"local signature", patched(func(b []byte) { copy(b[nth(b, localMark, 1):], "PKxx") }), "local header at offset 53: begins with bytes 50 4b 78 78, expected 50 4b 03 04, the signature of a local header"},
	{"local signature of another header", patched(func(b []byte) { copy(b[nth(b, localMark, 1):], "PK\x07\x08") }), "begins with the signature of a data descriptor, expected a local header"},
	{"local method", patched(func(b []byte) { b[nth(b, localMark, 0)+8] = 8 }), "local header at offset 0: compressed with method 8 (deflate)"},
	{"local flags", patched(func(b []byte) { b[nth(b, localMark, 0)+6] = 9 }), "local header at offset 0: flags 0x0009 (encrypted, data descriptor)"},
	{"local name", patched(func(b []byte) { b[nth(b, localMark, 0)+30] = '/' }), "local header at offset 0: name /emo-v1.0.0/LICENSE, central header says demo-v1.0.0/LICENSE"},
	{"local name hidden", patched(func(b []byte) { b[nth(b, localMark, 0)+30] = 0x1b }), `name \u{1b}emo-v1.0.0/LICENSE`},
	{"local name length", patched(func(b []byte) { b[nth(b, localMark, 0)+26]-- }), "name length 18, central header says 19"},
	{"local size", patched(func(b []byte) { put32(b, nth(b, localMark, 0)+22, 5) }), "uncompressed size 5, central header says 4"},
	{"local compressed size", patched(func(b []byte) { put32(b, nth(b, localMark, 0)+18, 1<<32-1) }), "compressed size 0xffffffff (zip64), central header says 4"},
	{"local CRC-32", patched(func(b []byte) { put32(b, nth(b, localMark, 0)+14, 0) }), "CRC-32 00000000, central header says 097398fd"},
	{"local date", patched(func(b []byte) { b[nth(b, localMark, 0)+12]++ }), "modified 1980-01-02 00:00:00"},
	{"local version needed", patched(func(b []byte) { b[nth(b, localMark, 0)+4] = 45 }), "local header at offset 0: version needed 0x002d"},
	{"local extra field", func(t testing.TB) []byte {
		p := peers(demo[0])[0]
		p.header.Extra = []byte("UT\x05\x00\x01____")
		p.central = func(h *zip.FileHeader) { h.Extra = nil }
		return peerZip(t, p)
	}, "9 bytes between the last entry and the directory"},
	{"local extra length", patched(func(b []byte) { b[nth(b, localMark, 0)+28] = 4 }), "local header at offset 0: extra field of 4 bytes"},
	{"central CRC-32", central(func(h *zip.FileHeader) { h.CRC32++ }), "CRC-32 097398fd, central header says 097398fe"},
	{"central name", central(func(h *zip.FileHeader) { h.Name = top + "/LICENCE" }), "name demo-v1.0.0/LICENSE, central header says demo-v1.0.0/LICENCE"},
}

var hostileStructure = []hostile{
	{"nothing", func(testing.TB) []byte { return nil }, "0 bytes, expected a zip of 22 to 4294967295"},
	{"not a zip", func(testing.TB) []byte { return bytes.Repeat([]byte("x"), 1000) }, "no end record at the end: not a zip, or cut short"},
	{"no entries", func(t testing.TB) []byte { return peerZip(t) }, "0 entries, expected 1 to 65534"},
	{"prefixed data", func(t testing.TB) []byte { return append([]byte("#!/bin/sh\n"), write(t, demo...)...) }, "10 bytes before the zip or between its parts"},
	{"prefixed data with mended offsets", prefixed, "local header recorded at offset 10, expected 0: 10 bytes before the first entry"},
	{"trailing data", func(t testing.TB) []byte { return append(write(t, demo...), "trailing"...) }, "8 bytes after the end record, expected none"},
	{"comment", commented("hello"), "comment of 5 bytes after the end record, expected none"},
	{"longest comment", commented(strings.Repeat("c", 65535)), "comment of 65535 bytes after the end record, expected none"},
	{"comment that is an end record", func(t testing.TB) []byte {
		b := write(t, demo...)
		return commented(string(b[len(b)-22:]))(t)
	}, "expected 560: 22 bytes before the zip or between its parts"},
	{"comment length alone", patched(func(b []byte) { b[len(b)-2] = 1 }), "comment of 1 bytes, expected none"},
	{"multi-disk", patched(func(b []byte) { b[len(b)-22+4] = 1 }), "end record at offset 420: disk 1, expected 0"},
	{"directory on another disk", patched(func(b []byte) { b[len(b)-22+6] = 1 }), "disk of the central directory 1, expected 0"},
	{"entries on another disk", patched(func(b []byte) { b[len(b)-22+8] = 2 }), "entries on this disk 2, expected 3"},
	{"zip64 locator", inserted(endMark, 0, zip64End), "follows a zip64 end locator, expected none"},
	{"zip64 count", patched(func(b []byte) { copy(b[len(b)-22+8:], "\xff\xff\xff\xff") }), "refers to a zip64 record, expected none"},
	{"zip64 directory", patched(func(b []byte) { put32(b, len(b)-22+16, 1<<32-1) }), "refers to a zip64 record, expected none"},
	{"zip64 record in the directory", func(t testing.TB) []byte {
		b := inserted(endMark, 0, zip64End)(t)
		put32(b, len(b)-22+12, uint32(len(b)-22-nth(b, centralMark, 0)))
		return b
	}, "76 bytes after the last of 3 headers, expected none"},
	{"one byte more in the directory", func(t testing.TB) []byte {
		b := inserted(endMark, 0, "P")(t)
		put32(b, len(b)-22+12, uint32(len(b)-22-nth(b, centralMark, 0)))
		return b
	}, "1 bytes after the last of 3 headers, expected none"},
	{"fewer entries than headers", patched(func(b []byte) { b[len(b)-22+8], b[len(b)-22+10] = 2, 2 }), "bytes after the last of 2 headers, expected none"},
	{"more entries than headers", patched(func(b []byte) { b[len(b)-22+8], b[len(b)-22+10] = 4, 4 }), "the directory ends after entry 3"},
	{"central name too long", patched(func(b []byte) { put16(b, nth(b, centralMark, 2)+28, 5000) }), "name of 5000 bytes, expected at most the 39 that are left"},
	{"directory behind the end record", patched(func(b []byte) { put32(b, len(b)-22+16, 1<<20) }), "central directory recorded to end at offset"},
	{"directory too small", patched(func(b []byte) { put32(b, len(b)-22+12, 10) }), "bytes before the zip or between its parts"},
	{"directory elsewhere", patched(func(b []byte) { put32(b, len(b)-22+16, 0); put32(b, len(b)-22+12, uint32(len(b)-22)) }), "begins with the signature of a local header, expected a central header"},
	{"signature between headers", inserted(centralMark, 1, "PK\x05\x05\x00\x00"), "central directory recorded to end at offset"},
	{"gap before the directory", inserted(centralMark, 0, "gap"), "3 bytes between the last entry and the directory, expected none"},
	{"gap before the end record", inserted(endMark, 0, "gap"), "3 bytes before the zip or between its parts"},
	{"gap between entries", func(t testing.TB) []byte {
		b := inserted(localMark, 1, "gap")(t)
		for n := 1; n < 3; n++ {
			b[nth(b, centralMark, n)+42] += 3
		}
		return b
	}, "local header recorded at offset 56, expected 53: 3 bytes between the entries"},
	{"overlapping entries", patched(func(b []byte) { put32(b, nth(b, centralMark, 1)+42, 0) }), "local header recorded at offset 0, expected 53: overlaps what comes before by 53 bytes"},
	{"quoted overlap", quoted, "overlaps what comes before by"},
	{"order of data", func(t testing.TB) []byte {
		b := write(t, demo[:2]...)
		first, second := nth(b, centralMark, 0)+42, nth(b, centralMark, 1)+42
		put32(b, first, uint32(nth(b, localMark, 1)))
		put32(b, second, 0)
		return b
	}, "local header recorded at offset 53, expected 0"},
}

func TestRefuses(t *testing.T) {
	for _, group := range []struct {
		name  string
		tests []hostile
	}{{"name", hostileNames}, {"header", hostileHeaders}, {"local header", onlyLocal}, {"structure", hostileStructure}} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					_, err := read(test.make(t))
					wantError(t, err, test.want)
				})
			}
		})
	}
}

// TestRefusesRepacked packs the files of a package again with zip(1).
func TestRefusesRepacked(t *testing.T) {
	program, dir := tool(t, "zip"), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, top), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, top, "LICENSE"), bytes.Repeat([]byte("MIT\n"), 100), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ options, want string }{
		{"-qrD", "demo-v1.0.0/LICENSE: central header at offset 88: compressed with method 8 (deflate), expected 0 (store)"},
		{"-qr", "demo-v1.0.0/: central header"},
		{"-qrD0", "extra field of 24 bytes, expected none"},
		{"-qrDX0", "modified 20"},
	} {
		t.Run(test.options, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "again.zip")
			run(t, dir, program, test.options, name, top)
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = read(b)
			wantError(t, err, test.want)
		})
	}
}
