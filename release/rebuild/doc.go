// Package rebuild builds the binaries of a package again and compares them byte by
// byte. It is what catches a lying builder: a signature says who built, a rebuild
// says whether the source that he names gives the binary that he signed.
//
// # What is taken from the package
//
// The package has passed [release.Verify], and everything is read through the digest
// of its manifest that the verdict names. The recipes of its signed provenance are
// hostile input all the same: [gobuild.ParseRecipe] reads each back into a target
// that a release can have, and refuses anything else by name; the commands are then
// written here. Recorded strings are never executed, recorded paths never used.
//
// # What is built
//
// The commit that the manifest names, by its digests gitCommit and gitTree: from a
// git repository ([Options].Source) or from the package's own source pack. The tag is
// put on the private clone, so that a repository without it serves as well. Modules
// come from the package's module archive if it has one, else from the user's module
// cache, into an empty cache; go.sum decides whether they are the right ones. The
// toolchain is the local one. Where its version is another than the recorded one,
// nothing is compared.
//
// # What comes out
//
// Each binary of the package is "match", "differs" or "not-checked" with the reason.
// The result is "match" only if every one matches; it is "differs" if any differs,
// else "incomplete". For one that differs:
//
//	bin/age_v1.2.1_linux_amd64 differs
//	  section  .text
//	  cause    source: main.main is 96 bytes longer in the package
//
// The first differing section passes over build ids and signatures, which follow
// from the rest. The cause is a guess from build info, the parts of Go's build id,
// the sections and the sizes of functions: whoever made the binary on purpose can
// mislead it. That the bytes differ is no guess.
package rebuild
