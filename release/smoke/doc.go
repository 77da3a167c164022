// Package smoke runs the binaries of a verified package that are for this machine, to
// see that they start and answer.
//
// [Run] copies each such binary out of the package, compares the copy's sha256 with
// the manifest that the verdict names, and starts the copy and nothing else: argv
// without a shell, by default "--version". A test passes when the exit code is the
// expected one and the output, stdout and stderr as they came, matches the pattern if
// there is one. Binaries for other platforms are not-checked, each by name; a report in
// which any is not-checked is at best "incomplete". A file that the system takes for no
// program fails; one that could not be started for another reason is not-checked.
//
// # What the program gets
//
// A directory of its own (mode 0700, removed afterwards) that is HOME and the working
// directory, no other variable (on Windows SYSTEMROOT, without which nothing starts), no
// standard input, no other open file, no terminal, no more than the time limit, and no
// more than 64 KiB of output. On Linux it runs in user, network, process and IPC namespaces of its own: no
// address can be reached, not even this machine's, and what it leaves running dies with
// it. Where that is not permitted, and on other systems, the report says "not isolated"
// and the statement says WARNED; only its process group (on Windows: it alone) is killed.
// Files are another matter: it can read and write whatever the user may, sockets in the
// file system included, in every case. This is a test of a binary that somebody answers
// for, not a jail.
//
// # Statement
//
// [NewStatement] makes an in-toto test-result v0.1
// (https://in-toto.io/attestation/test-result/v0.1) whose subjects are exactly the
// binaries that were run. The configuration is the [Command], in its exact encoding,
// and the package's manifest. For example:
//
//	{
//	  "result": "PASSED",
//	  "configuration": [
//	    {"name": "smoke-command.json", "digest": {"sha256": "…"}, "content": "ewog…"},
//	    {"name": "release-evidence.json", "digest": {"sha256": "…"}}
//	  ],
//	  "passedTests": ["bin/age_v1.2.1_linux_amd64"],
//	  "warnedTests": [],
//	  "failedTests": []
//	}
package smoke
