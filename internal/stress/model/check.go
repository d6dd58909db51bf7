package model

import "slices"

// check compares what a request, which came at start, has seen by now with all that is known.
func (s *Session) check(view *View, start, now int64) error {
	txs, err := s.resolve(view.Log)
	if err != nil {
		return err
	}
	for _, step := range []func([]*Tx, *View, int64, int64) error{s.content, s.order, s.complete, s.agrees, s.registers, s.counter} {
		if err := step(txs, view, start, now); err != nil {
			return err
		}
	}
	for _, t := range txs {
		t.known = min(t.known, now)
	}
	return nil
}

// resolve turns a log into transactions.
func (s *Session) resolve(log []int64) ([]*Tx, error) {
	if len(log) == 0 {
		return nil, s.violated("its log is missing")
	}
	txs := make([]*Tx, 0, len(log))
	seen := map[int64]bool{}
	for n, id := range log {
		t := s.byID[id]
		switch {
		case t == nil || !t.Logged:
			return nil, s.violated("tx %d is in its log and not its own", id)
		case seen[id]:
			return nil, s.violated("%v was applied twice", t)
		case t.outcome == Gone:
			return nil, s.violated("%v was applied, but its request was told that the session had ended", t)
		case (n == 0) != (t.has(Clear) || t == s.txs[0]):
			return nil, s.violated("%v is not the head of the log, or the head is no clear", t)
		}
		seen[id] = true
		txs = append(txs, t)
	}
	return txs, nil
}

// content checks that the log, replayed, gives what was seen.
func (s *Session) content(txs []*Tx, view *View, _, _ int64) error {
	want, err := replay(txs)
	if err != nil {
		return s.violated("%v", err)
	}
	if want.subject != view.Subject || !want.same(view.Values) {
		return s.violated("it holds %q %v, but its log gives %q %v", view.Subject, sorted(view.Values), want.subject, sorted(want.values))
	}
	return nil
}

// order checks that no transaction comes behind one that began after its end.
func (s *Session) order(txs []*Tx, _ *View, _, _ int64) error {
	first := txs[len(txs)-1]
	for _, t := range slices.Backward(txs) {
		if t.end < first.end {
			first = t
		}
		if first.end < t.start {
			return s.violated("%v was applied after %v, which began after its end", first, t)
		}
	}
	return nil
}

// complete checks that nothing is missing that was applied when the request came, unless a clear took it.
func (s *Session) complete(txs []*Tx, view *View, start, _ int64) error {
	head := txs[0]
	for _, t := range s.txs {
		if !t.Logged || t.known >= start || slices.Contains(view.Log, t.ID) {
			continue
		}
		if head == s.txs[0] || head.end < t.start {
			return s.violated("%v was applied and is lost", t)
		}
	}
	return nil
}

// agrees checks that logs with the same head are prefixes of one another, and that heads replace each other in order.
func (s *Session) agrees(txs []*Tx, view *View, start, now int64) error {
	head := txs[0].ID
	known := s.canon[head]
	n := min(len(known), len(view.Log))
	if !slices.Equal(known[:n], view.Log[:n]) {
		return s.violated("its log was %v and is %v", known, view.Log)
	}
	if len(view.Log) > len(known) {
		s.canon[head] = slices.Clone(view.Log)
	}
	if since, ok := s.superseded[head]; ok && since < start {
		return s.violated("the clear of tx %d is undone", head)
	}
	if _, ok := s.heads[head]; !ok {
		s.heads[head] = now
	}
	for other, seen := range s.heads {
		if _, ok := s.superseded[other]; !ok && other != head && seen < start {
			s.superseded[other] = now
		}
	}
	return nil
}

// registers checks the keys that one worker alone writes.
func (s *Session) registers(txs []*Tx, view *View, start, now int64) error {
	head := txs[0]
	for key, n := range view.Values {
		if key == QuietCounter || !isQuiet(key) {
			continue
		}
		if err := s.register(head, key, n); err != nil {
			return err
		}
	}
	for _, t := range s.txs {
		if err := s.kept(t, head, view, start); err != nil {
			return err
		}
	}
	for key, n := range view.Values {
		if isQuiet(key) && key != QuietCounter {
			s.byID[n].known = min(s.byID[n].known, now)
		}
	}
	return nil
}

// register checks that what a key holds was written there, and since the last clear.
func (s *Session) register(head *Tx, key string, n int64) error {
	t := s.byID[n]
	if t == nil || t.outcome == Gone {
		return s.violated("%s holds %d, which nobody has written", key, n)
	}
	if v, ok := t.value(key); !ok || v != n {
		return s.violated("%s holds %d, which nobody has written there", key, n)
	}
	if t != head && t.end < head.start {
		return s.violated("%s holds %d, which was written before the clear of %v", key, n, head)
	}
	return nil
}

// kept checks that what a transaction wrote to a register is there, or something later, unless a clear took it.
func (s *Session) kept(t, head *Tx, view *View, start int64) error {
	if t.known >= start {
		return nil
	}
	cleared := head != s.txs[0] && head.end >= t.start
	for _, op := range t.Ops {
		if op.Kind != Set || !op.Quiet() {
			continue
		}
		if n, ok := view.Values[op.Key]; ok && n < op.Value || !ok && !cleared {
			return s.violated("%s holds %d, but %v was applied before", op.Key, n, t)
		}
	}
	return nil
}

// counter checks the quiet counter: it holds what was acknowledged, and no more than what was tried.
func (s *Session) counter(txs []*Tx, view *View, start, now int64) error {
	head := txs[0]
	var least, most int64
	for _, t := range s.txs {
		n := t.adds(QuietCounter)
		if n == 0 || !t.may() || t != head && t.end < head.start {
			continue
		}
		most += n
		if t.known < start && (head == s.txs[0] || head == t || head.end < t.start) {
			least += n
		}
	}
	if seen := s.quiet[head.ID]; seen.at < start {
		least = max(least, seen.value)
	}
	got := view.Values[QuietCounter]
	if got < least || got > most {
		return s.violated("the counter is %d, and must be from %d to %d", got, least, most)
	}
	if got > s.quiet[head.ID].value {
		s.quiet[head.ID] = count{got, now}
	}
	return nil
}
