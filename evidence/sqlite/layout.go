package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/rollproof/rollproof/evidence"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file for tools such as file(1): "rlpf".
const applicationID = 0x726c7066

// steps returns the text of every migration; the first one has the number 1.
var steps = sync.OnceValue(func() []string {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	texts := make([]string, len(names))
	for i, name := range names {
		data, err := migrations.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		texts[i] = string(data)
	}
	return texts
})

// An object is a row of SQLite's own table of tables, indexes, triggers and views.
type object struct{ kind, name, table, text string }

// objects lists what a database consists of.
func objects(ctx context.Context, q querier) (map[string]object, error) {
	rows, err := q.QueryContext(ctx, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := map[string]object{}
	for rows.Next() {
		var o object
		if err := rows.Scan(&o.kind, &o.name, &o.table, &o.text); err != nil {
			return nil, err
		}
		key := o.kind + " " + o.name
		if _, twice := list[key]; twice {
			return nil, foreign("%s stands twice", key)
		}
		list[key] = o
	}
	return list, rows.Err()
}

// expected is what the migrations make.
var expected = sync.OnceValues(func() (map[string]object, error) {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:?"+parameters(readPragmas))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, step := range steps() {
		if _, err := db.ExecContext(ctx, step); err != nil {
			return nil, err
		}
	}
	return objects(ctx, db)
})

// compareLayout refuses a database that is not exactly what the migrations make.
func compareLayout(ctx context.Context, q querier) error {
	version, err := version(ctx, q)
	switch {
	case err != nil:
		return err
	case version > len(steps()):
		return fmt.Errorf("%w: layout %d, expected %d", evidence.ErrNewerSchema, version, len(steps()))
	case version < len(steps()):
		return fmt.Errorf("%w: layout %d, expected %d", evidence.ErrOlderSchema, version, len(steps()))
	}
	want, err := expected()
	if err != nil {
		return err
	}
	got, err := objects(ctx, q)
	if err != nil {
		return err
	}
	for key, o := range want {
		if g, ok := got[key]; !ok {
			return foreign("no %s", key)
		} else if g != o {
			return foreign("%s is another one", key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			return foreign("an unknown %s", key)
		}
	}
	return nil
}

func foreign(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{evidence.ErrForeignSchema}, args...)...)
}

// version returns the number of the last migration, 0 for an empty database.
func version(ctx context.Context, q querier) (int, error) {
	var id, version, objects int
	err := q.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").Scan(&id, &version, &objects)
	switch {
	case err != nil:
		return 0, err
	case id == 0 && version == 0 && objects == 0:
		return 0, nil
	case id != applicationID:
		return 0, foreign("application id %#x, expected %#x", id, applicationID)
	case version < 1:
		return 0, foreign("layout %d", version)
	}
	return version, nil
}

// cookie is a number that SQLite changes with every change of the layout.
func cookie(ctx context.Context, q querier) (int64, error) {
	var n int64
	err := q.QueryRowContext(ctx, "SELECT schema_version FROM pragma_schema_version").Scan(&n)
	return n, err
}

// migrate brings a database to the newest layout, one transaction for each step.
func migrate(ctx context.Context, db *sql.DB) error {
	for {
		now, err := version(ctx, db)
		if err != nil || now >= len(steps()) {
			return err
		}
		if err := migrateOnce(ctx, db); err != nil {
			return fmt.Errorf("migration %d: %w", now+1, err)
		}
	}
}

// migrateOnce takes the next step, which another process may have taken before.
func migrateOnce(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = step(ctx, tx)
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func step(ctx context.Context, tx *sql.Tx) error {
	now, err := version(ctx, tx)
	if err != nil || now >= len(steps()) {
		return err
	}
	if _, err := tx.ExecContext(ctx, steps()[now]); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, now+1))
	return err
}
