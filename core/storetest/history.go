package storetest

import (
	"bytes"
	"errors"
	"sync"

	"github.com/cloakroom-go/sessions/core/store"
)

// call is one call of a method and its outcome. Start and end are positions in an order that
// all goroutines agree on: a call that ended before another started happened before it.
type call struct {
	method     method
	start, end int64
	base       uint64 // the version passed to a save or touch
	version    uint64 // the version returned by a successful save or load
	data       []byte
	err        error
}

type method string

const (
	methodLoad   method = "Load"
	methodSave   method = "Save"
	methodTouch  method = "Touch"
	methodDelete method = "Delete"
)

// history is the list of all calls on one key.
type history struct {
	key   string
	mu    sync.Mutex
	calls []*call
}

func (h *history) add(c *call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

// versionUse is what is known of one version: the save that created it and the save that
// replaced it, if any.
type versionUse struct{ saved, replaced *call }

// check reports calls that no order explains.
func (h *history) check(e *env) {
	versions := h.versions(e)
	for _, c := range h.calls {
		switch {
		case c.method == methodDelete || errors.Is(c.err, errors.ErrUnsupported):
		case errors.Is(c.err, store.ErrNotFound):
			h.checkGone(e, c)
		case c.err != nil: // A conflict proves little.
		case c.method == methodLoad:
			h.checkFound(e, versions, c, c.version)
			h.checkData(e, versions, c)
		case c.base != 0:
			h.checkFound(e, versions, c, c.base)
		default:
			h.checkCreated(e, versions, c)
		}
	}
}

// versions collects what is known of each version, and reports versions that were saved or
// replaced twice.
func (h *history) versions(e *env) map[uint64]*versionUse {
	versions := make(map[uint64]*versionUse)
	var saves []*call
	for _, c := range h.calls {
		if c.method != methodSave || c.err != nil {
			continue
		}
		if versions[c.version] != nil {
			e.Errorf("%q: two saves returned version %d", h.key, c.version)
		}
		versions[c.version] = &versionUse{saved: c}
		saves = append(saves, c)
	}
	for _, c := range saves {
		if c.base != 0 {
			h.noteReplaced(e, versions, c)
		}
	}
	return versions
}

func (h *history) noteReplaced(e *env, versions map[uint64]*versionUse, c *call) {
	switch v := versions[c.base]; {
	case v == nil: // checkFound reports it.
	case v.replaced != nil:
		e.Errorf("%q: version %d was replaced twice, so one of the changes is lost", h.key, c.base)
	default:
		v.replaced = c
	}
}

// checkData checks that a load returned the data saved with its version.
func (h *history) checkData(e *env, versions map[uint64]*versionUse, c *call) {
	if v := versions[c.version]; v != nil && !bytes.Equal(v.saved.data, c.data) {
		e.Errorf("%q: Load returned version %d with data %q, but it was saved with %q",
			h.key, c.version, c.data, v.saved.data)
	}
}

// checkFound checks a call that found version: it had been saved, and was neither replaced nor
// deleted before the call.
func (h *history) checkFound(e *env, versions map[uint64]*versionUse, c *call, version uint64) {
	v := versions[version]
	if v == nil || v.saved.start > c.end {
		e.Errorf("%q: %s found version %d, which had not been saved", h.key, c.method, version)
		return
	}
	if v.replaced != nil && v.replaced.end < c.start {
		e.Errorf("%q: %s found version %d, which had been replaced before the call",
			h.key, c.method, version)
	}
	for _, d := range h.calls {
		if d.method == methodDelete && d.start > v.saved.end && d.end < c.start {
			e.Errorf("%q: %s found version %d, which had been deleted before the call",
				h.key, c.method, version)
		}
	}
}

// checkCreated checks a successful create: no version was stored during the whole call.
func (h *history) checkCreated(e *env, versions map[uint64]*versionUse, c *call) {
	for version, v := range versions {
		stored := v.saved.end < c.start && v.replaced == nil
		if stored && !h.deletedBetween(v.saved.start, c.end) {
			e.Errorf("%q: a create succeeded while version %d was stored", h.key, version)
		}
	}
}

// checkGone checks a call that found nothing: each version saved before it had been deleted.
func (h *history) checkGone(e *env, c *call) {
	for _, s := range h.calls {
		saved := s.method == methodSave && s.err == nil && s.end < c.start
		if saved && !h.deletedBetween(s.start, c.end) {
			e.Errorf("%q: %s found nothing, but version %d had been saved and never deleted",
				h.key, c.method, s.version)
			return
		}
	}
}

// deletedBetween reports whether a delete may have taken effect between start and end.
func (h *history) deletedBetween(start, end int64) bool {
	for _, d := range h.calls {
		if d.method == methodDelete && d.end > start && d.start < end {
			return true
		}
	}
	return false
}
