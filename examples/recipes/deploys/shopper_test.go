package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// shopper is a signed-in user who fills a cart, until told to stop. Each round sends several requests at the same time.
type shopper interface {
	rounds() int      // how many rounds have been completed
	stop()            // ends the rounds
	check(*testing.T) // compares the cart with what the answers said
}

// client is a shopper without a browser.
type client struct {
	user, base string
	http       *http.Client
	ended      sync.WaitGroup
	stopped    atomic.Bool
	completed  atomic.Int64

	mu           sync.Mutex
	items, gifts []string // for which the answer was 200
	failures     []string
}

func newClient(t *testing.T, base, user string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{user: user, base: base, http: &http.Client{Jar: jar}}
	if status, _ := c.send(http.MethodPost, "/login", "user="+user); status != http.StatusOK {
		t.Fatalf("%s: login: %d", user, status)
	}
	c.ended.Go(c.shop)
	t.Cleanup(c.stop)
	return c
}

func (c *client) rounds() int { return int(c.completed.Load()) }

func (c *client) stop() {
	c.stopped.Store(true)
	c.ended.Wait()
}

// send returns status 0 and the error in place of a body if there is no answer.
func (c *client) send(method, path, form string) (status int, body string) {
	r, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(form))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

func (c *client) shop() {
	for !c.stopped.Load() {
		var parallel sync.WaitGroup
		for i := range 3 {
			item := fmt.Sprintf("%d-%d", c.completed.Load(), i)
			parallel.Go(func() { c.post("/add", item, &c.items) })
		}
		parallel.Go(func() { c.post("/gift", fmt.Sprintf("%d-0", c.completed.Load()), &c.gifts) })
		parallel.Wait()
		c.look()
		c.completed.Add(1)
	}
}

// post adds to what has been acknowledged.
func (c *client) post(path, item string, acknowledged *[]string) {
	status, body := c.send(http.MethodPost, path, url.Values{"item": {item}}.Encode())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == http.StatusOK:
		*acknowledged = append(*acknowledged, item)
	case path == "/gift" && status == http.StatusNotFound: // release 1
	default:
		c.failures = append(c.failures, fmt.Sprintf("%s %s: %d %s", path, item, status, body))
	}
}

// look compares the cart with what has been acknowledged.
func (c *client) look() {
	status, body := c.send(http.MethodGet, "/cart", "")
	var got contents
	err := json.Unmarshal([]byte(body), &got)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || status != http.StatusOK || got.User != c.user {
		c.failures = append(c.failures, fmt.Sprintf("cart: %d %s", status, body))
	}
	c.failures = append(c.failures, missing(&got, c.items, c.gifts)...)
}

// missing returns what a cart should hold and does not.
func missing(got *contents, items, gifts []string) (failures []string) {
	for _, item := range items {
		if n := len(slices.DeleteFunc(slices.Clone(got.Items), func(i string) bool { return i != item })); n != 1 {
			failures = append(failures, fmt.Sprintf("release %d shows item %s %d times", got.Release, item, n))
		}
	}
	for _, item := range gifts {
		if got.Release >= 2 && !got.Gifts[item] {
			failures = append(failures, fmt.Sprintf("release %d does not show the gift %s", got.Release, item))
		}
	}
	return failures
}

func (c *client) check(t *testing.T) {
	t.Helper()
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 {
		t.Errorf("%s: %d failures, the first of which is %s", c.user, len(c.failures), c.failures[0])
	}
	t.Logf("%s: %d items, %d gifts", c.user, len(c.items), len(c.gifts))
}

// tab is a shopper in a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // a tab is a context
	user string
}

// shopping is what the page does, in rounds as those of client.
const shopping = `
user = "%s"; completed = 0; stopped = false; failures = []; items = []
async function post(path, fields) {
	const answer = await fetch(path, {method: "POST", body: new URLSearchParams(fields)})
	if (answer.status !== 200) failures.push(path + " " + answer.status)
	return answer.status === 200
}
async function look() {
	const cart = await (await fetch("/cart")).json()
	if (cart.User !== user) failures.push("user " + cart.User)
	for (const item of items)
		if (cart.Items.filter(i => i === item).length !== 1) failures.push("item " + item)
}
async function shop() {
	await post("/login", {user})
	for (; !stopped; completed++) {
		await Promise.all([0, 1, 2].map(async i => {
			const item = completed + "-" + i
			if (await post("/add", {item})) items.push(item)
		}))
		await look()
	}
}
shop().catch(error => failures.push("" + error))
0`

func newTab(ctx context.Context, t *testing.T, base, user string) *tab {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Navigate(base+"/cart"), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(shopping, user)))
	return &tab{t, ctx, user}
}

func (b *tab) rounds() int {
	b.t.Helper()
	state := chromium.Get(b.ctx, b.t, chromedp.Evaluate[[]int](`[completed, failures.length]`))
	if state[1] > 0 {
		b.check(b.t)
		b.t.FailNow()
	}
	return state[0]
}

func (b *tab) stop() { chromium.Do(b.ctx, b.t, chromedp.Evaluate[chromedp.Void](`stopped = true; 0`)) }

func (b *tab) check(t *testing.T) {
	t.Helper()
	got := chromium.Get(b.ctx, t, chromedp.Evaluate[string](`items.length + " items. " + failures.join()`))
	if !strings.HasSuffix(got, "items. ") {
		t.Errorf("%s: %s", b.user, got)
	}
	t.Logf("%s: %s", b.user, got)
}
