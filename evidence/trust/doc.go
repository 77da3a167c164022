// Package trust says which key may sign what, where, and from when to when: the
// trust root, one signed and versioned document that a verifier pins from outside.
// It works on bytes alone: no clock, no file, no randomness.
//
// # Documents
//
// Version N of a root is the file N.trust.json, in the one exact encoding of
// package envelope. It is itself the DSSE payload (type
// application/vnd.rollproof.trust.v1+json); each signature lies beside it as
// N.trust.<first 16 hex digits of the sha256 of the key blob>.sigstore.json.
//
//	{
//	  "schema": "https://github.com/rollproof/rollproof/schemas/trust/v1",
//	  "version": 2,
//	  "previous": "sha256:66e2…",
//	  "issued": "2026-03-02T00:00:00Z",
//	  "expires": "2027-03-02T00:00:00Z",
//	  "thresholds": [
//	    {
//	      "role": "root",
//	      "persons": 2
//	    }
//	  ],
//	  "people": [
//	    {
//	      "id": "ada",
//	      "name": "Ada",
//	      "email": "ada@example.com"
//	    },
//	    …
//	  ],
//	  "keys": [
//	    {
//	      "keyid": "SHA256:47DE…",
//	      "material": "ssh-ed25519 AAAAC3Nz…",
//	      "person": "ada",
//	      "use": "file",
//	      "notBefore": "2026-03-02T00:00:00Z"
//	    },
//	    …
//	  ],
//	  "identities": [],
//	  "grants": [
//	    {
//	      "keyid": "SHA256:47DE…",
//	      "role": "releaser",
//	      "projects": [
//	        "age"
//	      ],
//	      "environments": [],
//	      "rings": []
//	    },
//	    …
//	  ]
//	}
//
// Lists are sorted and hold nothing twice. One key has one role; one key material
// has one person, in all versions. An empty scope grants nothing: "*" must be
// written, and stands alone. A name is in NFC and in one script; e-mails are
// compared in lower case. A key's optional fields are notAfter and revoked:
//
//	"revoked": {
//	  "at": "2026-03-02T00:00:00Z",
//	  "reason": "compromised",
//	  "trees": [ { "origin": …, "size": …, "root": … } ],
//	  "keep": [ "sha256:…" ]
//	}
//
// # Versions
//
// A directory holds every version from 1 on and nothing else. Version N is signed
// by the threshold, counted in distinct persons, of its own root role and of
// version N-1's. Keys count by the document that lists them: granted root, not
// revoked there, and valid at the date that version N claims, which is not before
// version N-1's. It names the digest of version N-1. What a version said of a key
// stays said: a revoked key never becomes valid again, nor its revocation later or
// milder, nor its person another.
//
// A pin is the sha256 of any one version, never a key. [Load] walks from it to the
// newest version that it is given. Nothing shows that no newer one exists: a
// directory cut short before a revocation verifies on a machine without memory. So
// versions expire, a [Memory] refuses to go back, and [Options] has MinVersion.
//
// # Rulings
//
// An [Authority] rules on signatures that its caller has verified ([Use]). The
// newest version alone decides, about old signatures too:
//
//   - a key that it does not list: denied
//   - a role that does not fit the predicate type, or a scope that does not reach
//     the act: denied, naming both
//   - an active key: granted, judged at now
//   - a retired key (destroyed and never compromised): granted, and the ruling
//     says so; it may not sign any more
//   - a key past notAfter that nobody retired: unproved, unless a proof shows that
//     the signature existed before
//   - a compromised key: denied, unless the revocation keeps the statement, pins a
//     tree that includes it, or a proof shows that it existed before the compromise
//
// A proof of time counts when it is made by an active or retired key of role
// timestamper (RFC 3161) or witness (C2SP cosignature) whose owner neither keeps a
// log nor owns the key whose past is in question. Times inside documents are
// claims and prove nothing.
package trust
