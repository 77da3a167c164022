// Package export writes and checks what an auditor takes away from a store: the
// records of a query, proofs that they stand in the log, and the log's checkpoint, in
// one file that is checked without the store, its database or a network.
//
// # Format
//
// An export is a zip in the one exact encoding of package release/archive, all files
// of mode 0644, below the directory audit-<size of the tree>-<first 8 hex digits of
// its root>:
//
//	checkpoint             the store's newest checkpoint, as its log signed it
//	consistency            optional: that the checkpoint's tree begins with an older one
//	                       (C2SP tlog-witness, add-checkpoint request)
//	records.jsonl          one line for each record, by index
//	tile/…                 with labels or complete: every entry of the log (C2SP tlog-tiles)
//	blobs/sha256/<64 hex>  optional: files of the records
//	trust/…                the trust root as the exporter had it
//	index.json             what the export is (schema export-index/v1), and every other
//	                       file but the bundle, with size and sha256
//	export.sigstore.json   a statement over index.json, signed by the role auditor
//	                       (predicate type schemas/export/v1)
//
// A line of records.jsonl is compact JSON without HTML escaping, with an LF, its keys
// in this order:
//
//	{"index":4,"recorded":"2026-03-02T12:00:00.000Z","proof":["KU0q…","9vRc…"],"envelope":"eyJt…"}
//
// proof is the inclusion proof of the record's entry (RFC 6962 section 2.1.1), from
// the entry's sibling up; it is empty in a complete export, where the tree is made
// again from its entries. envelope is the exact bytes in base64. A record whose bytes
// were erased has an empty envelope and "entry", its entry of the log as text.
//
// index.json, here cut short, is in the exact encoding of package evidence/envelope:
//
//	{
//	  "schema": "https://github.com/rollproof/rollproof/schemas/export-index/v1",
//	  "origin": "example.com/evidence-4f1c0a9b2d3e5f60",
//	  "size": 7,
//	  "root": "sha256:5d5a…",
//	  "query": {
//	    "projects": [
//	      "age"
//	    ],
//	    "order": "oldest"
//	  },
//	  "completeness": "matching",
//	  "blobs": false,
//	  "counts": {
//	    "records": 3,
//	    "erased": 0,
//	    "blobs": 0
//	  },
//	  "files": [
//	    {
//	      "path": "checkpoint",
//	      "size": 190,
//	      "sha256": "66e2…"
//	    },
//	    …
//	  ]
//	}
//
// # Completeness
//
//	matching   records that fit the query. Others that fit may be missing.
//	labels     these, and every entry of the log: how many acts of each predicate type
//	           are not here can be counted, and what they say can't be seen.
//	complete   every record of the tree. The query says only what is shown: the
//	           recipient decides himself which records fit.
//
// # What a verification stands on
//
// Trust comes from the recipient's pin; the files below trust/ may move it forward and
// are never believed by themselves. The log's key has the role log there. Each record
// is derived from its envelope again, its signature and its right are judged by the
// recipient's trust root, and its entry is proved to stand in the tree. A record
// without a key in its entry was recorded unverified: it is counted apart and never
// passes.
//
// An entry holds no date: that a record came when the line says is the word of the
// store, and dates never go back from one record to the next. Nor is it judged whether
// an act counted where it stands. So a query for words or for illegal records, which
// can't be decided from one envelope, is refused by writer and reader.
//
// Who holds no checkpoint of his own can't see that the tree is an older one than the
// newest, or one that was made for him. With one, an export of an older or a forked
// tree fails; one of a newer tree is linked to it by the consistency file or by its
// entries.
//
// A complete export may lack the bytes of a record only where a later, verified record
// of its tree orders to erase them ([Options.Erases]).
package export
