package memcachedstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cloakroom-go/sessions/core/store"
)

// status is the beginning of an answer in the meta protocol.
type status string

// What servers answer. Anything else is an error.
const (
	done      status = "HD"
	withValue status = "VA"
	missing   status = "EN" // to a read
	notFound  status = "NF" // to a write on the condition of a token, and to a delete
	exists    status = "EX" // the token is another
	notStored status = "NS" // to an add
)

// condition is what a write depends on, in the words of the protocol.
type condition string

// ifAbsent lets a write succeed only where there is nothing.
const ifAbsent condition = "ME"

// ifToken lets a write succeed only where the item still has this token.
func ifToken(token uint64) condition { return condition("C" + strconv.FormatUint(token, 10)) }

// serverError is a complaint of the server.
type serverError struct{ text string }

// Error quotes the server, which may be anything.
func (e *serverError) Error() string { return fmt.Sprintf("the server answers %q", e.text) }

func (e *serverError) tooLarge() bool { return strings.Contains(e.text, "object too large") }

func (e *serverError) outOfMemory() bool { return strings.Contains(e.text, "out of memory") }

// answer is the first line of a reply.
type answer struct {
	status status
	size   int    // of the value that follows
	token  uint64 // 0 if there is none
}

// get reads the item under key. Nothing: ErrNotFound. What is not a record is an item of version 0.
func (c *conn) get(key string) (item, error) {
	c.begin("mg", key)
	c.out = append(c.out, " v c"...)
	a, err := c.ask(nil)
	switch {
	case err != nil:
		return item{}, err
	case a.status == missing:
		return item{}, store.ErrNotFound
	case a.status != withValue:
		return item{}, c.fail(errGarbled)
	case a.token == 0:
		return item{}, errNoTokens
	}
	value, err := c.value(a.size)
	if err != nil {
		return item{}, err
	}
	i := decode(value)
	i.token = a.token
	return i, nil
}

// errNoTokens is about a server without which no conditional write is possible.
var errNoTokens = errors.New("the server keeps no CAS tokens: start it without -C, --disable-cas")

// set writes the item under key if the condition holds. The status says whether it did.
func (c *conn) set(key string, i *item, on condition) (status, error) {
	c.begin("ms", key)
	c.out = append(c.out, ' ')
	c.out = strconv.AppendInt(c.out, int64(headerSize+len(i.subject)+len(i.data)), 10)
	c.out = append(c.out, " T"...)
	c.out = append(c.out, expiry(i.expires)...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, on...)
	a, err := c.ask(i)
	if err != nil {
		return "", err
	}
	switch a.status {
	case done, notFound, exists, notStored:
		return a.status, nil
	default:
		return "", c.fail(errGarbled)
	}
}

// remove deletes the item under key.
func (c *conn) remove(key string) error {
	c.begin("md", key)
	a, err := c.ask(nil)
	if err == nil && a.status != done && a.status != notFound {
		err = c.fail(errGarbled)
	}
	return err
}

// login shows a name and a password, in the form of a write, which is how the text protocol does it.
func (c *conn) login(name, password string) error {
	payload := name + " " + password
	c.out = fmt.Appendf(c.out[:0], "set login 0 0 %d\r\n%s\r\n", len(payload), payload)
	if err := c.send(); err != nil {
		return err
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	if string(line) != "STORED" {
		return c.complaint(line)
	}
	return nil
}

// begin starts a request.
func (c *conn) begin(command, key string) {
	c.out = append(c.out[:0], command...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, key...)
}

// ask completes the request, with a value if there is one, and reads the first line of the answer. Request and answer bear the same number;
// an answer with another one belongs to somebody else.
func (c *conn) ask(i *item) (answer, error) {
	c.number++
	c.out = append(c.out, " O"...)
	c.out = strconv.AppendUint(c.out, c.number, 10)
	c.out = append(c.out, "\r\n"...)
	if i != nil {
		c.out = i.encode(c.out)
		c.out = append(c.out, "\r\n"...)
	}
	if err := c.send(); err != nil {
		return answer{}, err
	}
	line, err := c.line()
	if err != nil {
		return answer{}, err
	}
	return c.parse(line)
}

// parse reads the first line of an answer to the last request.
func (c *conn) parse(line []byte) (answer, error) {
	words := bytes.Fields(line)
	if len(words) == 0 {
		return answer{}, c.fail(errGarbled)
	}
	a := answer{status: status(words[0])}
	words = words[1:]
	switch a.status {
	case withValue:
		if len(words) == 0 || !number(words[0], &a.size) {
			return answer{}, c.fail(errGarbled)
		}
		words = words[1:]
	case done, missing, notFound, exists, notStored:
	default:
		return answer{}, c.complaint(line)
	}
	err := c.flags(&a, words)
	return a, err
}

// flags reads the words that say more about an answer, and sees to it that it is ours.
func (c *conn) flags(a *answer, words [][]byte) error {
	var asked uint64
	for _, w := range words {
		ok := true
		switch w[0] {
		case 'c':
			ok = number(w[1:], &a.token)
		case 'O':
			ok = number(w[1:], &asked)
		}
		if !ok {
			return c.fail(errGarbled)
		}
	}
	if asked != c.number {
		return c.fail(errGarbled)
	}
	return nil
}

// complaint makes an error of an answer that is none.
func (c *conn) complaint(line []byte) error {
	for _, known := range []string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"} {
		if bytes.HasPrefix(line, []byte(known)) {
			c.spent = true
			return &serverError{string(line[:min(len(line), 100)])}
		}
	}
	return c.fail(errGarbled)
}

// number reads a decimal number without a sign.
func number[T int | uint64](text []byte, n *T) bool {
	value, err := strconv.ParseUint(string(text), 10, 64)
	*n = T(value)
	return err == nil && (*n >= 0) && uint64(*n) == value
}
