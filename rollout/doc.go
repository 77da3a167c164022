// Package rollout is the state machine of rollouts: who put which release on which
// deployment targets, what observers saw there, and whether it is ready for the next
// ring. It is pure: no file, no socket, no clock, no randomness; time comes in as an
// argument, or as the time at which a log recorded an act.
//
// # Acts
//
// An act is a signed in-toto statement. Its identity is the sha256 of the
// statement's bytes, which are its one exact encoding. Predicate types are
// https://github.com/rollproof/rollproof/schemas/<name>/v1, in order of their
// subjects:
//
//	policy          the rules before, if any; the rules               role policy
//	population      the rules; each list of endpoint ids              role policy
//	rollout         release-evidence.json; each binary                role operator
//	rollout-status  the act before; each binary                       role operator
//	observation     the capture; the population; endpoints.jsonl      role observer
//	hold            the rules                                         role policy
//	lift            the hold                                          role policy
//	erase           the record                                        role policy
//	legal-hold      the record                                        role policy
//	legal-hold-lift the legal hold                                    role policy
//
//	promotion-request    the rollout; release-evidence.json           role requester
//	rollback-request     the promotion; each release that comes back  role requester
//	approval             the request, or the broken glass             role approver
//	denial               the request                                  role approver
//	approval-revocation  the approval or denial                       role approver, policy
//	promotion-execution  the request; each approval; the rollout;
//	                     release-evidence.json                        role operator, breakglass
//	rollback-execution   the request; each approval; the promotion;
//	                     each release that comes back                 role operator, breakglass
//
// Every predicate begins with the same head: who signs (keyid and person, which must
// be those of the key that verifies), the trust version that the signer's tool used,
// the newest checkpoint that it had verified (null for none; kept, not judged), and
// the signer's clock, which is a claim and decides nothing. Then the project, and
// what is said:
//
//	{
//	  "_type": "https://in-toto.io/Statement/v1",
//	  "subject": [
//	    {"name": "release-evidence.json", "digest": {"sha256": "9d1c…"}},
//	    {"name": "bin/age_v1.0.0_linux_amd64", "digest": {"sha256": "5d5a…"}}
//	  ],
//	  "predicateType": "https://github.com/rollproof/rollproof/schemas/rollout/v1",
//	  "predicate": {
//	    "actor": {"keyid": "SHA256:47DE…", "person": "ada"},
//	    "trust": {"version": 1, "digest": "sha256:66e2…"},
//	    "seen": null,
//	    "claimed": "2026-03-02T12:00:00Z",
//	    "id": "CHG-1-v1.0.0-pilot-3f9a1c04",
//	    "project": "age",
//	    "release": {"project": "age", "version": "v1.0.0", …},
//	    "manifest": "sha256:9d1c…",
//	    "package": "sha256:7f3a…",
//	    "environment": "production",
//	    "ring": "pilot",
//	    "changeRecord": "CHG-1",
//	    "targets": [{
//	      "id": "linux-runner", "platform": {"os": "linux", "arch": "amd64"},
//	      "binary": "bin/age_v1.0.0_linux_amd64", "sha256": "5d5a…",
//	      "installPath": "/usr/local/bin/age",
//	      "rollback": {"manifest": "", "version": ""}
//	    }],
//	    "verification": [{"id": "checksums", "result": "pass", "required": true}, …],
//	    "window": null,
//	    "execution": "",
//	    "status": "staged"
//	  }
//	}
//
// (shown on fewer lines than it has). The id is <change record>-<version>-<ring>-
// and 8 hex digits of the sha256 of {manifest, target ids, environment, ring, change
// record}; "unrecorded" stands for no change record. Change records, rings,
// environments, targets and ids have letters, digits and . _ + - alone, so that no
// look-alike or invisible character can stand in one.
//
// # State
//
// A [State] belongs to one project and is the replay of its acts in the order of a
// log's indexes. [State.Judge] says whether an act is legal at the end of what was
// applied; [State.Apply] judges with the very same function and lets a legal act
// change the state. Commands apply the act that they have just signed, inside of the
// transaction that records it; ingest, replay and pages apply what is recorded. An
// act that is not legal is listed with its reason, changes nothing else, and stays
// so: nothing that comes later makes an earlier act legal or illegal. An act that
// was applied before changes nothing.
//
// The trust version in force at an index is the highest that the legal acts up to
// there, and the act itself, name. Under it the signer must fit in role, scope and
// age of key, judged at the time when the act was recorded. So a newer version never
// reaches back, and nobody reaches back to a version older than the log has seen. An
// act without environment and ring (rules, holds of targets) needs a grant for "*".
// Whether a trust version has expired is for who signs with it: replay ignores it.
//
// When several things speak against an act, evidence (exit code 3) comes before
// approval (5), rule (4) and conflict (6); a capture that is recorded already is
// said to be so before any rule.
//
// # Rules
//
// Each person of the policy role signs the same rules, on top of the digest of those
// in force ("" before the first). They hold from the index on where as many distinct
// persons have signed as the trust root's threshold of that role asks for. The
// identity of rules is the sha256 of their exact encoding. Without any, the built-in
// [DefaultRules] hold and every answer says so. Of a ring's rules, soak, coverage,
// staleness and rebuilds are about leaving it; quorum, groups, uses, windows and
// witnessed time are about entering it. A ring belongs to one environment, and its
// name stands once.
//
// Time zones of windows are UTC, offsets, or names of the time zone database, which
// is the caller's (a program carries its own: the machine's would make two replays
// differ). A future change of a zone's rules can move a planned window; UTC and
// offsets never move.
//
// # Captures
//
// A capture is legal where its package verified (every required check passed, none
// failed), its ring and environment stand in the rules, nothing is held, its change
// record matches, a planned window is open in all its minutes, and, where the ring
// asks for coverage, a population of every target is recorded. Its ring is the
// first; a later one needs the digest of an executed promotion for that release,
// ring and targets. In one log a version belongs to the package that the first legal
// capture names, or before one, to that of the first recorded closing statement by a
// releaser. Two captures of one id are one where they differ in head and rollback
// alone, else the second is a conflict. A rollback, where it names a release, must
// name what the target holds: the release of the newest rollout that succeeded
// there.
//
// Then planned → staged → succeeded | failed | rolled_back, each naming the act
// before it.
//
// # Observations
//
// A population is recorded before the capture; the newest one then is what coverage
// counts against, whole: who is missing counts against it. An observation is by a
// person who is no operator of the rollout, covers all its targets, counts with the
// ring's staleness, and is not older than the capture (by the time when that was
// recorded). [Reconcile] counts, [Recount] counts again from the lists that the
// statements name. The newest legal observation is the one that counts. A rollout
// succeeds only where it shows, for each target, the coverage of the ring; whoever
// made it does not sign that status.
//
// # Requests
//
// A promotion request is legal where its rollout is ready by the log, its target ring
// is the next of the policy in force, and it says what the log says: the policy, the
// newest evidence, the open request that it supersedes, the denials of its moves, and
// a plan with, per target, the release that goes and the one that comes, whether that
// is a downgrade, and whether an observation covers it. A target that did not succeed
// in the ring before needs an exception of the policy. It names the trust root by its
// version 1, the log that shall execute it by its origin, and an end at most 30 days
// away. Whoever makes it has verified package and directory; replay cannot.
//
// A request is open until it is executed, denied, superseded or expired. There is one
// open request for a rollout and a ring: the same again is one with it, another plan
// supersedes it. It stands on the policy that it names; under another it is stale.
//
// An approval is by a person who is neither the requester nor an operator of the
// rollout, with a key of a use that the ring lets count, and stands until it expires
// (not after the request), its signer or the policy role revokes it, or it is used. A
// denial ends its request for ever. It also follows its moves (target, outgoing and
// incoming release in a ring) into later requests: these name it, and need one person
// more, until the denier lifts it.
//
// # Executions
//
// An execution is legal where everything said of its request still holds at its
// index, and moreover: the log is the one that the request names; the approvals that
// it names are of this request and count under the trust version in force; as many
// distinct persons as the ring asks for, and those of each group, are among them, and
// the executor is not; the windows are open; nothing in either ring is held, and who
// lifted a hold since the capture is not the executor; no broken glass is open in the
// ring; each target holds what the plan takes away; and the time of recording is not
// before that of anything it depends on. In a ring with witnessed time it carries a
// cosignature over the checkpoint that it has seen, by a witness who keeps no log,
// whose time is not before that of anything it depends on either; at that time too the
// windows were open and the rollout ready. So a store's clock that is ahead of the
// witness's gains nothing, and one behind it is refused. The program also wants the
// checkpoint to hold the request and its approvals; a replay, whose indexes may be
// others, does not. A request is executed once in one log: where two executions meet, the
// first by index stands. Quorum 0 means that nobody must approve, which the execution
// has to say: unattended.
//
// From a legal execution on, its targets hold the release: executed there, which says
// nothing of what is observed there. A rollout in a later ring names the execution and
// changes nothing of what its targets hold when it succeeds.
//
// A rollback takes the release of one promotion off targets that hold it by that
// promotion, back to releases that a legal act put there before. It has a request of
// its own, or stands once on the approvals of the promotion, where the request
// pre-approved exactly these releases until a time; of that one, windows are not
// asked. A hold stops a rollback too. The release is then kept out of the ring until
// a rollout that is captured later brings it again.
//
// Breaking glass is executing a request without quorum and outside of windows, by a
// person whom the policy names and with a key of that role, for an incident. It skips
// nothing else. Until a quorum (at least one person) without its maker approves that
// execution, due after 72 hours, nothing is promoted into the ring.
//
// # Records
//
// A record is erased, or its files are, once as many distinct persons of the policy
// role as its threshold, and two at least, have signed the same order; never under a
// legal hold, before the end of the retention that the rules name for its kind, or
// where the rules name none. One person puts a record under legal hold, and as many as
// for an erasure lift it. What a replay judges by keeps its bytes and may lose its
// files alone. Records that belong to no project have a state and rules of their own,
// under the name "", whose signers need a grant for "*". What an act calls a record is
// compared with what the log says of it ([Act.About]); the kind, the project and the
// date of an erased record no envelope shows any more. Versions of these acts are not
// among the rules' formats: no rules can keep a legal hold out.
//
// # Readiness
//
// [State.Readiness] lists every reason that speaks against promotion, in one order,
// with the acts that show it and what would clear it. Soak counts from the later of
// two recorded times: of the status succeeded, and of the first of the unbroken
// observations that cover the ring.
package rollout
