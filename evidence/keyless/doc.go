// Package keyless verifies Sigstore bundles offline, with sigstore-go: bundles of
// versions 0.1 to 0.3 that hold a message signature or a DSSE envelope, signed with a
// short-lived certificate of an identity ("keyless") or with a key. It is the one
// package that imports sigstore-go.
//
// # What is trusted
//
// Trust comes from outside of the bundle: a trusted root, which is the file
// trusted_root.json of a Sigstore instance (media type
// application/vnd.dev.sigstore.trustedroot+json;version=0.1), and the identity or the
// key that must have signed. Nothing is fetched, and no clock is read: when something
// was signed is what a log or a timestamp authority of the trusted root said, so that
// a verdict is the same today and in ten years.
//
// # What must hold
//
// The rules are those of a conforming client
// (https://github.com/sigstore/architecture-docs, client-spec.md section 4, and the
// client of sigstore-go that runs https://github.com/sigstore/sigstore-conformance).
// The trusted root says which witnesses an instance has, and each kind that it names
// must have spoken:
//
//	transparency logs named         an entry of one of them, with a good inclusion
//	                                promise or proof, for this signature, artifact and
//	                                signer; a promise is also a time
//	timestamp authorities named,    one good RFC 3161 token of one of them over the
//	and the bundle has tokens       signature
//	certificates (never keys)       at least one time of the two kinds above; at each
//	                                time the certificate chains to an authority of the
//	                                trusted root and is valid
//	CT logs named (certificates)    an embedded SCT of one of them
//
// A kind of witness that the trusted root doesn't name is not checked, and
// [Result.NotChecked] says so. A missing log entry or SCT can be excused by a field of
// [Options], never a bad one.
//
// Then the signature must verify, cover the artifact (a DSSE envelope: one subject of
// its in-toto statement has the artifact's digest), and the certificate must be of
// the expected identity: subject alternative name and OIDC issuer, each equal to the
// expected text or matched as a whole by a pattern ([Exact], [Pattern]).
//
// A key proves who signed without any witness. So a trusted root is optional with a
// key; without one, log entries and tokens are not checked.
//
// # Stages
//
// sigstore-go alone decides. When it refuses, its parts are asked one by one why, and
// [StageError] carries the first stage that does not hold, in this order:
//
//	parse        the bundle or the trusted root is not one, or a part of it is malformed
//	key          signed with a key where an identity was expected, or the other way
//	             round; or signed with another key
//	certificate  the certificate is malformed, foreign, not valid when it was used, or
//	             lacks its SCT
//	log          no good log entry
//	timestamp    no good time
//	signature    the signature does not match what the bundle says was signed
//	artifact     the bundle is about something else
//	identity     the certificate is of another identity
//	type         the statement is of another predicate type than the expected one
//
// # Example
//
//	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//	 "verificationMaterial":{"certificate":{"rawBytes":"MIIC…"},
//	  "tlogEntries":[{"logIndex":"51753644","logId":{"keyId":"wNI9…"},
//	   "kindVersion":{"kind":"hashedrekord","version":"0.0.1"},
//	   "integratedTime":"1767810965","inclusionPromise":{"signedEntryTimestamp":"MEUC…"},
//	   "inclusionProof":{"logIndex":"20071232","rootHash":"sg9w…","treeSize":"20071233",
//	    "hashes":["mP1I…"],"checkpoint":{"envelope":"rekor.example.com - 82…"}},
//	   "canonicalizedBody":"eyJh…"}]},
//	 "messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"oM/H…"},
//	  "signature":"MEUC…"}}
package keyless
