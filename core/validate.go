package core

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// validate checks options whose defaults are set. The error names the first invalid field of
// each group and says what to change.
func (o *Options) validate() error {
	return errors.Join(
		validatePrefix(o.Prefix),
		validateTimeouts(o),
		validateLimits(o),
		validateSubjects(o),
		o.Cookie.validate(),
		validateFormerCookies(o),
		validateClearSiteData(o.ClearSiteData),
	)
}

// validateParts checks what the application hands in. It comes before the defaults: a nil
// pointer in an interface is no nil interface, so it would be used.
func (o *Options) validateParts() error {
	switch {
	case isNilPointer(o.Store):
		return fmt.Errorf("sessions: Store is a nil %T; check the error of the function that "+
			"makes it, or leave Store out for a memory store", o.Store)
	case isNilPointer(o.Codec):
		return fmt.Errorf("sessions: Codec is a nil %T; pass a pointer to a codec, "+
			"or leave Codec out for JSON", o.Codec)
	case o.Logger != nil && o.Logger.Handler() == nil:
		return errors.New("sessions: Logger has no handler; make it with slog.New, " +
			"or leave Logger out for slog.Default")
	}
	return nil
}

// isNilPointer reports whether v is an interface with a nil pointer, map or function in it.
func isNilPointer(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func:
		return r.IsNil()
	default:
		return false
	}
}

// validateClearSiteData checks a list of quoted types. Browsers ignore types that they do not
// know, and a field whose types have no quotes.
func validateClearSiteData(value string) error {
	if value == "" {
		return nil
	}
	for kind := range strings.SplitSeq(value, ",") {
		kind = strings.TrimSpace(kind)
		inner := strings.Trim(kind, `"`)
		letters := strings.ContainsFunc(inner, func(r rune) bool {
			return r != '*' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		if inner == "" || letters || kind != `"`+inner+`"` {
			return fmt.Errorf("sessions: ClearSiteData is %q; use types in double quotes, "+
				"separated by commas, as in `\"cache\", \"storage\"`", value)
		}
	}
	return nil
}

// maxPrefix leaves room for an id in keys of 250 bytes.
const maxPrefix = 200

// largestMaxSize keeps the offsets in a record within 32 bits.
const largestMaxSize = 1 << 30

func validatePrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("sessions: Prefix is %d bytes long; use at most %d, "+
			"because some stores limit keys to 250", len(prefix), maxPrefix)
	}
	i := strings.IndexFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	if i >= 0 {
		return fmt.Errorf("sessions: Prefix %q has a character that keys cannot hold at byte %d; "+
			"use printable ASCII without spaces", prefix, i)
	}
	return nil
}

func validateTimeouts(o *Options) error {
	switch {
	case o.Expiry < 0 && o.Expiry != Permanent:
		return fmt.Errorf("sessions: Expiry is negative (%v); "+
			"use a positive duration, 0 for 30 days, or Permanent", o.Expiry)
	case o.Lifetime > 0 && o.Lifetime < time.Second:
		return fmt.Errorf("sessions: Lifetime is %v, less than a second; "+
			"a duration needs a unit, as in 12 * time.Hour", o.Lifetime)
	case o.Expiry != Permanent && o.Expiry < time.Second:
		return fmt.Errorf("sessions: Expiry is %v, less than a second; "+
			"a duration needs a unit, as in 3600 * time.Second", o.Expiry)
	case o.Lifetime < 0:
		return fmt.Errorf("sessions: Lifetime is negative (%v); "+
			"use a positive duration, or 0 for no absolute limit", o.Lifetime)
	case o.Lifetime > 0 && o.Expiry == Permanent:
		return fmt.Errorf("sessions: Expiry is Permanent but Lifetime ends the session after %v; "+
			"set Expiry to Lifetime, or Lifetime to 0", o.Lifetime)
	case o.Lifetime > 0 && o.Lifetime < o.Expiry:
		return fmt.Errorf("sessions: Lifetime (%v) is shorter than Expiry (%v); "+
			"make Expiry at most Lifetime", o.Lifetime, o.Expiry)
	}
	return nil
}

