package model

import "slices"

// check compares what a request that began at start has found with everything that is known.
func (h *History) check(s *Session, view *View, start, now int64) error {
	view = &View{view.ID, view.Subject, view.Values, h.translate(s, view.Log)}
	txs, err := h.resolve(s, view.Log)
	if err != nil {
		return err
	}
	for _, step := range []func([]*Tx, *View, int64, int64) error{
		s.checkContent, s.checkOrder, s.checkComplete, s.checkLog,
		s.checkRegisters, s.checkCounter,
	} {
		if err := step(txs, view, start, now); err != nil {
			return err
		}
	}
	for _, t := range txs {
		t.knownSince = min(t.knownSince, now)
	}
	return nil
}

// resolve returns the transactions of a log.
func (h *History) resolve(s *Session, log []int64) ([]*Tx, error) {
	if len(log) == 0 {
		return nil, s.violated("its log is missing")
	}
	txs := make([]*Tx, 0, len(log))
	seen := map[int64]bool{}
	for n, id := range log {
		t := h.adopt(s, id)
		switch {
		case t == nil || !t.Logged:
			return nil, s.violated("tx %d is in its log and not its own", id)
		case seen[id]:
			return nil, s.violated("%v was applied twice", t)
		case t.outcome == Gone:
			const text = "%v was applied, but its request was told that the session had ended"
			return nil, s.violated(text, t)
		case (n == 0) != (t.has(Clear) || t == s.txs[0]):
			return nil, s.violated("%v is not the head of the log, or the head is no clear", t)
		}
		seen[id] = true
		txs = append(txs, t)
	}
	return txs, nil
}

// checkContent checks that replaying the log gives what was found.
func (s *Session) checkContent(txs []*Tx, view *View, _, _ int64) error {
	want, err := replay(txs)
	if err != nil {
		return s.violated("%v", err)
	}
	if want.subject != view.Subject || !want.same(view.Values) {
		return s.violated("it holds %q %v, but its log gives %q %v",
			view.Subject, sorted(view.Values), want.subject, sorted(want.values))
	}
	return nil
}

// checkOrder checks that no transaction comes after one that began after its end.
func (s *Session) checkOrder(txs []*Tx, _ *View, _, _ int64) error {
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

// checkComplete checks that no transaction is missing that was applied before the request
// began, unless it was cleared.
func (s *Session) checkComplete(txs []*Tx, view *View, start, _ int64) error {
	head := txs[0]
	for _, t := range s.txs {
		if !t.Logged || t.knownSince >= start || slices.Contains(view.Log, t.ID) {
			continue
		}
		if head == s.txs[0] || head.end < t.start {
			return s.violated("%v was applied and is lost", t)
		}
	}
	return nil
}

// checkLog checks that logs with the same head are prefixes of one another, and that heads
// replace one another in order.
func (s *Session) checkLog(txs []*Tx, view *View, start, now int64) error {
	head := txs[0].ID
	known := s.logs[head]
	n := min(len(known), len(view.Log))
	if !slices.Equal(known[:n], view.Log[:n]) {
		return s.violated("its log was %v and is %v", known, view.Log)
	}
	if len(view.Log) > len(known) {
		s.logs[head] = slices.Clone(view.Log)
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

// checkRegisters checks the keys that only one worker writes.
func (s *Session) checkRegisters(txs []*Tx, view *View, start, now int64) error {
	head := txs[0]
	for key, n := range view.Values {
		if key == UnloggedCounter || !isUnlogged(key) {
			continue
		}
		if err := s.checkRegister(head, key, n); err != nil {
			return err
		}
	}
	for _, t := range s.txs {
		if err := s.checkKept(t, head, view, start); err != nil {
			return err
		}
	}
	for key, n := range view.Values {
		if isUnlogged(key) && key != UnloggedCounter {
			t := s.writer(key, n)
			t.knownSince = min(t.knownSince, now)
		}
	}
	return nil
}

// writer returns the transaction that has written the value of a register.
func (s *Session) writer(key string, n int64) *Tx {
	if s.own != nil && s.own.begun != nil {
		if v, ok := s.own.begun.value(key); ok && v == n {
			return s.own.begun
		}
	}
	return s.byID[n]
}

// checkRegister checks that the value of a key was written to it since the last clear.
func (s *Session) checkRegister(head *Tx, key string, n int64) error {
	t := s.writer(key, n)
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

// checkKept checks that what a transaction wrote to a register is there, or a later value,
// unless it was cleared.
func (s *Session) checkKept(t, head *Tx, view *View, start int64) error {
	if t.knownSince >= start {
		return nil
	}
	cleared := head != s.txs[0] && head.end >= t.start
	for _, op := range t.Ops {
		if op.Kind != Set || !op.Unlogged() {
			continue
		}
		if n, ok := view.Values[op.Key]; ok && n < op.Value || !ok && !cleared {
			return s.violated("%s holds %d, but %v was applied before", op.Key, n, t)
		}
	}
	return nil
}

// checkCounter checks that the unlogged counter is at least what was acknowledged and at most
// what was tried.
func (s *Session) checkCounter(txs []*Tx, view *View, start, now int64) error {
	head := txs[0]
	var least, most int64
	for _, t := range s.txs {
		n := t.adds(UnloggedCounter)
		if n == 0 || !t.mayApply() || t != head && t.end < head.start {
			continue
		}
		most += n
		if t.knownSince < start && (head == s.txs[0] || head == t || head.end < t.start) {
			least += n
		}
	}
	if seen := s.counters[head.ID]; seen.at < start {
		least = max(least, seen.value)
	}
	got := view.Values[UnloggedCounter]
	if got < least || got > most {
		return s.violated("the counter is %d, and must be from %d to %d", got, least, most)
	}
	if got > s.counters[head.ID].value {
		s.counters[head.ID] = counterSample{got, now}
	}
	return nil
}
