package core

import "context"

// lane is where those who would only race each other stand in a line: one after the other they need one attempt each, where
// racing each other they would need many.
type lane chan struct{}

// lanes are shared by all sessions, or subjects, of a manager. That two of them share one costs a wait and nothing else.
type lanes [64]lane

func newLanes() (l lanes) {
	for i := range l {
		l[i] = make(lane, 1)
	}
	return l
}

// enter waits for the lane and reports whether there was a wait. Who has entered leaves.
func (m *Manager) enter(ctx context.Context, l lane) (waited bool, err error) {
	select {
	case l <- struct{}{}:
		return false, nil
	default:
	}
	if m.instant {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case l <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func (l lane) leave() { <-l }

// busy reports whether somebody is in the lane.
func (l lane) busy() bool { return len(l) > 0 }