func validateLimits(o *Options) error {
	switch {
	case o.Grace < 0 && o.Grace != NoGrace:
		return fmt.Errorf("sessions: Grace is negative (%v); "+
			"use a positive duration, 0 for 30 seconds, or NoGrace", o.Grace)
	case o.Grace >= 0 && o.Grace < time.Millisecond:
		return fmt.Errorf("sessions: Grace is %v, less than a millisecond; "+
			"a duration needs a unit, as in 30 * time.Second", o.Grace)
	case o.StoreTimeout < 0:
		return fmt.Errorf("sessions: StoreTimeout is negative (%v); "+
			"use a positive duration, or 0 for 5 seconds", o.StoreTimeout)
	case o.StoreTimeout < time.Millisecond:
		return fmt.Errorf("sessions: StoreTimeout is %v, less than a millisecond; "+
			"a duration needs a unit, as in 2 * time.Second", o.StoreTimeout)
	case o.PurgeInterval > 0 && o.PurgeInterval < time.Second:
		return fmt.Errorf("sessions: PurgeInterval is %v, less than a second; "+
			"a duration needs a unit, as in 5 * time.Minute; "+
			"use a negative one to disable purging", o.PurgeInterval)
	case o.MaxSize > largestMaxSize:
		return fmt.Errorf("sessions: MaxSize is %d; "+
			"use at most 1 GiB (%d)", o.MaxSize, largestMaxSize)
	case o.MaxSize < 0:
		return fmt.Errorf("sessions: MaxSize is negative (%d); "+
			"use a number of bytes, or 0 for 1 MiB", o.MaxSize)
	}
	return nil
}

func validateSubjects(o *Options) error {
	switch {
	case o.RenewEvery < 0:
		return fmt.Errorf("sessions: RenewEvery is negative (%v); "+
			"use a positive duration, or 0 for never", o.RenewEvery)
	case o.RenewEvery > 0 && o.RenewEvery < time.Second:
		return fmt.Errorf("sessions: RenewEvery is %v, less than a second; "+
			"a duration needs a unit, as in 15 * time.Minute", o.RenewEvery)
	case o.RenewEvery > 0 && o.RenewEvery < o.Grace:
		return fmt.Errorf("sessions: RenewEvery (%v) is shorter than Grace (%v), "+
			"so that replaced secrets would accumulate; make it at least Grace",
			o.RenewEvery, o.Grace)
	case o.MaxSessions < 0:
		return fmt.Errorf("sessions: MaxSessions is negative (%d); "+
			"use a positive number, or 0 for any number", o.MaxSessions)
	case o.OnLimit > RefuseLogin:
		return fmt.Errorf("sessions: OnLimit is %d; use EvictOldest, EvictIdle or RefuseLogin",
			o.OnLimit)
	case o.StoreEvents && o.OnEvent == nil:
		return errors.New("sessions: StoreEvents is set but OnEvent is not; " +
			"set OnEvent or clear StoreEvents")
	case o.OnLimit != 0 && o.MaxSessions == 0:
		return errors.New("sessions: OnLimit is set but MaxSessions is not; " +
			"set how many sessions a subject may have")
	}
	return nil
}

// checkIndex returns an error if an option needs an index of subjects and the store has none.
// Such a store returns ErrUnsupported without calling its server, so the check passes a
// canceled context.
func (o *Options) checkIndex() error {
	if o.MaxSessions == 0 {
		return nil
	}
	indexer, ok := o.Store.(Indexer)
	if ok {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := indexer.BySubject(ctx, "")
		ok = !errors.Is(err, errors.ErrUnsupported)
	}
	if !ok {
		return fmt.Errorf("sessions: MaxSessions needs a store with an index of subjects, "+
			"and %T has none; set MaxSessions to 0 or use another store: %w",
			o.Store, errors.ErrUnsupported)
	}
	return nil
}
