// Package sqlite keeps evidence in one SQLite file and a directory beside it.
//
//	.rollproof/evidence.db                      records
//	.rollproof/evidence.db-wal, -shm            SQLite's own, while it is open
//	.rollproof/blobs/sha256/5d/5d5a…            files that belong to records
//
// The tables are those of migrations/*.sql and nothing else: on opening, every
// object of the database is compared with what the migrations make, so that a
// dropped trigger, an added one, or a view in the place of a table is refused. The
// file's application id is "rlpf", its user version the number of the last
// migration. Each migration is one transaction.
//
// A record is one row of the table record with the index idx, its envelope in the
// table envelope, and rows in digest, target and words by which it is found. In the
// same transaction its entry joins the log's Merkle tree (package translog), whose
// hashes are the table hash. Every
// row of record carries a checksum over its other columns: it finds accidents, also
// in what no envelope says (the date of recording), but no intent, for whoever
// writes to the file can compute it.
//
// Writers take turns (BEGIN IMMEDIATE) in one process and between processes;
// readers never wait (write-ahead log). A transaction is durable when it has
// committed (synchronous=FULL). Triggers refuse UPDATE and DELETE, also inside
// INSERT OR REPLACE. Who holds the file can drop the triggers, change it and put
// them back: what then differs from the envelopes, [Store.Compare] shows; that a
// whole record was taken away from the end, or put in the place of another, only a
// log's checkpoint shows.
//
// A blob is written under a temporary name, flushed, renamed to its digest, and its
// directory flushed, before the row that says to which record it belongs.
package sqlite
