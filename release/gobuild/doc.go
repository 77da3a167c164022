// Package gobuild builds the binaries of a release from a commit and nothing
// else. It is the one implementation of release.Builder.
//
// # The source
//
// What is built is a private clone of the tagged commit, outside the repository.
// Its files are compared one by one with the commit: each must have the object
// name, kind and x bit of its tree entry, and there is no other file. So nothing
// that changes a checkout has an effect: refs/replace, grafts, filters, eol,
// ident and working-tree-encoding, hooks, export-ignore, a branch with the tag's
// name, untracked files. The clone holds the release's own tag alone, because go
// stamps the highest of several. A dry run without a tag clones the commit; a dry
// run of changed files builds the work tree in place and says so (Source.Dirty,
// hazard "dirty-tree").
//
// git runs with no configuration but the repository's own, and with hooks,
// fsmonitor, filter drivers and every transport but the local one off.
//
// # What is built
//
// Without a configuration: ./cmd/* if any is a main package, plus a main at the
// module's root; else every main outside internal, examples, testdata and tools.
// A main that has no files for a platform is left out there and listed. A
// GoReleaser file of the commit (version 2) decides instead: project_name and
// builds are followed, sections that publish or pack are listed as unused, no hook
// is run, and whatever else would change the binaries is refused by name, with
// what to write. Templates know the commit and the platform; they see a variable
// only where the file sets it or the caller allows it.
//
// # The build
//
// Two phases. Fetch: "go mod download", the one child that may use the network
// and credentials. Build: "go build" in an environment made from nothing; one
// process per platform for all mains with the same flags. A recipe, complete but
// for paths of this machine:
//
//	go build -trimpath -buildvcs=true -mod=readonly -o bin/age_v1.2.1_linux_amd64 ./cmd/age
//	CGO_ENABLED=0 GOAMD64=v1 GOARCH=amd64 GOENV=off GOEXPERIMENT= GOFLAGS= GOOS=linux GOPROXY=off,off
//	GOTOOLCHAIN=local GOWORK=off LC_ALL=C TZ=UTC
//
// Children never see a variable of the caller beyond PATH, except that "go env"
// sees what it is asked about and "go mod download" the credentials it may need.
//
// Invariants of a finished build:
//
//   - build info of each binary names the commit, unmodified, with the plan's
//     toolchain, main package, platform and flags, and with the tag as its version
//     where Go can express it
//   - the files of every linked module in the module cache have the checksum that
//     go.sum holds
//   - the modules that imports reach are those that build info lists
//   - the package's directory holds the binaries, mode 0755, and nothing else
//
// The build cache and the toolchain are trusted input; Options.FreshCache does
// without the first.
//
// # Building again
//
// A [Rebuilder] makes recorded targets once more, on another machine and for somebody
// who need not trust the record: [ParseRecipe] takes a recipe apart by the rules for
// configurations and refuses it unless it writes the same words again. The commit is
// known by its digests; it comes from a repository or from a source pack. Modules
// come from one directory into an empty cache, and go.sum judges them. Children find
// no program by name but git, and no build cache but their own.
//
// [Builder.WriteSource] makes the two files that a package carries for that: the
// commit's objects as a git pack, and a zip that is a module proxy once unpacked.
// Both have one encoding, without compression: what git and zlib of a machine, or the
// proxy that its module cache was filled from, made of the same contents is no part
// of a release.
//
// # Hazards
//
// Of the commit, recorded: dirty-tree, missing-tag, vendor, go-work,
// local-replace, default-pgo, submodules, git-lfs, export-subst. Of the machine,
// shown: shallow-clone, go-env, goproxy-direct, untracked-sources, filtered-files,
// go-work-above.
//
// git 2.32 or newer is needed: older ones do not know GIT_CONFIG_GLOBAL.
package gobuild
