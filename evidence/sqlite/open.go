package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// A Store is an open database. It may be used by many goroutines at once.
type Store struct {
	reader
	readers *sql.DB
	writer  *sql.DB              // one connection; nil when opened for reading
	stmts   map[string]*sql.Stmt // of the writer, by their text
	now     func() time.Time
	layout  int64 // SQLite's schema cookie when the layout was last compared
}

var _ evidence.Store = (*Store)(nil)

const readers = 4

// Pragmas of every connection; those of writers come on top. Pages hold several
// envelopes, and what is freed is overwritten, for an erased byte is to be gone. The
// journal mode is set after them, because it makes the first page.
var (
	readPragmas  = []string{"busy_timeout(5000)", "foreign_keys(1)", "trusted_schema(0)", "recursive_triggers(1)", "cell_size_check(1)"}
	writePragmas = append([]string{"synchronous(full)", "secure_delete(1)", "page_size(8192)", "cache_size(-32000)", "wal_autocheckpoint(4000)"}, readPragmas...)
)

// Open opens a store for reading and writing, and makes it if the file is not there
// or empty. now is the store's clock. Errors are [evidence.ErrForeignSchema],
// [evidence.ErrNewerSchema] and those of the file.
func Open(ctx context.Context, file string, now func() time.Time) (*Store, error) {
	writer, err := open(file, "rwc", writePragmas)
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	s := &Store{writer: writer, now: now}
	if err := migrate(ctx, writer); err != nil {
		return nil, fail(file, errors.Join(err, writer.Close()))
	}
	if err := s.finish(ctx, file, "ro"); err != nil {
		return nil, err
	}
	if s.stmts, err = prepare(ctx, writer); err != nil {
		return nil, fail(file, errors.Join(err, s.Close()))
	}
	return s, nil
}

// OpenReadOnly opens a store that others wrote. It never changes the file; a layout
// that is not exactly this program's is an error, as for [Open].
func OpenReadOnly(ctx context.Context, file string) (*Store, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	s := &Store{}
	err := s.finish(ctx, file, "ro")
	if code(err) == codes.SQLITE_CANTOPEN && !exists(file+"-wal") {
		// On a medium that cannot be written nobody else writes either.
		err = s.finish(ctx, file, "ro&immutable=1")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// finish opens the readers and compares the layout.
func (s *Store) finish(ctx context.Context, file, mode string) error {
	pool, err := open(file, mode, readPragmas)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	s.readers, s.reader = pool, reader{pool, blobs(filepath.Join(filepath.Dir(file), "blobs"))}
	if err = compareLayout(ctx, pool); err == nil {
		s.layout, err = cookie(ctx, pool)
	}
	if err != nil {
		return fail(file, errors.Join(err, s.Close()))
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	errs := []error{closeStatements(s.stmts)}
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

func open(file, mode string, pragmas []string) (*sql.DB, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a Windows drive
	}
	journal := ""
	if mode == "rwc" {
		journal = "&_journal_mode=wal"
	}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String()+"?mode="+mode+journal+"&"+parameters(pragmas))
}

func parameters(pragmas []string) string {
	q := url.Values{"_txlock": {"immediate"}, "_defensive": {"1"}, "_dqs": {"0"}, "_pragma": pragmas}
	return q.Encode()
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// code is SQLite's primary result code of an error, 0 for any other error.
func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// translate names the errors that a caller acts on.
func translate(err error) error {
	var known error
	switch code(err) {
	case codes.SQLITE_FULL:
		known = evidence.ErrFull
	case codes.SQLITE_BUSY:
		known = evidence.ErrBusy
	case codes.SQLITE_READONLY:
		known = evidence.ErrReadOnly
	case codes.SQLITE_NOTADB, codes.SQLITE_CORRUPT:
		known = evidence.ErrForeignSchema
	default:
		return err
	}
	return fmt.Errorf("%w: %w", known, err)
}

func fail(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, translate(err))
}
