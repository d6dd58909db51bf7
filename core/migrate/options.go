package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// Options configures a [Bridge].
type Options struct {
	// Manager is the manager of the new sessions. Its Options.Lifetime must be set: a revocation
	// is remembered for that long, and refuses old sessions from before it. Its cookie must have
	// another name than the old one.
	Manager *core.Manager
	// Store keeps which old sessions have been taken over, under keys that begin with
	// "migrated:". It is usually the manager's own store; all servers must share it.
	Store core.Store
	// Old is the cookie of the other library. The path defaults to "/".
	Old core.FormerCookie
	// CutOff is when the bridge ends: from then on old cookies are ignored and removed. It must
	// be set, and may be in the past. Set it to the day on which the last old session expires, or
	// earlier.
	CutOff time.Time
	// Undated is when users count as signed in whose old session does not say when that was. It
	// must be at least a day ago, so that no such session passes as fresh. The manager's Lifetime
	// counts from it, and must be longer than from Undated to CutOff. It is best the day before
	// the bridge was deployed, and the same on all servers.
	Undated time.Time
	// Shared says that servers with the other library are still running. The old session and its
	// cookie stay, so that they work on both; the sign-out on one side ends the other. That costs
	// each request a load of the old session and one of the new. Such a session does not outlive
	// the old one, which use on the new servers does not extend.
	Shared bool
	// CrossSite says that the new cookie has SameSiteNone, so that the application also works
	// inside pages of other sites. Without it a request that another site causes is taken over
	// only if it is a navigation by GET, as SameSite=Lax allows: the old cookie may be sent where
	// the new one would not, and must not open what that keeps closed.
	CrossSite bool
}

// The reasons for which options are refused.
var (
	errNoCutOff = errors.New("sessions: migrate: CutOff is missing; set the day from which old " +
		"cookies are ignored")
	errNoStore = errors.New("sessions: migrate: Store is missing; pass the manager's store")
	errFresh   = errors.New("sessions: migrate: Undated must be set, and at least a day ago, " +
		"or old sessions would pass as fresh; set the day before the deployment")
	errStale = errors.New("sessions: migrate: between Undated and CutOff there is as much as " +
		"the manager's Lifetime or more, so that users could not be signed in at the end; " +
		"set an earlier CutOff, a later Undated or a longer Lifetime")
	errNoLifetime = errors.New("sessions: migrate: the manager has no Lifetime, so a revocation " +
		"would be forgotten after a day and an old session could undo it; set Options.Lifetime")
)

// resolve fills in the path of the old cookie and checks the options.
func (o *Options) resolve() error {
	o.Manager.MustBeMade()
	o.Old.Path = cmp.Or(o.Old.Path, "/")
	if err := o.check(); err != nil {
		return err
	}
	return o.checkTimes()
}

// removal returns the Set-Cookie value that removes the old cookie.
func (o *Options) removal() string {
	w := cookie.NewWriter(&cookie.Attributes{
		Name: o.Old.Name, Path: o.Old.Path, Domain: o.Old.Domain,
		HTTPOnly: true, Secure: o.Old.Partitioned, Partitioned: o.Old.Partitioned,
	})
	return w.Remove()
}

// check returns an error unless the options name what the bridge works on. It has a manager check
// the old cookie.
func (o *Options) check() error {
	switch {
	case o.Store == nil:
		return errNoStore
	case o.CutOff.IsZero():
		return errNoCutOff
	case o.Old.Name == o.Manager.CookieName() || o.Old.Name == "":
		return fmt.Errorf("sessions: migrate: the old cookie needs a name, and not that of the "+
			"new one, %q; set the new one's in Options.Cookie.Name", o.Manager.CookieName())
	}
	_, err := core.NewManager(core.Options{
		Cookie:        core.Cookie{Name: o.Old.Name + "-"},
		FormerCookies: []core.FormerCookie{o.Old},
	})
	return err
}

// shortestDay is a day on which summer time begins.
const shortestDay = 23 * time.Hour

// checkTimes asks a session of the manager, which is not saved, which proofs are too old.
func (o *Options) checkTimes() error {
	var sc core.Scope
	ctx := context.Background()
	if err := sc.Open(ctx, nil, o.Manager, nil); err != nil {
		return err
	}
	tooOld := func(at time.Time) bool {
		err := sc.Get().LoginWith("nobody", core.Auth{At: at})
		return errors.Is(err, core.ErrStaleProof)
	}
	switch {
	case !tooOld(time.Unix(1, 0)):
		return errNoLifetime
	case o.Undated.IsZero() || time.Since(o.Undated) < shortestDay:
		return errFresh
	case tooOld(time.Now().Add(-o.CutOff.Sub(o.Undated))):
		return errStale
	}
	return nil
}
