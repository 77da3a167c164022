// Package sbom writes and reads the software bill of materials of a package: an
// SPDX 2.3 document in JSON, and on demand a CycloneDX one beside it, that says which binaries the package ships, what is
// linked into each, where that came from and under which terms.
//
// # What is told
//
// Every entry is an SPDX package and has a name, a version, a supplier, a purl,
// a download location, a purpose, a declared and a concluded license, copyright
// text and, where they are known, a SHA-256 and a SHA-512. There are six kinds:
//
//	SPDXRef-Release       the release; the one package that the document DESCRIBES
//	SPDXRef-Binary-…      a shipped binary
//	SPDXRef-Module-…      a module linked into a binary, as its build information names it
//	SPDXRef-Std           the Go standard library
//	SPDXRef-Toolchain     the Go toolchain
//	SPDXRef-Source        the commit
//
// and these relationships, none other:
//
//	SPDXRef-DOCUMENT   DESCRIBES       Release
//	Release            CONTAINS        each Binary
//	Release            DEPENDS_ON      each Binary
//	each Binary        DEPENDS_ON      its Modules and Std
//	each Binary        STATIC_LINK     its Modules and Std
//	each Binary        GENERATED_FROM  Source
//	Toolchain          BUILD_TOOL_OF   each Binary
//	Source             DEPENDS_ON      the Modules that its own packages import, and Std
//	each Module        DEPENDS_ON      the Modules, Std and Source that its packages import
//	Module, Std        DEPENDS_ON      NONE where there is nothing; NOASSERTION where the
//	                                   import graph is not known (Facts.Direct is empty)
//
// What was linked comes from the build information of the shipped binaries, so
// that whoever holds a binary can check it. Whatever only go.sum, the module
// cache or a configuration knows (zip digests, licenses, suppliers, the import
// graph) is its writer's word.
//
// # Checksums
//
// The checksums of a binary are those of its file, the checksums of a module
// those of its zip, which a caller gives only when the zip's own h1: equals the
// one in go.sum. An h1: is the hash of a listing in base64 and of no file: it is
// told in the module's comment, in a line "dirHash h1:…", and never as SHA256.
//
// Release, Source, Std and Toolchain are sets of files and have no file of their
// own. Their checksums are those of a listing: for each file the line
//
//	<sha256 in hexadecimal><two spaces><path>
//
// sorted by path, which is what sha256sum prints. Inside a package,
// "LC_ALL=C sha256sum bin/* | sha256sum" gives the Release's SHA256 and
// "… | sha512sum" its SHA512. The Release lists its binaries (this document is
// part of the package and can't list itself), Source the files of the commit,
// Std and Toolchain those below $GOROOT/src, from which both are built.
//
// # Names
//
// A purl keeps the case of a module path, as the go command does, although the
// purl type says lower case: github.com/Masterminds/semver and
// github.com/masterminds/semver are two modules. Std has a second purl, named
// stdlib, because vulnerability databases use that name. A module that a replace
// directive swaps for another is named as the other, with a comment line
// "replaces <path> <version>"; one that is swapped for a directory of the commit
// keeps its path, has the version "(devel)" as in its build information, no purl
// version, no checksum, and the comment line "directory <path>".
//
// A download location is git+https://…@<tag or revision> for modules of
// github.com, gitlab.com, codeberg.org, bitbucket.org and golang.org/x, where
// the repository follows from the path, else https://<module path>; it is never
// a registry. The supplier of a module is the host and organization of its path.
//
// # Licenses
//
// Declared is what the license files say (package license), NOASSERTION where
// there is none. Concluded is the same, but for Release and Binary: those hold
// the code of all linked modules, so that their concluded license joins all
// declared ones with AND (NOASSERTION when the release itself has no license file),
// and licenseComments names the modules without any. A
// LicenseRef is named after its text: "LicenseRef-" and the first 16 hexadecimal
// digits of the text's sha256.
//
// # Exact bytes
//
// The same facts give the same bytes, in whatever order they come: packages,
// relationships and license texts are sorted by identifier, "created" is the
// commit's time, and the document's namespace ends in the sha256 of the document
// with an empty namespace. The encoding is that of encoding/json with two spaces
// of indentation, no HTML escapes and one final LF. [Read] accepts nothing else.
//
// # Example
//
// A module, as it stands in the document of age v1.2.1:
//
//	{
//	  "name": "filippo.io/edwards25519",
//	  "SPDXID": "SPDXRef-Module-filippo.io-edwards25519-v1.1.0-d3e34e8464df39a5",
//	  "versionInfo": "v1.1.0",
//	  "supplier": "Organization: filippo.io (https://filippo.io)",
//	  "downloadLocation": "https://filippo.io/edwards25519",
//	  "filesAnalyzed": false,
//	  "checksums": [
//	    {
//	      "algorithm": "SHA256",
//	      "checksumValue": "9ac43a686d06fdebd719f7af3866c87eb069302272dfb131007adf471c308b65"
//	    },
//	    …
//	  ],
//	  "sourceInfo": "Go module filippo.io/edwards25519 v1.1.0",
//	  "licenseConcluded": "BSD-3-Clause",
//	  "licenseDeclared": "BSD-3-Clause",
//	  "copyrightText": "Copyright (c) 2009 The Go Authors. All rights reserved.",
//	  "comment": "dirHash h1:FNf4tywRC1HmFuKW5xopWpigGjJKiJSV0Cqo0cJWDaA=",
//	  "externalRefs": [
//	    {
//	      "referenceCategory": "PACKAGE-MANAGER",
//	      "referenceType": "purl",
//	      "referenceLocator": "pkg:golang/filippo.io/edwards25519@v1.1.0"
//	    }
//	  ],
//	  "primaryPackagePurpose": "LIBRARY"
//	}
//
// # CycloneDX
//
// [CycloneDX] says the same once more, as a CycloneDX 1.6 document in JSON. It is
// made from the SPDX document and nothing else, so that whoever has both makes it
// again and compares bytes; every fact of the one stands in the other. A component
// has the SPDX identifier as its bom-ref. Where CycloneDX has no field of its own:
//
//	licenses, evidence.licenses     the declared and the concluded license
//	annotations                     the texts of licenses, each under its LicenseRef
//	omniborId                       commit and tree, as gitoid
//	evidence.occurrences            a binary's path in the package
//	dependencies, compositions      DEPENDS_ON; no dependsOn is NONE, "unknown" is NOASSERTION
//	formulation                     GENERATED_FROM and BUILD_TOOL_OF, as one workflow
//	property rollproof:contains     CONTAINS
//	property rollproof:dependencies STATIC_LINK, "statically linked"
//	property rollproof:<word>       a line of an SPDX comment
//
// The serial number is a UUID of version 8 from the sha256 of the document with an
// empty one. The rules are those of the property rollproof:mapping, "v1": others will
// have another name, and these stay, for packages are verified by them.
//
// Sources: SPDX 2.3 (clauses 6, 7, 10, 11, annexes D and F), CycloneDX 1.6
// (ECMA-424), RFC 9562 (section 5.8), purl (type golang),
// the build information of runtime/debug.
package sbom

// MaxSize is the size in bytes of the largest document that is written or read.
const MaxSize = 64 << 20
