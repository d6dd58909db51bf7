package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// The index of a subject is a sorted set. Its members are the keys of the subject's records, and
// the score of each is when the record ends, by the clock of the server that has the index. The
// index expires with its last entry. Entries that have ended are removed when the index is read
// or written.
//
// On a single server, the scripts that write a record also write its index. On a cluster the two
// are on different servers, and these rules keep them consistent:
//
//   - An entry is added before the record is written and again afterwards. It lasts entrySlack
//     longer than the record.
//   - Adding never makes an entry end earlier. Only settle does, and only settle removes an entry
//     that has not ended.
//   - settle marks the entry, then looks at the record, and then changes the entry if the mark is
//     still there. Adding removes the mark.
//
// So there is an entry for each record whose save has returned. Whoever finds an entry without a
// record settles it: a reader, and a writer after a save that was refused or that changed the
// subject. An entry whose record belongs to another subject counts as one without a record.
//
// One case is left. A writer that fails after it has written the record, and before it has added
// the entry again, leaves a record without an entry if somebody has settled the entry between
// its first two steps. The next touch or save of the record adds it.

// entrySlack is how much longer than its record an entry on another server lasts. It must be
// longer than a call can take, and than the difference between the clocks of two servers of a
// cluster.
const entrySlack = time.Minute

func (s *Store) indexKey(subject string) string { return s.options.IndexPrefix + subject }

// scriptKeys returns the keys for a script about a record: the record's own, and that of its
// index if both are on one server.
func (s *Store) scriptKeys(rec *store.Record) []string {
	if rec.Subject == "" || s.options.Sharded {
		return []string{rec.Key}
	}
	return []string{rec.Key, s.indexKey(rec.Subject)}
}

// addToIndex adds the key of a record that lasts for ttl to the index of its subject, if it has
// one. look is an argument of the script.
func (s *Store) addToIndex(ctx context.Context, rec *store.Record, ttl int64, look string) error {
	if rec.Subject == "" {
		return nil
	}
	err := s.scripts.add.Run(ctx, s.client, []string{s.indexKey(rec.Subject)},
		rec.Key, s.entryTTL(ttl), look).Err()
	s.watch.note(look, err, time.Now())
	if err != nil {
		return s.wrapError(ctx, "index", err)
	}
	return nil
}

// entryTTL returns how many milliseconds the entry of a record lasts.
func (s *Store) entryTTL(ttl int64) int64 {
	if ttl > 0 && s.options.Sharded {
		return ttl + entrySlack.Milliseconds()
	}
	return ttl
}

// settle makes the entries of the keys in the index of a subject agree with the records. It
// returns those of the keys that have a record of the subject.
func (s *Store) settle(ctx context.Context, subject string, keys []string) ([]string, error) {
	var live []string
	for batch := range slices.Chunk(keys, batchSize) {
		found, err := s.settleBatch(ctx, subject, batch)
		if err != nil {
			return nil, s.wrapError(ctx, "index", err)
		}
		live = append(live, found...)
	}
	return live, nil
}

// settleBatch is settle for keys that fit into one pipeline.
func (s *Store) settleBatch(
	ctx context.Context, subject string, keys []string,
) (live []string, err error) {
	index, marked := []string{s.indexKey(subject)}, make([]any, len(keys))
	for i, key := range keys {
		marked[i] = key
	}
	mark, err := s.scripts.mark.Run(ctx, s.client, index, marked...).Text()
	if err != nil {
		return nil, err
	}
	ttls, err := s.lifetimes(ctx, subject, keys)
	if err != nil {
		return nil, err
	}
	args := append(make([]any, 0, 1+2*len(keys)), mark)
	for i, key := range keys {
		args = append(args, key, s.entryTTL(ttls[i]))
		if ttls[i] != absent {
			live = append(live, key)
		}
	}
	return live, s.scripts.settle.Run(ctx, s.client, index, args...).Err()
}
