// Package upgrade compares two releases of a project and says, for a change record,
// what an upgrade from one to the other brings and what it takes away.
//
// [Read] takes the facts out of a package that has passed verification. [Compare] is
// pure: two sets of facts and the rules of the project give a [Report]. Its findings
// each have an id of the list below, a subject, what was and what is, one sentence,
// and a severity: fail, warn or info. The result is "fail" if any finding fails.
//
// # Rules
//
// Each id has a severity of its own ([RuleList]). The section "upgrade" of
// rollproof.yaml changes them; "off" leaves the findings of an id out, and every rule
// that differs from its default is listed in the report:
//
//	upgrade:
//	  dependency-added: fail
//	  same-commit: info
//	  size-changed: off
//
// # What is compared
//
// Binaries are compared by name and platform, dependencies by module path as the
// build info of each binary names them, deployment targets by id. Versions are
// ordered as semantic versions, pre-releases before their release. A tag that is none
// ("2026.01-a") has no order, which is a finding. Before -ldflags are compared, each
// side's own version, commit and commit time are taken out of them: those change with
// every release.
//
// A control is a kind of document that a package carries, or a check of the verdict
// that passed, such as "link", "cyclonedx" or "sidecar". One that the old release had
// and the new one has not is a finding, and so are fewer signatures of releasers.
//
// For example, of two packages in which a dependency went back:
//
//	{
//	  "id": "dependency-downgraded",
//	  "subject": "golang.org/x/crypto",
//	  "severity": "fail",
//	  "old": "v0.21.0",
//	  "new": "v0.20.0",
//	  "binaries": [],
//	  "text": "golang.org/x/crypto goes back from v0.21.0 to v0.20.0."
//	}
//
// No binaries are named where it holds for all that both releases have, or for the
// release as a whole. A licence is what the SBOM declares, which is its writer's word.
package upgrade
