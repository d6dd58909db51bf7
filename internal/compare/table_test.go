// Package compare tests Cloakroom side by side with the libraries that an application would
// use instead, each on its framework with its defaults and in memory. It checks the comparison
// in README.md cell by cell: a cell says what the library did in the test.
package compare

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
)

// row is a row of the table. Its probe tests one library and returns the text of the cell.
type row struct {
	title string
	probe func(t *testing.T, l library) string
}

func rows() []row {
	return []row{
		{"Eight requests at once each write a key of their own", parallelWriters},
		{"A request that is under way writes after another one has signed out", lateWrite},
		{"A new session is written, then the response is flushed before its first byte", flushFirst},
		{"A new session is written after the first byte", writeLate},
		{"The store fails when the session is saved; the handler looks at no error", failedSave},
		{"The store fails when the session is loaded", failedLoad},
		{"A struct is stored without registering its type", plainStruct},
		{"What the store keeps is enough to make a cookie", dump},
		{"Attributes of the cookie by default", attributes},
	}
}

// TestComparison tests every library for every row of the table and compares the result with
// README.md.
func TestComparison(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	header, rule := "| |", "|---|"
	for _, c := range columns() {
		header += " " + c.title + " |"
		rule += "---|"
	}
	table := []string{header, rule}
	for _, r := range rows() {
		line := "| " + r.title + " |"
		for _, c := range columns() {
			line += " " + cell(t, r, c) + " |"
		}
		table = append(table, line)
	}
	if want := strings.Join(table, "\n") + "\n"; !strings.Contains(readFile(t, "../../README.md"), want) {
		t.Errorf("README.md does not contain the table that was just measured:\n%s", want)
	}
}

