package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// slow places orders, each when the store has been asked for as many sessions as wait says.
type slow struct {
	orders

	t     *testing.T
	store *gate
	wait  atomic.Int64
	calls atomic.Int64
	fails atomic.Bool
}

func (p *slow) place(ctx context.Context, b basket) (number int, err error) {
	p.calls.Add(1)
	recipe.Eventually(p.t, "the other requests have come", func() bool {
		return int64(p.store.Calls(sessiontest.Load)) >= p.wait.Load()
	})
	if p.fails.Load() {
		return 0, io.ErrUnexpectedEOF
	}
	return p.orders.place(ctx, b)
}

// gate is a store that saves nothing until it has been asked for as many sessions as wait says.
type gate struct {
	*sessiontest.Store

	t    *testing.T
	wait atomic.Int64
}

func (g *gate) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	recipe.Eventually(g.t, "the other requests have come", func() bool {
		return int64(g.Calls(sessiontest.Load)) >= g.wait.Load()
	})
	return g.Store.Save(ctx, rec)
}

// awaitLoads makes the next order wait until n more requests have loaded their sessions.
func (p *slow) awaitLoads(n int) { p.wait.Store(int64(p.store.Calls(sessiontest.Load) + n)) }

// start returns two instances of the shop on one store.
func start(t *testing.T) (p *slow, instances [2]*fiber.App) {
	t.Helper()
	p = &slow{t: t, store: &gate{Store: sessiontest.NewStore(nil), t: t}}
	for i := range instances {
		o := sessions.Options{Store: p.store, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
		m, err := sessions.NewManager(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		instances[i] = newShop(m, p)
	}
	return p, instances
}

// visit returns a browser whose requests go to the instances in turn, and the ID of the basket with these items.
func visit(t *testing.T, instances [2]*fiber.App, items ...string) (browser *http.Client, id string) {
	t.Helper()
	var turn atomic.Int64
	browser = sessiontest.Browser(func(r *http.Request) (*http.Response, error) {
		return instances[turn.Add(1)%2].Test(r, fiber.TestConfig{Timeout: 0})
	})
	for _, item := range items {
		_, id = post(t, browser, "/basket", "item", item)
	}
	_, id, _ = strings.Cut(id, `name="basket" value="`)
	id, _, _ = strings.Cut(id, `"`)
	return browser, id
}

func post(t *testing.T, browser *http.Client, path, field, value string) (status int, body string) {
	t.Helper()
	form := strings.NewReader(url.Values{field: {value}}.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sessiontest.Origin+path, form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(data)
}

// parallel sends the same form several times at once and returns the answers, sorted.
func parallel(t *testing.T, browser *http.Client, n int, path, field, value string) (answers []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			status, body := post(t, browser, path, field, value)
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, http.StatusText(status)+": "+body)
		})
	}
	wg.Wait()
	slices.Sort(answers)
	return answers
}

func TestOneOrder(t *testing.T) {
	t.Parallel()
	p, instances := start(t)
	browser, id := visit(t, instances, "coat", "hat")
	p.awaitLoads(4)
	answers := parallel(t, browser, 4, "/order", "basket", id)
	if answers[0] != "OK: order 1" || len(slices.Compact(answers)) != 1 || p.calls.Load() != 1 {
		t.Errorf("four clicks are answered %q, and the order was placed %d times", answers, p.calls.Load())
	}
	if status, body := post(t, browser, "/order", "basket", id); status != http.StatusOK || body != "order 1" || p.calls.Load() != 1 {
		t.Errorf("a later click is answered %d %q, and the order was placed %d times", status, body, p.calls.Load())
	}
	// The next order, and then the first form again, from the browser's history.
	_, page := post(t, browser, "/basket", "item", "scarf")
	_, second, _ := strings.Cut(page, `name="basket" value="`)
	second, _, _ = strings.Cut(second, `"`)
	if status, body := post(t, browser, "/order", "basket", second); status != http.StatusOK || body != "order 2" {
		t.Errorf("the second order is answered %d %q", status, body)
	}
	if status, body := post(t, browser, "/order", "basket", id); status != http.StatusConflict || p.calls.Load() != 2 {
		t.Errorf("the first form is answered %d %q, and orders were placed %d times", status, body, p.calls.Load())
	}
}

