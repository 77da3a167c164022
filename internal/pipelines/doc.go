// Package pipelines asserts the rules of this repository's CI files that actionlint does
// not. People paste these files into their own repositories; a mistake here is theirs.
//
// A workflow (.github/workflows/*.yml) and a composite action (.github/actions/*/action.yml):
//
//   - names each action of others by the 40 hex digits of a commit, with the release as
//     the comment behind it: a tag can be moved, a commit can't;
//   - begins with no rights, or with reading the contents; each job that needs more says
//     so itself, and id-token goes with neither contents nor a checkout;
//   - has a time limit for each job;
//   - has no expression in what a shell runs: texts reach a shell as variables;
//   - gives a secret to one step, never to a job, and only in a job of an environment;
//   - takes checkouts without leaving a token behind, and builds without caches, which
//     other workflows write.
//
// An example of the first rule:
//
//	uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
package pipelines
