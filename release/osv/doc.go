// Package osv matches what is linked into the binaries of a release against
// vulnerability entries in the OSV format (https://ossf.github.io/osv-schema/), as
// the user has them on disk: single files, a directory, or a zip, such as the Go
// vulnerability database or the export of the Go ecosystem that osv.dev offers.
// Nothing is fetched.
//
// # What is matched
//
// Dependencies by module path and version, as the SBOM names the code that was linked:
// the replacement where there is one. The released module itself. The standard
// library, which entries call "stdlib", and the toolchain that built it all, which
// they call "toolchain", at the version of Go.
//
// A match is one of modules. Whether the packages and symbols that an entry names are
// reached is not looked at: they are told as "packages". So a finding says that the
// code of a version which is known to be vulnerable is part of a binary's modules, and
// not that the binary can be attacked.
//
// # Versions
//
// Ranges of type SEMVER, and ECOSYSTEM, which is the same for Go, are evaluated as
// the specification has it (section "evaluation"): events in the order of semantic
// versions; introduced, fixed, last_affected and limit; "0" before all versions. An
// entry with neither ranges nor versions means all versions. Withdrawn entries do not
// match.
//
// What can't be decided is "not-checked", with its reason, and never counts as
// passed: a module without a version, git ranges alone, versions that are none, and
// an entry that names a package below a linked module.
//
// # One vulnerability, several names
//
// Entries of one module that are each other's aliases are one finding, under the name
// of the Go database, else the CVE, else what sorts first. It has the highest
// severity and all versions that an entry calls fixed.
//
// # Severity
//
// The base score is computed from CVSS v3.0 and v3.1 vectors. Vectors of other versions
// are kept as they are. The level is the highest of the computed scores and of the
// words in database_specific.severity; "unknown" where there is neither, which no
// threshold lets pass.
//
// # Result
//
// "fail" when a finding reaches the threshold, else "incomplete" when anything is
// not-checked, else "pass". For example:
//
//	{
//	  "id": "GO-2026-9001",
//	  "aliases": [
//	    "CVE-2026-99001"
//	  ],
//	  "kind": "dependency",
//	  "module": "example.com/dep",
//	  "version": "v1.1.0",
//	  "summary": "Words are not bounded",
//	  "level": "high",
//	  "severities": [
//	    {
//	      "method": "CVSS_V3",
//	      "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
//	      "score": "7.5"
//	    }
//	  ],
//	  "fixedIn": [
//	    "v1.1.1"
//	  ],
//	  "packages": [
//	    "example.com/dep"
//	  ],
//	  "binaries": [
//	    "bin/tiny_v1.2.3_linux_amd64"
//	  ]
//	}
//
// A report is also written as an in-toto vulns predicate ([NewStatement]) and as an
// OpenVEX document ([Report.VEX]).
package osv
