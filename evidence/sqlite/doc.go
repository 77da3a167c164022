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
// same transaction its entry joins the log's Merkle tree (package translog): the row
// of the table tree holds the hashes that the record completes. Every row of record
// carries a checksum over its other columns, as do the log's identity (table log) and
// every signed checkpoint (table checkpoint): it finds accidents, also in what no
// envelope says (the date of recording), but no intent, for whoever writes to the file
// can compute it.
//
//	record 3  ─ envelope 3 ─ tree 3: hashes of leaf 3, of 2..3 and of 0..3
//	          ─ digest (5d5a…, 3) ─ target (linux-amd64, 3) ─ words 3
//
// Writers take turns (BEGIN IMMEDIATE) in one process and between processes;
// readers never wait (write-ahead log). A transaction is durable when it has
// committed (synchronous=FULL). Its time is the clock's, or that of the newest record
// where the clock is at most a minute behind it, so that dates never go back. Triggers
// refuse UPDATE and DELETE, also inside INSERT OR REPLACE, but for the index of words,
// which can have none. Who holds the file can drop the triggers, change it and put
// them back: what then differs from the envelopes, [Store.Compare] shows; that a
// whole record was taken away from the end, or put in the place of another, only a
// log's checkpoint shows. [Store.Audit] compares the checkpoints that are stored;
// against who signs new ones, one must be kept elsewhere.
//
// A row of the table erasure says that a record's bytes were removed, and names the
// record that ordered it, which must have the act or the id of the erased one among
// its digests. With it the triggers let the envelope go. The words go with it, freed
// pages are overwritten (secure_delete) and the write-ahead log is emptied, so that
// the bytes are nowhere in the files, as long as no reader holds the log. Copies,
// backups and what the disk itself keeps are out of reach. A row of blob_erasure does
// the same for a record's files alone.
//
// A blob is written under a temporary name, flushed, renamed to its digest, and its
// directory flushed, before the row that says to which record it belongs. Blobs are
// removed while the removing process holds the write lock, under which others attach
// them.
//
// Facts with few values (kind, project, environment, rings, states) have an index
// together, and each combination of them that occurs is a row of the table class. A
// search for several of them walks the records of the combinations that fit, or knows
// that there are none. It then walks the index of the term that fits the fewest records
// and looks at the other terms in each of them. It is slow where two terms of other
// kinds fit many records and no record fits both: then it meets all of the rarer's. So
// it is where more than 64 combinations fit.
package sqlite