// TestVersions checks that README.md names the versions that are compared.
func TestVersions(t *testing.T) {
	t.Parallel()
	readme, mod := readFile(t, "../../README.md"), readFile(t, "go.mod")
	for path, name := range map[string]string{
		"github.com/gin-contrib/sessions":     "gin-contrib/sessions",
		"github.com/labstack/echo-contrib":    "echo-contrib",
		"github.com/labstack/echo-contrib/v5": "echo-contrib",
		"github.com/gofiber/fiber/v2":         "Fiber",
		"github.com/gofiber/fiber/v3":         "Fiber",
		"github.com/alexedwards/scs/v2":       "scs",
	} {
		_, rest, _ := strings.Cut(mod, "\t"+path+" ")
		version, _, _ := strings.Cut(rest, "\n")
		if !strings.Contains(strings.ReplaceAll(readme, "\n", " "), name+" "+version) {
			t.Errorf("README.md does not say %q", name+" "+version)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// cell returns one text if the library does the same on all its frameworks, or one for each.
func cell(t *testing.T, r row, c column) string {
	t.Helper()
	var names, texts []string
	for _, l := range c.libraries {
		var text string
		t.Run(r.title+"/"+c.title+"/"+l.framework, func(t *testing.T) { text = r.probe(t, l) })
		if at := slices.Index(texts, text); at >= 0 {
			names[at] += ", " + l.framework
			continue
		}
		names, texts = append(names, l.framework), append(texts, text)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	for i := range texts {
		texts[i] = names[i] + ": " + texts[i]
	}
	return strings.Join(texts, "; ")
}

const pageText = "the page"

// handlerSequence is a list of handlers, of which each request calls the next one.
type handlerSequence struct {
	mu   sync.Mutex
	list []handler
}

func (s *handlerSequence) next(v handlerSession, r responseWriter) {
	s.mu.Lock()
	p := s.list[0]
	s.list = s.list[1:]
	s.mu.Unlock()
	p(v, r)
}

func parallelWriters(t *testing.T, l library) string {
	t.Helper()
	const writers = 8
	var loaded sync.WaitGroup
	loaded.Add(writers)
	list := []handler{startSession}
	for i := range writers {
		list = append(list, func(v handlerSession, r responseWriter) {
			v.get("a")
			loaded.Done()
			loaded.Wait() // until all have loaded
			_ = v.set(fmt.Sprint("key", i), "x")
			_ = v.save()
			r.write(pageText)
		})
	}
	kept := 0
	s := &handlerSequence{list: append(list, func(v handlerSession, _ responseWriter) {
		for i := range writers {
			if v.get(fmt.Sprint("key", i)) != nil {
				kept++
			}
		}
	})}
	url := l.start(t, &faults{}, s.next)
	cookie := request(t, url, "").cookie
	var done sync.WaitGroup
	for range writers {
		done.Go(func() {
			if _, err := tryRequest(t, url, cookie); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	request(t, url, cookie)
	return fmt.Sprintf("%d of %d kept", kept, writers)
}

// startSession starts a session.
func startSession(v handlerSession, r responseWriter) {
	_ = v.set("a", "x")
	_ = v.save()
	r.write(pageText)
}

func lateWrite(t *testing.T, l library) string {
	t.Helper()
	loaded, ended := make(chan struct{}), make(chan struct{})
	var still any
	s := &handlerSequence{list: []handler{
		startSession,
		func(v handlerSession, r responseWriter) {
			v.get("a")
			close(loaded)
			<-ended
			_ = v.set("b", "y")
			_ = v.save()
			r.write(pageText)
		},
		func(v handlerSession, r responseWriter) { v.get("a"); _ = v.destroy(); r.write(pageText) },
		func(v handlerSession, _ responseWriter) { still = v.get("a") },
	}}
	url := l.start(t, &faults{}, s.next)
	cookie := request(t, url, "").cookie
	var late sync.WaitGroup
	late.Go(func() {
		if _, err := tryRequest(t, url, cookie); err != nil {
			t.Error(err)
		}
	})
	<-loaded
	request(t, url, cookie)
	close(ended)
	late.Wait()
	request(t, url, cookie)
	if still == nil {
		return "stays signed out"
	}
	return "signed in again"
}

func flushFirst(t *testing.T, l library) string {
	t.Helper()
	url := l.start(t, &faults{}, func(v handlerSession, r responseWriter) {
		_ = v.set("a", "x")
		_ = v.save()
		r.flush()
		r.write(pageText)
	})
	return cookieSent(request(t, url, ""))
}

func cookieSent(a response) string {
	if a.cookie != "" {
		return "cookie sent"
	}
	return "cookie lost"
}

func writeLate(t *testing.T, l library) string {
	t.Helper()
	var err error
	url := l.start(t, &faults{}, func(v handlerSession, r responseWriter) {
		r.write(pageText)
		r.flush()
		if err = v.set("a", "x"); err == nil {
			err = v.save()
		}
	})
	a := request(t, url, "")
	if err != nil {
		return "an error says so"
	}
	return cookieSent(a)
}

func failedSave(t *testing.T, l library) string {
	t.Helper()
	f := &faults{}
	f.save.Store(true)
	url := l.start(t, f, startSession)
	a := request(t, url, "")
	text := fmt.Sprint(a.status, ", the page is not sent")
	switch {
	case a.body == pageText:
		text = fmt.Sprint(a.status, ", the page")
	case strings.Contains(a.body, pageText):
		text = fmt.Sprint(a.status, ", an error text and the page")
	}
	if a.cookie != "" {
		text += ", a cookie for no session"
	}
	return text
}

func failedLoad(t *testing.T, l library) string {
	t.Helper()
	f := &faults{}
	var ran bool
	s := &handlerSequence{list: []handler{startSession, func(v handlerSession, r responseWriter) { ran = v.get("a") == nil; r.write(pageText) }}}
	url := l.start(t, f, s.next)
	cookie := request(t, url, "").cookie
	f.load.Store(true)
	a := request(t, url, cookie)
	switch {
	case ran && a.status == http.StatusOK:
		return "looks signed out"
	case a.err != "":
		return "the handler gets an error"
	}
	return fmt.Sprintf("%d, handler not run", a.status)
}

// Basket is a struct that an application might store.
type Basket struct{ Items []string }

func plainStruct(t *testing.T, l library) (out string) {
	t.Helper()
	var kept any
	s := &handlerSequence{list: []handler{
		func(v handlerSession, r responseWriter) {
			defer func() {
				if recover() != nil {
					out = "panic"
				}
			}()
			if err := v.set("basket", Basket{[]string{"tea"}}); err != nil {
				out = "error"
			}
			if err := v.save(); err != nil {
				out = "error"
			}
			r.write(pageText)
		},
		func(v handlerSession, _ responseWriter) { kept = v.get("basket") },
	}}
	url := l.start(t, &faults{}, s.next)
	a := request(t, url, "")
	if a.status != http.StatusOK && out == "" {
		out = fmt.Sprint(a.status)
	}
	request(t, url, a.cookie)
	if out == "" && kept != nil {
		return "kept"
	}
	return strings.TrimPrefix(out+", not kept", ", ")
}

func dump(t *testing.T, l library) string {
	t.Helper()
	f := &faults{}
	a := request(t, l.start(t, f, startSession), "")
	seen, recorded := f.key.Load().(string)
	_, value, _ := strings.Cut(a.cookie, "=")
	raw := secretOf(value)
	switch {
	case !recorded:
		return "not compared"
	case strings.Contains(seen, value), raw != "" && strings.Contains(seen, raw):
		return "yes"
	}
	return "no"
}

// secretOf returns the bytes of the secret in a cookie value of Cloakroom, without the id
// before it. It returns "" for other cookies.
func secretOf(value string) string {
	decoded, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(decoded) != 48 {
		return ""
	}
	return string(decoded[16:])
}

func attributes(t *testing.T, l library) string {
	t.Helper()
	set := request(t, l.start(t, &faults{}, startSession), "").setCookie
	var found []string
	for _, part := range strings.Split(set, ";")[1:] {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(part, "=")
		switch strings.ToLower(name) {
		case "httponly":
			found = append(found, "HttpOnly")
		case "secure":
			found = append(found, "Secure")
		case "samesite":
			found = append(found, "SameSite="+part[len(name)+1:])
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return "none of them"
	}
	return strings.Join(found, ", ")
}
