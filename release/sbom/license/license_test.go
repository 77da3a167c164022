package license_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/licensecheck"

	"github.com/rollproof/rollproof/release/sbom/license"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	mit = `MIT License

Copyright (c) 2024 Ada Example

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`
	isc = `Copyright (c) 2023 Grace Example

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM
LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR
OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.
`
	apacheHeader = `Copyright 2022 Ada Example

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
`
	proprietary = "Ask Ada.\n"
	address     = "http://www.apache.org/licenses/LICENSE-2.0\n"
)

// ref states the documented rule for LicenseRef a second time.
func ref(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "LicenseRef-" + hex.EncodeToString(sum[:])[:16]
}

func files(nameAndText ...string) []license.File {
	var fs []license.File
	for i := 0; i < len(nameAndText); i += 2 {
		fs = append(fs, license.File{Name: nameAndText[i], Data: []byte(nameAndText[i+1])})
	}
	return fs
}

func TestDetect(t *testing.T) {
	partial := mit + strings.Repeat("But nobody named Grace may use it on Sundays. ", 12) + "\n"
	for _, test := range []struct {
		name  string
		files []license.File
		want  string
		texts []string // of the extracted licenses, in any order
	}{
		{"nothing", nil, "", nil},
		{"no license file", files("README.md", mit, "PATENTS", "We grant nothing.", "NOTICE", "Example\nCopyright 2024 Ada\n"), "", nil},
		{"one", files("LICENSE", mit), "MIT", nil},
		{"markdown", files("LICENSE.md", "# "+mit), "MIT", nil},
		{"British", files("LICENCE.txt", isc), "ISC", nil},
		{"lower case", files("license", isc), "ISC", nil},
		{"copying", files("COPYING", isc), "ISC", nil},
		{"ends in license", files("MIT-LICENSE.txt", mit), "MIT", nil},
		{"notice of Apache", files("LICENSE", apacheHeader), "Apache-2.0", nil},
		{"two files are AND", files("LICENSE-MIT", mit, "LICENSE-APACHE", apacheHeader), "Apache-2.0 AND MIT", nil},
		{"third party", files("LICENSE", mit, "LICENSE.third_party", isc), "ISC AND MIT", nil},
		{"same twice", files("LICENSE", mit, "LICENSE.txt", mit), "MIT", nil},
		{"two in one file", files("LICENSE", mit+"\n"+isc), "ISC AND MIT", nil},
		{"patents are no license", files("LICENSE", mit, "PATENTS", "We grant nothing."), "MIT", nil},
		{"unknown", files("LICENSE", proprietary), ref(proprietary), []string{proprietary}},
		{"unknown beside known", files("LICENSE", mit, "LICENSE.logo", proprietary), ref(proprietary) + " AND MIT", []string{proprietary}},
		{"partial", files("LICENSE", partial), ref(partial), []string{partial}},
		{"only an address", files("LICENSE", address), ref(address), []string{address}},
		{"not on the SPDX list", files("LICENSE", commonsClause), ref(commonsClause), []string{commonsClause}},
		{"not on the list beside one that is", files("LICENSE", isc+commonsClause), ref(isc + commonsClause), []string{isc + commonsClause}},
		{"empty", files("LICENSE", " \n\n"), "", nil},
		{"copyright file states no license", files("LICENSE", mit, "COPYRIGHT", "Copyright 2024 Ada\n"), "MIT", nil},
		{"copyright file is all there is", files("COPYRIGHT", "Copyright 2024 Ada\n"), ref("Copyright 2024 Ada\n"), []string{"Copyright 2024 Ada\n"}},
		{"copyright file with a license", files("COPYRIGHT", isc), "ISC", nil},
		{"code named license", files("license.go", mit, "licenses.json", "{}", "LICENSE.tmpl", mit), "", nil},
		{"subdirectory", files("sub/LICENSE", mit), "", nil},
		{"line ends and byte order mark", files("LICENSE", "\ufeff"+strings.ReplaceAll(proprietary, "\n", "\r\n")), ref(proprietary), []string{proprietary}},
		{"invalid UTF-8", files("LICENSE", "Ask \xff Ada.\n"), ref("Ask \ufffd Ada.\n"), []string{"Ask \ufffd Ada.\n"}},
		{"GPL says later", files("LICENSE", gplLater), "GPL-2.0-or-later", nil},
		{"GPL two or three", files("LICENSE", gplTwoOrThree), "GPL-2.0-only OR GPL-3.0-only", nil},
		{"a choice inside AND", files("LICENSE", gplTwoOrThree, "LICENSE.third", mit), "(GPL-2.0-only OR GPL-3.0-only) AND MIT", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := license.Detect(test.files)
			if got.Expression != test.want {
				t.Errorf("Expression = %q, want %q", got.Expression, test.want)
			}
			if len(got.Extracted) != len(test.texts) {
				t.Fatalf("%d extracted texts, want %d", len(got.Extracted), len(test.texts))
			}
			for _, x := range got.Extracted {
				if x.ID != ref(x.Text) || !slices.Contains(test.texts, x.Text) {
					t.Errorf("extracted %s with unexpected text %q", x.ID, x.Text)
				}
			}
		})
	}
}