// TestOtherTab adds something while the order is placed. That is neither ordered nor lost.
func TestOtherTab(t *testing.T) {
	t.Parallel()
	p, instances := start(t)
	browser, id := visit(t, instances, "coat")
	p.awaitLoads(3) // The order, the addition, and the page to which that leads.
	var wg sync.WaitGroup
	wg.Go(func() {
		recipe.Eventually(t, "the order is placed", func() bool { return p.calls.Load() == 1 })
		post(t, browser, "/basket", "item", "hat")
	})
	if status, body := post(t, browser, "/order", "basket", id); status != http.StatusOK {
		t.Errorf("the order is answered %d %q", status, body)
	}
	wg.Wait()
	_, page := post(t, browser, "/basket", "item", "scarf")
	if !strings.Contains(page, "<ul><li>hat<li>scarf</ul>") {
		t.Errorf("after the order the basket is\n%s", page)
	}
	if status, _ := post(t, browser, "/order", "basket", id); status != http.StatusOK || p.calls.Load() != 1 {
		t.Errorf("the same form is answered %d, and orders were placed %d times", status, p.calls.Load())
	}
}

// TestFailedOrder has the order fail. The basket stays, and the next click orders it.
func TestFailedOrder(t *testing.T) {
	t.Parallel()
	p, instances := start(t)
	browser, id := visit(t, instances, "coat")
	p.fails.Store(true)
	if status, body := post(t, browser, "/order", "basket", id); status != http.StatusInternalServerError {
		t.Errorf("an order that fails is answered %d %q", status, body)
	}
	p.fails.Store(false)
	if status, body := post(t, browser, "/order", "basket", id); status != http.StatusOK || body != "order 1" {
		t.Errorf("the next click is answered %d %q", status, body)
	}
	p.store.Fail(sessiontest.Fault{})
	if status, _ := post(t, browser, "/order", "basket", id); status != http.StatusServiceUnavailable {
		t.Errorf("without a store the answer is %d", status)
	}
}

func TestOneGift(t *testing.T) {
	t.Parallel()
	p, instances := start(t)
	browser, _ := visit(t, instances, "card")
	p.store.wait.Store(int64(p.store.Calls(sessiontest.Load) + 4))
	answers := parallel(t, browser, 4, "/voucher", "", "")
	if !strings.HasPrefix(answers[3], "OK: the gift") || !strings.HasPrefix(answers[2], "Conflict") {
		t.Errorf("the gift is answered %q", answers)
	}
}

// TestDoubleClick has a browser send the form again while the first answer is on its way, and reload what it shows then.
func TestDoubleClick(t *testing.T) {
	t.Parallel()
	p, instances := start(t)
	base := "http://" + listen(t, instances[0])
	tab := recipe.Browser(t)
	chromium.Do(tab, t, chromedp.Navigate(base), chromedp.SendKeys(chromedp.CSS("[name=item]"), "coat\r"),
		chromedp.WaitVisible(chromedp.CSS("li")))
	p.awaitLoads(2)
	chromium.Do(tab, t, chromedp.Evaluate[chromedp.Void](clicks))
	recipe.WaitUntil(tab, t, `document.body.innerText === "order 1"`)
	chromium.Do(tab, t, chromedp.Reload())
	if n := p.calls.Load(); n != 1 {
		t.Errorf("orders were placed %d times", n)
	}
}

// clicks presses the button again and again, at longer and longer intervals, until the browser shows another page.
const clicks = `(function click(wait) {
	document.getElementById("order").click()
	setTimeout(click, wait, 2 * wait)
})(100)`

// listen serves an instance on a free port of this machine.
func listen(t *testing.T, app *fiber.App) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithContext(canceled(t)); err != nil {
			t.Log(err) // The browser keeps its connection.
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + port
}

// canceled is a context that ends a shutdown at once.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	return ctx
}
