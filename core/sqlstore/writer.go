package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// writer is the goroutine that makes all writes of a store to SQLite. Writes that arrive
// while it is busy share the next transaction, and so the flush to disk that makes them
// durable.
type writer struct {
	db       *sql.DB
	wake     chan struct{} // has a token while there may be jobs in the queue
	done     chan struct{} // closed when the goroutine has ended
	lastConn any           // the driver's connection that configure has seen last
	waiting  atomic.Bool   // for the lock of the file, or for a connection

	mu     sync.Mutex
	queue  []*job
	closed bool
}

// job is a write whose caller waits for the result.
type job struct {
	ctx    context.Context //nolint:containedctx // the caller may leave while the job is queued
	do     operation
	err    error      // the result of do
	result chan error // has room for the result, so that the writer never waits for the caller
}

func (j *job) answer(err error) { j.result <- err }

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// do runs the operation and returns its result once that is on disk. If the context ends
// first, do returns the error of the context. The operation is skipped then if it has not
// begun, but the caller does not know whether it has.
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
	}
	// The writer answers jobs before it stops waiting. A result that is there by now says more
	// than the context does.
	err := abandoned(ctx, w.waiting.Load())
	select {
	case err = <-j.result:
	default:
	}
	return err
}

// abandoned returns the error of a job whose context has ended. It says whether the writer
// waited for the file.
func abandoned(ctx context.Context, waiting bool) error {
	err := ctx.Err()
	if !waiting || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", errLocked, err)
}

// add queues a job. It reports false if the writer is closed.
func (w *writer) add(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, j)
	w.signal()
	return true
}

// signal makes run look at the queue.
func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop closes the writer and waits until it has finished the jobs in the queue. If another
// process holds a lock on the file, the jobs fail instead.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	<-w.done
}

// takeQueue empties the queue. It reports whether more jobs may come.
func (w *writer) takeQueue() (jobs []*job, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	jobs, w.queue = w.queue, nil
	return jobs, !w.closed
}

func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		jobs, more := w.takeQueue()
		w.write(jobs)
		if !more {
			return
		}
	}
}

// write runs the jobs in one transaction and answers them. If a job fails with an error
// that is not an answer of the store, it may have spoiled the transaction for all jobs, so
// write runs each again in a transaction of its own.
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

// errCommit marks a failed commit. The transaction may be on disk, so it must not run
// again.
var errCommit = errors.New("sessions: sqlstore: commit failed")

// transact runs the jobs in the transaction that conn has begun, ends it and closes conn.
func (w *writer) transact(conn *sql.Conn, jobs []*job) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			discard(conn)
			err = panicError(panicked)
		}
		_ = conn.Close()
	}()
	for _, j := range jobs {
		if j.err = j.ctx.Err(); j.err != nil {
			continue // The caller left while the file was locked.
		}
		// A canceled statement would roll back the jobs of other callers, too.
		j.err = j.do(context.WithoutCancel(j.ctx), conn)
		if j.err != nil && !isAnswer(j.err) {
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

// commit commits the transaction. A file that is not in WAL mode is locked while others
// read it, and nothing is stored until a commit succeeds, so commit tries again then.
func commit(conn *sql.Conn) error {
	const attempts = 50
	for i := 1; ; i++ {
		_, err := conn.ExecContext(context.Background(), "COMMIT")
		if err == nil || i == attempts || !isLocked(err) {
			return err
		}
		time.Sleep(jitter(lockInterval))
	}
}

// rollback ends the transaction. If that fails it closes the connection, so that no open
// transaction gets back into the pool.
func rollback(conn *sql.Conn) {
	if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		discard(conn)
	}
}

// panicError returns the error for a panic of the driver. In the goroutine of the writer it
// would end the process, where in a handler it ends one request. A value that is not an error
// of the runtime may contain what was saved, so the text does not have it.
func panicError(panicked any) error {
	if failure, ok := panicked.(runtime.Error); ok {
		return fmt.Errorf("sessions: sqlstore: the driver panicked: %w", failure)
	}
	return fmt.Errorf("sessions: sqlstore: the driver panicked with a %T", panicked)
}

// lockInterval is how often the writer tries to get a lock that another process holds.
// SQLite itself backs off to a tenth of a second, and can starve beside a process that
// writes all the time.
const lockInterval = 2 * time.Millisecond

// begin begins a transaction. It returns the jobs for it: those whose callers still wait,
// and those that arrived while the file was locked. The connection is nil if there are
// none.
func (w *writer) begin(jobs []*job) (*sql.Conn, []*job, error) {
	defer w.waiting.Store(false)
	for {
		if jobs = w.dropAbandoned(jobs); len(jobs) == 0 {
			return nil, nil, nil
		}
		conn, err := w.tryBegin()
		if err == nil || !isLocked(err) && !errors.Is(err, context.DeadlineExceeded) {
			return conn, jobs, err
		}
		w.waiting.Store(true)
		time.Sleep(jitter(lockInterval))
		arrived, more := w.takeQueue()
		if jobs = append(jobs, arrived...); !more {
			w.signal() // run has to see that the writer is closed, too.
			return nil, jobs, errClosed
		}
	}
}

// dropAbandoned answers the jobs whose callers have left and returns the others.
func (w *writer) dropAbandoned(jobs []*job) []*job {
	var others []*job
	for _, j := range jobs {
		if j.ctx.Err() != nil {
			j.answer(abandoned(j.ctx, w.waiting.Load()))
			continue
		}
		others = append(others, j)
	}
	return others
}

// tryBegin returns a connection that has begun a transaction and holds the write lock.
func (w *writer) tryBegin() (conn *sql.Conn, err error) {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			if conn != nil {
				discard(conn)
			}
			conn, err = nil, panicError(panicked)
		}
	}()
	conn, err = w.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err = w.configure(ctx, conn); err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	}
	if err == nil {
		return conn, nil
	}
	if !isLocked(err) {
		rollback(conn)
	}
	_ = conn.Close()
	return nil, err
}

// configure runs [SQLitePragmas] on a connection, however the application has opened it.
// The pool mostly returns the same connection, which needs that only once. A connection whose
// type cannot be compared gets them each time.
func (w *writer) configure(ctx context.Context, conn *sql.Conn) error {
	known := false
	_ = conn.Raw(func(c any) error {
		if !reflect.ValueOf(c).Comparable() {
			c = nil
		}
		known = c != nil && c == w.lastConn
		w.lastConn = c
		return nil
	})
	if known {
		return nil
	}
	for _, pragma := range SQLitePragmas() {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			w.lastConn = nil
			return err
		}
	}
	return nil
}
