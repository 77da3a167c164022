// Package envelope holds the bytes that rollproof signs: the one exact encoding
// of a JSON document, public keys, DSSE, and Sigstore bundles. It works on bytes
// alone and imports nothing else of rollproof.
//
// # The one exact encoding
//
// A document or a payload is what encoding/json writes for its Go type without
// HTML escaping, indented by two spaces, with one final LF. A bundle is the same
// without indentation and without LF. A reader decodes, encodes again and compares
// bytes ([Decode]); so exact-case keys in one order, no duplicate keys, valid
// UTF-8, canonical base64 and canonical numbers follow from one rule.
//
// # Envelope
//
// A statement is signed with DSSE (https://github.com/secure-systems-lab/dsse,
// protocol.md): the signature covers
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// and is stored as a Sigstore bundle v0.3, one signature in each bundle:
//
//	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//	 "verificationMaterial":{"publicKey":{"hint":"SHA256:47DE…"}},
//	 "dsseEnvelope":{"payload":"eyJf…","payloadType":"application/vnd.in-toto+json",
//	  "signatures":[{"sig":"MEUC…","keyid":"SHA256:47DE…"}]}}
//
// (one line, no spaces). The hint and the keyid are the OpenSSH fingerprint of the
// verifying key. They choose nothing: the verifier brings its key.
//
// # Keys
//
// Signatures are made with Ed25519 (RFC 8032, no prehash). They are verified with
// Ed25519, ECDSA P-256 over SHA-256 (ASN.1, low S) and RSA PKCS #1 v1.5 over
// SHA-256 with at least 2048 bits. Small-order and non-canonical Ed25519 keys are
// refused when they are parsed.
package envelope
