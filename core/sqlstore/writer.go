package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// writer is the goroutine that makes a store's writes to SQLite. The writes that come while it is busy with one
// transaction share the next one, and so the flush to disk that makes them durable.
type writer struct {
	db   *sql.DB
	wake chan struct{} // holds one token while there may be something to do
	done chan struct{}
	last any // the driver's connection that was configured last

	mu     sync.Mutex
	queue  []*job
	closed bool
}

// job is a write and who waits for it.
type job struct {
	ctx    context.Context //nolint:containedctx // the caller's, who may leave while the job waits its turn
	do     operation
	err    error
	result chan error // holds one answer
}

func (j *job) answer(err error) { j.result <- err }

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// do has the operation done and returns its result once it is on disk. When the context ends first, the operation is left
// out if it has not begun; whether it has, the caller does not know.
func (w *writer) do(ctx context.Context, do operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, do: do, result: make(chan error, 1)}
	if !w.add(j) {
		return errClosed
	}
	select {
	case err := <-j.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) add(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, j)
	w.ring()
	return true
}

func (w *writer) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop waits until what was added is done. A lock that another process holds is not waited for.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.ring()
	w.mu.Unlock()
	<-w.done
}

// take empties the queue and reports whether more may come.
func (w *writer) take() (jobs []*job, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	jobs, w.queue = w.queue, nil
	return jobs, !w.closed
}

func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		jobs, more := w.take()
		w.write(jobs)
		if !more {
			return
		}
	}
}

// write does the jobs in one transaction and answers them. When one fails for a reason that is not its own result, it may
// have spoilt the transaction for all, so each is done again in one of its own.
func (w *writer) write(jobs []*job) {
	conn, jobs, err := w.begin(jobs)
	if err == nil && len(jobs) > 0 {
		err = w.transact(conn, jobs)
		if err != nil && len(jobs) > 1 && !errors.Is(err, errCommit) {
			for _, j := range jobs {
				w.write([]*job{j})
			}
			return
		}
	}
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		j.answer(j.err)
	}
}

// errCommit marks a failed commit: nobody knows whether it is on disk, so it must not be done again.
var errCommit = errors.New("sessions: sqlstore: commit failed")

// transact does the jobs in the transaction that conn has begun, and ends it.
func (w *writer) transact(conn *sql.Conn, jobs []*job) error {
	defer func() { _ = conn.Close() }()
	for _, j := range jobs {
		if j.err = j.ctx.Err(); j.err != nil {
			continue // the caller has left while the file was locked
		}
		// Not the caller's cancellation: it would undo what others have in the same transaction.
		j.err = j.do(context.WithoutCancel(j.ctx), conn)
		if j.err != nil && !errors.Is(j.err, store.ErrNotFound) && !errors.Is(j.err, store.ErrConflict) {
			rollback(conn)
			return j.err
		}
	}
	if err := commit(conn); err != nil {
		rollback(conn)
		return errors.Join(errCommit, err)
	}
	return nil
}

// commit waits for readers to go where the file is not in WAL mode. Until it has succeeded nothing is stored.
func commit(conn *sql.Conn) error {
	const attempts = 50
	for i := 1; ; i++ {
		_, err := conn.ExecContext(context.Background(), "COMMIT")
		if err == nil || i == attempts || !locked(err) {
			return err
		}
		time.Sleep(jitter(pollEvery))
	}
}

// rollback makes sure that no open transaction gets back into the pool: where it cannot be ended the connection is closed.
func rollback(conn *sql.Conn) {
	if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// pollEvery is how often a lock held by another process is tried. SQLite's own waiting backs off to a tenth of a second,
// and can starve next to a process that writes all the time.
const pollEvery = 2 * time.Millisecond

// begin begins a transaction for the jobs whose callers still wait, and for those that come while the file is locked.
func (w *writer) begin(jobs []*job) (*sql.Conn, []*job, error) {
	for {
		if jobs = waiting(jobs); len(jobs) == 0 {
			return nil, nil, nil
		}
		conn, err := w.tryBegin()
		if err == nil || !locked(err) && !errors.Is(err, context.DeadlineExceeded) {
			return conn, jobs, err
		}
		time.Sleep(jitter(pollEvery))
		joined, more := w.take()
		if jobs = append(jobs, joined...); !more {
			w.ring() // for run to see it as well
			return nil, jobs, errClosed
		}
	}
}

// waiting answers the jobs whose callers have left, and returns the others.
func waiting(jobs []*job) []*job {
	var left []*job
	for _, j := range jobs {
		if err := j.ctx.Err(); err != nil {
			j.answer(err)
			continue
		}
		left = append(left, j)
	}
	return left
}

// tryBegin gets a connection and the file's write lock.
func (w *writer) tryBegin() (*sql.Conn, error) {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err = w.configure(ctx, conn); err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	}
	if err == nil {
		return conn, nil
	}
	if !locked(err) {
		rollback(conn)
	}
	_ = conn.Close()
	return nil, err
}

// configure makes a connection durable, whatever it was opened with. The pool mostly hands out the same one again.
func (w *writer) configure(ctx context.Context, conn *sql.Conn) error {
	known := false
	_ = conn.Raw(func(c any) error {
		known = c == w.last
		w.last = c
		return nil
	})
	if known {
		return nil
	}
	for _, pragma := range SQLitePragmas() {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			w.last = nil
			return err
		}
	}
	return nil
}
