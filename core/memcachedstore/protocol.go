package memcachedstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cloakroom-go/sessions/core/store"
)

// status is the first word of a reply in the meta protocol.
type status string

// The statuses of replies. Any other word is an error.
const (
	statusOK        status = "HD" // stored or deleted
	statusValue     status = "VA"
	statusMiss      status = "EN" // of a read
	statusNotFound  status = "NF" // of a write with a token, and of a delete
	statusExists    status = "EX" // the item has another token
	statusNotStored status = "NS" // there is an item already
)

// condition is a flag of a write that makes it conditional.
type condition string

// ifAbsent makes a write succeed only if there is no item.
const ifAbsent condition = "ME"

// ifToken makes a write succeed only if the item has that CAS token.
func ifToken(token uint64) condition { return condition("C" + strconv.FormatUint(token, 10)) }

// serverError is an error reported by the server.
type serverError struct{ text string }

// Error quotes the server's text, because it may contain any bytes.
func (e *serverError) Error() string { return fmt.Sprintf("the server answers %q", e.text) }

func (e *serverError) tooLarge() bool { return strings.Contains(e.text, "object too large") }

func (e *serverError) outOfMemory() bool { return strings.Contains(e.text, "out of memory") }

// reply is the first line of a reply.
type reply struct {
	status status
	size   int    // the length of the value that follows
	token  uint64 // the CAS token, 0 if there is none
}

// errNoTokens is returned for a server without CAS tokens, which makes no write conditional.
var errNoTokens = errors.New(
	"the server keeps no CAS tokens: start it without -C, --disable-cas")

// get returns the item under key, or ErrNotFound. The item has version 0 if it is not a
// record.
func (c *conn) get(key string) (item, error) {
	c.startRequest("mg", key)
	c.out = append(c.out, " v c"...)
	r, err := c.roundTrip(nil)
	switch {
	case err != nil:
		return item{}, err
	case r.status == statusMiss:
		return item{}, store.ErrNotFound
	case r.status != statusValue:
		return item{}, c.fail(errMalformed)
	case r.token == 0:
		return item{}, errNoTokens
	}
	value, err := c.readValue(r.size)
	if err != nil {
		return item{}, err
	}
	i := decode(value)
	i.token = r.token
	return i, nil
}

// set writes the item under key if the condition holds, and returns the status of the reply.
func (c *conn) set(key string, i *item, cond condition) (status, error) {
	c.startRequest("ms", key)
	c.out = append(c.out, ' ')
	c.out = strconv.AppendInt(c.out, int64(headerSize+len(i.subject)+len(i.data)), 10)
	c.out = append(c.out, " T"...)
	c.out = append(c.out, wireExpiry(i.expires)...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, cond...)
	r, err := c.roundTrip(i)
	if err != nil {
		return "", err
	}
	switch r.status {
	case statusOK, statusNotFound, statusExists, statusNotStored:
		return r.status, nil
	default:
		return "", c.fail(errMalformed)
	}
}

// remove deletes the item under key, if there is one.
func (c *conn) remove(key string) error {
	c.startRequest("md", key)
	r, err := c.roundTrip(nil)
	if err == nil && r.status != statusOK && r.status != statusNotFound {
		err = c.fail(errMalformed)
	}
	return err
}

// login authenticates the connection. The text protocol does so by a write of name and
// password.
func (c *conn) login(name, password string) error {
	payload := name + " " + password
	c.out = fmt.Appendf(c.out[:0], "set login 0 0 %d\r\n%s\r\n", len(payload), payload)
	if err := c.send(); err != nil {
		return err
	}
	line, err := c.readLine()
	if err != nil {
		return err
	}
	if string(line) != "STORED" {
		return c.parseError(line)
	}
	return nil
}

// startRequest begins a request in c.out.
func (c *conn) startRequest(command, key string) {
	c.out = append(c.out[:0], command...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, key...)
}

// roundTrip completes the request, with the value of i unless i is nil, sends it and reads the
// first line of the reply. The request has a number which the reply repeats, so a reply to
// another request is recognized.
func (c *conn) roundTrip(i *item) (reply, error) {
	c.opaque++
	c.out = append(c.out, " O"...)
	c.out = strconv.AppendUint(c.out, c.opaque, 10)
	c.out = append(c.out, "\r\n"...)
	if i != nil {
		c.out = i.encode(c.out)
		c.out = append(c.out, "\r\n"...)
	}
	if err := c.send(); err != nil {
		return reply{}, err
	}
	line, err := c.readLine()
	if err != nil {
		return reply{}, err
	}
	return c.parseReply(line)
}

// parseReply parses the first line of the reply to the last request.
func (c *conn) parseReply(line []byte) (reply, error) {
	words := bytes.Fields(line)
	if len(words) == 0 {
		return reply{}, c.fail(errMalformed)
	}
	r := reply{status: status(words[0])}
	words = words[1:]
	switch r.status {
	case statusValue:
		if len(words) == 0 || !parseNumber(words[0], &r.size) {
			return reply{}, c.fail(errMalformed)
		}
		words = words[1:]
	case statusOK, statusMiss, statusNotFound, statusExists, statusNotStored:
	default:
		return reply{}, c.parseError(line)
	}
	err := c.parseFlags(&r, words)
	return r, err
}

// parseFlags parses the flags of a reply. It returns an error if the reply is to another
// request.
func (c *conn) parseFlags(r *reply, words [][]byte) error {
	var opaque uint64
	for _, w := range words {
		ok := true
		switch w[0] {
		case 'c':
			ok = parseNumber(w[1:], &r.token)
		case 'O':
			ok = parseNumber(w[1:], &opaque)
		}
		if !ok {
			return c.fail(errMalformed)
		}
	}
	if opaque != c.opaque {
		return c.fail(errMalformed)
	}
	return nil
}

// parseError returns the error of a line that is not a regular reply.
func (c *conn) parseError(line []byte) error {
	const maxText = 100
	for _, prefix := range []string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"} {
		if bytes.HasPrefix(line, []byte(prefix)) {
			c.rejected = true
			return &serverError{string(line[:min(len(line), maxText)])}
		}
	}
	return c.fail(errMalformed)
}

// parseNumber parses a decimal number without a sign, and reports whether it succeeded.
func parseNumber[T int | uint64](text []byte, n *T) bool {
	value, err := strconv.ParseUint(string(text), 10, 64)
	*n = T(value)
	return err == nil && (*n >= 0) && uint64(*n) == value
}
