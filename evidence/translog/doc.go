// Package translog holds the bytes of the evidence log: leaves, the Merkle tree
// over them, proofs, signed checkpoints, cosignatures and tiles. It works on bytes
// alone: it opens nothing, reads no clock, draws nothing at random and imports
// nothing else of rollproof.
//
// Each format has one exact encoding. A reader decodes, encodes again and compares
// bytes, and limits are shared with the writer.
//
// # Leaf
//
// A leaf is five lines of text, each with an LF: the format, the sha256 of the
// statement and of the envelope in lower-case hex, the predicate type, and the
// OpenSSH fingerprint of the key that verified the envelope. The last line is empty
// where no key did.
//
//	rollproof-leaf/v1
//	66eeeb85f1bdae0b9fd3dfe2d75d265b2a7d97246934c00e6805797a3a9eb2f5
//	f0bd02504c77ec3d17352442d11becd77095091e6acbc4aa3ceb5547e81046b8
//	https://slsa.dev/provenance/v1
//	SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
//
// # Tree
//
// The tree over the leaves is that of RFC 6962 section 2.1 with sha256. A log
// stores the hashes of all leaves and complete subtrees in the order in which they
// arise, which golang.org/x/mod/sumdb/tlog calls stored hashes: a [Frontier] makes
// them. An inclusion proof (section 2.1.1) shows that a tree holds a leaf, a
// consistency proof (section 2.1.2) that a tree begins with the whole of an older
// one. Both are lists of hashes. Trees have at most [MaxSize] leaves.
//
// # Checkpoint
//
// A checkpoint is a C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint): origin,
// size and root, and never an extension line. Its log signs it as a C2SP
// signed-note (https://c2sp.org/signed-note), with Ed25519 over the text and a key
// that signs nothing else raw; the name in the signature line is the origin.
// Witnesses add cosignatures (https://c2sp.org/tlog-cosignature, Ed25519), which
// alone carry a time. The log's line stands first, the cosignatures follow by name
// (byte order), then by key id, at most [MaxCosignatures], no pair of the two twice,
// none by the log's own name. Lines of any other kind are refused. What a witness
// signs does not hold his name, so distinct names are not distinct witnesses.
//
// The log of the one leaf above, signed and cosigned:
//
//	example.com/evidence-4f1c0a9b2d3e5f60
//	1
//	cB/OImS+iSf5y+UQwEXIQtj0MITK74WdnAvMugT0f/0=
//
//	— example.com/evidence-4f1c0a9b2d3e5f60 XX7aUayGBerjTUuVuNY37BSFkPhnSS7lnWqy6nNgxe6FBxUjSf02G1o9t4UsRPMjr+SS/sNeP7iuJOQkKBsdoYhAVQc=
//	— example.com/witness-grace 9JGkcgAAAABppViYuygbdKMSs/jRaaCOqNh6sntC3zhBEnBHsfCuNoTp/IVQ8zlM0zal5RBMjiQETeOkCQpz/LXrxQd19efYiD2ADQ==
//
// Names are 1 to [MaxName] bytes of visible ASCII without "+". An origin ends in "-"
// and 16 hex digits that were drawn once, so that each store is a log of its own.
//
// Keys are given as they come out of a parser that refuses small-order and
// non-canonical ones; here only their length is checked.
//
// # Receipt
//
// A receipt is a C2SP tlog-proof (https://c2sp.org/tlog-proof) without extra data:
// index, inclusion proof and signed checkpoint in one text.
//
// # Tiles
//
// Tiles are those of C2SP tlog-tiles (https://c2sp.org/tlog-tiles): 256 hashes of a
// level in a file, of every eighth level, and bundles of 256 entries, which are
// leaves with a 16-bit length before each. The last ones of a tree may be partial.
//
//	tile/0/000         hashes of leaves 0 to 255
//	tile/0/001.p/44    hashes of leaves 256 to 299
//	tile/1/000.p/1     the root over the first tile
//	tile/entries/000   leaves 0 to 255
//
// # What a proof is worth
//
// Proofs hold for the tree of a checkpoint that its holder has verified. A log whose
// operator rewrites it can sign the new tree; this shows to whoever holds an older
// checkpoint that a witness or he himself has kept, and to nobody else.
package translog
