package storetest

import (
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// record returns a record to create. It does not expire during the case.
func (e *env) record(name string) store.Record {
	return store.Record{
		Key:     e.name(name),
		Data:    []byte("data of " + name),
		Expires: time.Now().Add(time.Hour),
	}
}

// save stores rec and returns it with its new version.
func (e *env) save(rec store.Record) store.Record {
	e.Helper()
	saved, err := e.store.Save(e.ctx, rec)
	if err != nil {
		e.Fatalf("Save(key %q, version %d) = %v, want success",
			abbreviate(rec.Key), rec.Version, err)
	}
	if saved.Version == 0 || saved.Version == rec.Version {
		e.Errorf("Save(key %q, version %d) returned version %d, want a new one other than 0",
			abbreviate(rec.Key), rec.Version, saved.Version)
	}
	rec.Version = saved.Version
	e.wantSame("Save", saved, rec)
	return rec
}

// create saves a new record of that name.
func (e *env) create(name string) store.Record {
	e.Helper()
	return e.save(e.record(name))
}

// createFor saves a new record of a subject.
func (e *env) createFor(name, subject string) store.Record {
	e.Helper()
	rec := e.record(name)
	rec.Subject = subject
	return e.save(rec)
}

// createMany saves n new records whose names begin with prefix.
func (e *env) createMany(prefix string, n int) (all []store.Record) {
	e.Helper()
	for i := range n {
		all = append(all, e.create(fmt.Sprint(prefix, i)))
	}
	return all
}

// createManyFor saves n new records of a subject whose names begin with prefix.
func (e *env) createManyFor(subject, prefix string, n int) (all []store.Record) {
	e.Helper()
	for i := range n {
		all = append(all, e.createFor(fmt.Sprint(prefix, i), subject))
	}
	return all
}

// delete deletes the record under key.
func (e *env) delete(key string) {
	e.Helper()
	if err := e.store.Delete(e.ctx, key); err != nil {
		e.Fatalf("Delete(%q) = %v, want success", abbreviate(key), err)
	}
}
