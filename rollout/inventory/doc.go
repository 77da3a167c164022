// Package inventory reads what an inventory tool exported and yields one list of
// endpoints: which endpoint has which file for which deployment target, and when it
// was seen. It works on bytes alone: it opens nothing, reads no clock and imports
// nothing else of rollproof.
//
// # Normal form
//
// A list is sorted by target and id, in byte order, and has each pair once. Written
// as JSON lines it has one encoding: this order of keys, no spaces, no escapes that
// are not needed, one LF after each object.
//
//	{"id":"host-001.example.com","target":"systemd-linux-amd64-workstation","sha256":"4f1c…","seen_at":"2026-11-20T08:15:00Z"}
//	{"id":"host-002.example.com","target":"systemd-linux-amd64-workstation","sha256":"","seen_at":"2026-11-19T22:40:31Z"}
//
// The second endpoint was seen without the file. That is a statement like any
// other, and other than an endpoint that is not in the list.
//
// # Rules for every format
//
// Text is UTF-8, with or without a byte order mark, its lines end with LF or CRLF.
// A row says five things, each without spaces around; columns beside them are
// ignored.
//
//	id       of the endpoint: 1 to [MaxID] bytes, of which a reader sees every character. Control,
//	         bidirectional and zero-width characters are refused, so are spaces other than U+0020.
//	         Ids are compared byte by byte, upper and lower case apart.
//	target   id of the deployment target; without a column or a value, Options.Target
//	path     of the installed file, compared byte by byte
//	sha256   of that file, 64 hex digits of either case; empty where the endpoint does not have it
//	seen_at  when the endpoint said so; without a column or a value, Options.SeenAt
//
// The column of the id and the one of the digest are always needed, even if cells
// in the latter may be empty; that of the target is, unless Options.Target is set;
// that of the path is if Options.Path is. Columns named by Options.Columns are, and
// stand instead of those below. Names are compared in exact case.
//
// Rows about other files than Options.Path are skipped; without it all rows have to
// be about one. A row that has neither path nor digest says that the endpoint does
// not have the file, whichever it is.
//
// Two rows about one endpoint and target have to agree on the digest, and the newer
// time holds. If they do not agree, nobody knows which is true, and that is an
// error.
//
// Times are RFC 3339, or "2006-01-02 15:04:05" with or without a fraction in the
// time zone of Options.Location; without that, a time without a zone is an error. Of a
// local time that came twice, in the night when clocks go back, the earlier is
// taken. Fractions of seconds are cut: a list never says that something was seen
// later than its source says. Years are 2000 to 9999.
//
// # csv and jsonl
//
// Columns, or keys, are id, target, path, sha256 and seen_at. A CSV (RFC 4180, with
// commas) has them in its first record; none may be there twice, case apart. JSON
// lines have one object each, no key twice; null is the same as "".
//
//	id,target,sha256,seen_at
//	host-001.example.com,systemd-linux-amd64-workstation,4f1c…,2026-11-20T08:15:00Z
//
// # osquery
//
// Two forms. The first is the JSON array that osqueryi --json prints, or several of
// them made one, with the columns hostname, path, sha256, unix_time and target:
//
//	SELECT i.hostname, t.unix_time, h.path, h.sha256
//	FROM system_info i, time t, hash h WHERE h.path = '/usr/local/bin/hello'
//
// The second is the results or snapshots log of osqueryd, one JSON object a line, in
// the event format (its default) or the snapshot format:
//
//	{"name":"hello","hostIdentifier":"host-001.example.com","unixTime":1795162500,"action":"added","columns":{"path":"/usr/local/bin/hello","sha256":"4f1c…"}}
//	{"name":"hello","hostIdentifier":"host-002.example.com","unixTime":1795162500,"action":"snapshot","snapshot":[]}
//
// The id is hostIdentifier and the time is unixTime; the columns of a row are path,
// sha256 and target. Decorations count as columns, so that a host's UUID can be
// the id: Columns{"id": "host_uuid"}. All lines have to be of one query (name): an empty
// snapshot of another one would look like an endpoint without the file.
//
// A log is a history. Of each endpoint and target, what was logged at the newest
// time holds, and only what was logged at one time has to agree. A row "removed" at
// that time, with none added, and a snapshot without a row about the file say that
// the endpoint does not have it. A differential query logs changes alone: its times
// say when the file changed, not when the endpoint was seen last, so a snapshot query
// is the better observer.
//
// Assumed: times are unix seconds, as a number or a string of digits; hosts have
// their clocks right. The batch format (diffResults) is refused.
//
// # jamf
//
// A CSV export of a computer inventory search with these columns:
//
//	Serial Number, else Computer Name   id
//	rollproof sha256                    the digest: an extension attribute
//	Last Inventory Update               time; a plain number is unix milliseconds
//	target, path                        only if there are such extension attributes
//
// Assumed: a script fills the extension attribute each time the inventory is taken,
// with the digest or with nothing. An attribute that was never filled looks the same
// as a file that is not there. Exports without a zone in their times need
// Options.Location; formats of dates that depend on the language are refused.
//
// # intune
//
// A CSV export of the device status of a remediation, or of the devices if joined
// with it:
//
//	Device ID, DeviceId, else Device name, DeviceName   id
//	PreRemediationDetectionScriptOutput                 the digest
//	ModifiedTime, else Last check-in                    time
//	target, path                                        only where they were joined
//
// The output is the bare digest, or has one word sha256=<digest> among others, or is
// empty where the file is not there, as is sha256= alone. Any other output is an
// error. ModifiedTime comes first because a device can check in without running the
// script. A time in the year 1 (0001-01-01 00:00:00, a date that was never set) is
// none, whatever Options.SeenAt says.
//
// Assumed: the names of the columns are those of the English portal and of the
// export API; others are given with Options.Columns. Times as in "2026-11-20
// 08:15:00.0000000" name no zone, so Options.Location is needed.
//
// # What it is worth
//
// An inventory is what its source says. Who makes it can leave endpoints out or add
// some; the first shows against a population that was recorded before, see
// [ReadIDs].
package inventory
