package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// forgetful is a database of one row whose driver loses replies: it does what it is told, reports that it could not, and
// so makes database/sql tell it again.
type forgetful struct {
	row    []driver.Value // id, subject, data, expires, version
	lose   int            // how many replies are yet to be lost
	refuse []error        // what the next statements fail with before they do anything
}

func (f *forgetful) Connect(context.Context) (driver.Conn, error) { return forgetfulConn{f}, nil }
func (f *forgetful) Driver() driver.Driver                        { return nil }

type forgetfulConn struct{ db *forgetful }

var errUnexpected = errors.New("not expected here")

func (forgetfulConn) Prepare(string) (driver.Stmt, error) { return nil, errUnexpected }
func (forgetfulConn) Begin() (driver.Tx, error)           { return nil, errUnexpected }
func (forgetfulConn) Close() error                        { return nil }

func (f forgetfulConn) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if len(f.db.refuse) > 0 {
		err := f.db.refuse[0]
		f.db.refuse = f.db.refuse[1:]
		return nil, err
	}
	n := f.execute(text, args)
	if f.db.lose > 0 {
		f.db.lose--
		return nil, driver.ErrBadConn
	}
	return driver.RowsAffected(n), nil
}

func (f forgetfulConn) execute(text string, args []driver.NamedValue) int64 {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		values[i] = arg.Value
	}
	switch {
	case strings.HasPrefix(text, "INSERT") && f.db.row == nil:
		f.db.row = values
		return 1
	case strings.HasPrefix(text, "UPDATE") && f.db.row != nil && f.db.row[4] == values[5]:
		f.db.row = append([]driver.Value{f.db.row[0]}, values[:4]...)
		return 1
	}
	return 0
}

func (f forgetfulConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &oneRow{f.db.row}, nil
}

type oneRow struct{ left []driver.Value }

func (*oneRow) Columns() []string { return make([]string, 5) }
func (*oneRow) Close() error      { return nil }

func (r *oneRow) Next(to []driver.Value) error {
	if r.left == nil {
		return io.EOF
	}
	copy(to, r.left)
	r.left = nil
	return nil
}

// TestRepeatedByDriver has database/sql repeat a write that was done: the answer is success, and not a conflict with
// oneself.
func TestRepeatedByDriver(t *testing.T) {
	t.Parallel()
	fake := &forgetful{lose: 1}
	s := openForgetful(t, fake)
	rec, err := s.Save(t.Context(), store.Record{Key: "a", Data: []byte("created")})
	if err != nil || fake.row[4] != int64(rec.Version) || fake.lose != 0 {
		t.Fatalf("create, told twice = version %d, %v; stored is %v", rec.Version, err, fake.row)
	}
	fake.lose = 1
	rec.Data = []byte("replaced")
	rec, err = s.Save(t.Context(), rec)
	if err != nil || fake.row[4] != int64(rec.Version) || fake.lose != 0 {
		t.Fatalf("replace, told twice = version %d, %v; stored is %v", rec.Version, err, fake.row)
	}
	rec.Version++
	if _, err = s.Save(t.Context(), rec); !errors.Is(err, store.ErrConflict) {
		t.Errorf("replace of another version = %v, want ErrConflict", err)
	}
}

func openForgetful(t *testing.T, fake *forgetful) *sqlstore.Store {
	t.Helper()
	db := sql.OpenDB(fake)
	s, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.PostgreSQL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), db.Close() })
	return s
}

// sqlState is an error as the drivers for PostgreSQL have it.
type sqlState string

func (s sqlState) Error() string    { return "state " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

// TestUndoneByDatabase repeats what the database has undone to let another transaction pass, and nothing else.
func TestUndoneByDatabase(t *testing.T) {
	t.Parallel()
	fake := &forgetful{refuse: []error{sqlState("40001"), sqlState("40P01")}}
	s := openForgetful(t, fake)
	if _, err := s.Save(t.Context(), store.Record{Key: "a"}); err != nil || len(fake.refuse) != 0 {
		t.Errorf("Save that was undone twice = %v, want success", err)
	}
	fake.refuse = []error{sqlState("23505")}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, sqlState("23505")) {
		t.Errorf("Delete that failed = %v, want the driver's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fake.refuse = []error{sqlState("40001")}
	if err := s.Delete(ctx, "a"); err == nil {
		t.Error("Delete with a context that is over = nil, want an error")
	}
}