const commonsClause = `"Commons Clause" License Condition v1.0

The Software is provided to you by the Licensor under the License, as defined below, subject to the following condition.

Without limiting other conditions in the License, the grant of rights under the License will not include, and the License does not grant to you, the right to Sell the Software.

For purposes of the foregoing, "Sell" means practicing any or all of the rights granted to you under the License to provide to third parties, for a fee or other consideration (including without limitation fees for hosting or consulting/ support services related to the Software), a product or service whose value derives, entirely or substantially, from the functionality of the Software. Any license notice or attribution required by the License must also include this Commons Clause License Condition notice.

Software: Example
License: ISC
Licensor: Ada Example
`

const gplLater = `This program is free software; you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation; either version 2 of the License, or
(at your option) any later version.
`

const gplTwoOrThree = `This program is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 2 or (at your option)
version 3 of the License.

This program is distributed in the hope that it will be useful,
but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
GNU General Public License for more details.
`

func TestCopyright(t *testing.T) {
	text := strings.Join([]string{
		"Copyright (c) 2024 Ada Example",
		"  copyright 2023 Grace Example  ",
		"// Copyright 2021 The Example Authors. All rights reserved.",
		"COPYRIGHT © 2020 Example",
		"(c) 2019 Example",
		"© Example",
		"Copyright The Example Authors",
		"Copyright Grace and others",
		"Portions Copyright (C) 2018 Ada",
		"Copyright   (c)\t2024 Ada Example", // the same again, spaced differently
		"Copyright \u00a9 2017\u20132018 Example",
		// Words of licenses, no statements:
		"Copyright [yyyy] [name of copyright owner]",
		"Copyright (c) <year> <copyright holders>",
		"Copyright {{ year }} {{ organization }}",
		"copyright notice and this permission notice appear in all copies.",
		"Copyright notice",
		"COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM",
		"Copyright License. Subject to the terms",
		"Copyright and Related Rights",
		"Copyright Law of 1976 is not 1976 years old",
		"(c) You must retain, in the Source form of any Derivative Works",
		"The copyright (c) 2016 belongs to nobody",
	}, "\n")
	want := strings.Join([]string{
		"Copyright (c) 2024 Ada Example",
		"copyright 2023 Grace Example",
		"Copyright 2021 The Example Authors. All rights reserved.",
		"COPYRIGHT © 2020 Example",
		"(c) 2019 Example",
		"© Example",
		"Copyright The Example Authors",
		"Copyright Grace and others",
		"Portions Copyright (C) 2018 Ada",
		"Copyright © 2017–2018 Example",
	}, "\n")
	if got := license.Detect(files("LICENSE", text)).Copyright; got != want {
		t.Errorf("Copyright =\n%s\nwant\n%s", got, want)
	}
	got := license.Detect(files("NOTICE", "Example\nCopyright 2022 Ada\n", "LICENSE", mit, "README", "Copyright 2000 Nobody\n")).Copyright
	if want := "Copyright (c) 2024 Ada Example\nCopyright 2022 Ada"; got != want {
		t.Errorf("with NOTICE: %q, want %q", got, want)
	}
}

func TestCopyrightIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "Copyright 2024 Example %d %s\n", i, strings.Repeat("é", 5_000))
	}
	got := license.Detect(files("NOTICE", b.String())).Copyright
	if lines := strings.Split(got, "\n"); len(lines) != 200 || utf8.RuneCountInString(lines[199]) != 300 || !utf8.ValidString(got) {
		t.Errorf("%d lines of %d runes, want 200 of 300", len(lines), utf8.RuneCountInString(lines[len(lines)-1]))
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	fs := files("LICENSE", mit, "LICENSE.a", proprietary, "LICENSE.b", isc, "NOTICE", "Copyright 2001 Ada\n", "COPYING", gplLater)
	want := fmt.Sprintf("%+v", license.Detect(fs))
	for range 20 {
		rand.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
		if got := fmt.Sprintf("%+v", license.Detect(fs)); got != want {
			t.Fatalf("another order gave\n%s\nwant\n%s", got, want)
		}
	}
}

