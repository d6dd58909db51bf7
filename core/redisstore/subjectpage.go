package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SubjectKeys returns a page of the keys of a subject's records. It uses ZSCAN on the subject's
// index and reads the header of each record, so that a page takes little memory and time of the
// server. A limit of zero or less means 512.
//
// Like BySubject it repairs the index, and returns an error if the server may evict the index. A
// walk that meets another server, as after a failover or a restart, starts again by itself, and
// returns some keys a second time. After a failover a server without INFO, which
// [Options.AcceptEviction] allows, is taken for the same one.
func (s *Store) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	at, err := parseSubjectCursor(subject, cursor)
	if err != nil || subject == "" {
		return nil, "", err
	}
	if limit <= 0 {
		limit = batchSize
	}
	page, err := s.readPage(ctx, subject, at, limit)
	if err != nil {
		return nil, "", err
	}
	keys, err = s.liveKeys(ctx, subject, page.keys)
	if err != nil || page.last {
		return keys, "", err
	}
	return keys, page.next.String(), nil
}

// liveKeys returns those of the keys in the index of a subject that have a record, and settles
// the others.
func (s *Store) liveKeys(ctx context.Context, subject string, keys []string) ([]string, error) {
	var live, missing []string
	for batch := range slices.Chunk(keys, batchSize) {
		ttls, err := s.lifetimes(ctx, subject, batch)
		if err != nil {
			return nil, s.wrapError(ctx, "index", err)
		}
		for i, key := range batch {
			if ttls[i] != absent {
				live = append(live, key)
			} else {
				missing = append(missing, key)
			}
		}
	}
	appeared, err := s.settle(ctx, subject, missing)
	if err != nil {
		return nil, err
	}
	return append(live, appeared...), nil
}

// subjectPage is a page of keys in an index.
type subjectPage struct {
	keys []string
	next subjectCursor
	last bool
}

// readPage reads a page of an index. The server returns a small index as a whole, whatever
// the limit is. That is returned in pages in the order of the keys.
func (s *Store) readPage(
	ctx context.Context, subject string, at subjectCursor, limit int,
) (page subjectPage, err error) {
	look := s.watch.onRead()
	reply, err := s.scripts.page.Run(ctx, s.client, []string{s.indexKey(subject)},
		look, at.run, at.scan, limit).StringSlice()
	s.watch.note(look, err, time.Now())
	if err != nil {
		return page, s.wrapError(ctx, "index", err)
	}
	run, from, to, members := reply[0], reply[1], reply[2], reply[3:]
	page.keys = slices.DeleteFunc(members, func(member string) bool {
		return isMark(member) || member <= at.after
	})
	page.next = subjectCursor{subject: at.subject, run: run, scan: to, after: at.after}
	page.last = to == "0"
	if from == "0" && page.last && len(page.keys) > limit {
		slices.Sort(page.keys)
		page.keys, page.last = page.keys[:limit], false
		page.next.after = page.keys[limit-1]
	}
	return page, nil
}

// subjectCursor is how far a walk over the keys of a subject has come.
type subjectCursor struct {
	subject uint32 // a checksum
	run     string // of the server; "" at the beginning
	scan    string // a cursor of ZSCAN on that server
	after   string // if not "", all keys up to this one have been returned
}

// String returns the cursor as SubjectKeys returns it.
func (c subjectCursor) String() string {
	return fmt.Sprintf("subject:%08x:%s:%s:%s", c.subject, c.run, c.scan, c.after)
}

// parseSubjectCursor is the inverse of String. "" is the first position.
func parseSubjectCursor(subject, cursor string) (subjectCursor, error) {
	first := subjectCursor{subject: crc32.ChecksumIEEE([]byte(subject)), scan: "0"}
	if cursor == "" {
		return first, nil
	}
	parts := append(strings.SplitN(cursor, ":", 5), "", "", "", "")
	c := subjectCursor{subject: first.subject, run: parts[2], scan: parts[3], after: parts[4]}
	_, runErr := strconv.ParseUint(c.run, 16, 64)
	scan, scanErr := strconv.ParseUint(c.scan, 10, 64)
	canonical := c.scan == strconv.FormatUint(scan, 10) && c.String() == cursor
	if cmp.Or(runErr, scanErr) != nil || !canonical || scan == 0 && c.after == "" {
		return c, fmt.Errorf("redis: %q is not a cursor of this subject", cursor)
	}
	return c, nil
}
