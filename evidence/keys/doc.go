// Package keys holds the private keys that sign. Each is an [envelope.Signer] and
// comes from where people already have it:
//
//	--key release.pem            PEM "PRIVATE KEY": PKCS #8, RFC 5958 and 8410
//	--key release.pem            PEM "ENCRYPTED PRIVATE KEY": PKCS #8 with PBES2, RFC 8018
//	--key ~/.ssh/id_ed25519      PEM "OPENSSH PRIVATE KEY", encrypted or not
//	--key cosign.key             PEM "ENCRYPTED SIGSTORE PRIVATE KEY" or "… COSIGN …"
//	--key ssh-agent:SHA256:47DE… a key of the running ssh-agent
//	ROLLPROOF_SIGNING_KEY        the text of one of the files above, or its path
//
// # What signs
//
// Ed25519 signs, in all of them. ECDSA and RSA keys are recognised and refused with
// [ErrVerifyOnly]: their signatures are verified, never made. An agent signs with
// plain ssh-ed25519 keys, whose answer is the 64 bytes of RFC 8032 and nothing
// else; a security key (sk-ssh-ed25519@openssh.com) signs its own wrapping of the
// message and is refused.
//
// # At rest
//
// A key that is written without a passphrase is PKCS #8, which openssl reads. One
// that is written with a passphrase is in OpenSSH's own format (PROTOCOL.key:
// bcrypt_pbkdf, aes256-ctr), because ssh-keygen changes its passphrase and ssh-add
// loads it, so that the step from a file to an agent needs no conversion:
//
//	-----BEGIN OPENSSH PRIVATE KEY-----
//	b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0…
//
// The cost of every key derivation is bounded before it is run, so that a hostile
// file costs seconds and a quarter of a gigabyte at most.
//
// # Invariants
//
// The package opens no file, reads no environment variable and asks nobody: files,
// the agent's address and the passphrase come in through [Environment]. A public
// half that a file or an agent states must be the one that belongs to the private
// half (a wrong one would make Ed25519 reveal its key). No method of [Private] and
// no error shows a byte of a key or of a passphrase.
package keys