func TestIsFile(t *testing.T) {
	for name, want := range map[string]bool{
		"LICENSE": true, "License.md": true, "LICENCE": true, "LICENSES.txt": true, "LICENSE-3RD-PARTY.md": true, "COPYING.LESSER": true,
		"UNLICENSE": true, "COPYRIGHT": true, "NOTICE": true, "NOTICE.txt": true, "GO-LICENSE": true, "MIT_LICENCE": true,
		"PATENTS": false, "README": false, "licensed.txt": false, "license.go": false, "LICENSE.json": false, "AUTHORS": false, "a/LICENSE": false, "MIT-LICENSE/a": false, `LICENSE.d\a`: false, "": false,
	} {
		if got := license.IsFile(name); got != want {
			t.Errorf("IsFile(%q) = %t, want %t", name, got, want)
		}
	}
}

// expressionForm is the part of SPDX Annex D that Detect makes use of.
var expressionForm = regexp.MustCompile(`^\(?[A-Za-z0-9.-]+( (AND|OR) \(?[A-Za-z0-9.-]+\)?)*$`)

// TestEveryScannerName pins what becomes of each name that the scanner can
// report: an update that brings a name nobody looked at fails here. The SPDX
// identifiers of the golden file were compared with the SPDX license list.
func TestEveryScannerName(t *testing.T) {
	names := map[string]bool{}
	for _, l := range licensecheck.BuiltinLicenses() {
		names[l.ID] = true
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range names {
			if !yield(n) {
				return
			}
		}
	}) {
		term := license.Term(name)
		if term == "" {
			term = "LicenseRef"
		} else if !expressionForm.MatchString(term) {
			t.Errorf("%s: %q is no SPDX expression", name, term)
		}
		fmt.Fprintf(&b, "%s\t%s\n", name, term)
	}
	golden := filepath.Join("testdata", "scanner-names.golden")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("names of the scanner differ from %s; look at each new name, then run with -update", golden)
	}
}

// TestRealTexts runs over the texts that the scanner's authors collected. A
// text that they say is one license entirely must come out as that license, or
// as a LicenseRef with the text when SPDX has no identifier for it.
func TestRealTexts(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/licensecheck").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "*.t*"))
	if err != nil || len(paths) < 500 {
		t.Fatalf("%d collected texts, %v", len(paths), err)
	}
	whole := regexp.MustCompile(`^(?:#.*\n)*100%\n(\S+) 0,\$\n\n`)
	checked := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := whole.FindSubmatchIndex(data)
		if m == nil {
			continue
		}
		checked++
		text := string(data[m[1]:])
		want := license.Term(string(data[m[2]:m[3]]))
		if want == "" {
			want = ref(strings.ReplaceAll(text, "\r\n", "\n"))
		}
		if got := license.Detect(files("LICENSE", text)).Expression; got != want {
			t.Errorf("%s: %q, want %q", filepath.Base(path), got, want)
		}
	}
	gpl, err := os.ReadFile(filepath.Join(filepath.Dir(paths[0]), "GPL-2.0.t1"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(gpl[whole.FindIndex(gpl)[1]:])
	if got := license.Detect(files("COPYING", text, "LICENSE", gplLater)).Expression; got != "GPL-2.0-or-later" {
		t.Errorf("text of the GPL beside words that allow later versions: %q", got)
	}
	if checked < 400 {
		t.Errorf("only %d of %d texts were of one license", checked, len(paths))
	}
}

func FuzzDetectNeverGuesses(f *testing.F) {
	for _, s := range []string{mit, isc, proprietary, commonsClause, gplTwoOrThree, "\ufeffCopyright\xff (c) 2020", "(c)\r\r\n©"} {
		f.Add("LICENSE", []byte(s), []byte(mit))
	}
	f.Fuzz(func(t *testing.T, name string, a, b []byte) {
		got := license.Detect([]license.File{{Name: name, Data: a}, {Name: "COPYING", Data: b}})
		for _, x := range got.Extracted {
			if x.ID != ref(x.Text) || !strings.Contains(got.Expression, x.ID) {
				t.Errorf("%s is not the name of its text, or not in %q", x.ID, got.Expression)
			}
			if !utf8.ValidString(x.Text) || strings.Contains(x.Text, "\r") {
				t.Errorf("%s: text is not normalized", x.ID)
			}
		}
		if n := strings.Count(got.Expression, "LicenseRef-"); n != len(got.Extracted) {
			t.Errorf("%d references in %q, %d texts", n, got.Expression, len(got.Extracted))
		}
		if got.Expression != "" && !expressionForm.MatchString(got.Expression) {
			t.Errorf("%q is no SPDX expression", got.Expression)
		}
		if len(bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))) > 0 && got.Expression == "" {
			t.Error("a license file is there, and the expression is empty")
		}
		if !utf8.ValidString(got.Copyright) {
			t.Error("copyright is not valid UTF-8")
		}
	})
}
