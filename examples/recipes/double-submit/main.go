// Command double-submit is the recipe of docs/recipes/double-submit.md: a shop on Fiber v3 that
// makes one order of a form that is sent twice.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

func main() {
	m, err := sessions.NewManager(sessions.Options{})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(newShop(m, &orders{}).Listen("localhost:8080"))
}

// orders takes the place of a table whose column for the basket is unique.
type orders struct {
	mu      sync.Mutex
	baskets []string
}

// place makes an order of a basket and returns its number, counted from one. Called again, it
// returns the number of the same order.
func (o *orders) place(_ context.Context, b basket) (number int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.baskets, b.ID); i >= 0 {
		return i + 1, nil
	}
	o.baskets = append(o.baskets, b.ID)
	return len(o.baskets), nil
}

// placer makes an order of a basket; see [orders].
type placer interface {
	place(ctx context.Context, b basket) (number int, err error)
}

type shop struct {
	orders placer
	page   *template.Template
}

func newShop(m *sessions.Manager, o placer) *fiber.App {
	a := &shop{orders: o, page: template.Must(template.New("").Parse(page))}
	app := fiber.New()
	app.Use(sessions.Middleware(m))
	app.Get("/", a.show)
	app.Post("/basket", a.add)
	app.Post("/order", a.order)
	app.Get("/ordered", a.ordered)
	app.Post("/voucher", a.redeem)
	return app
}

const page = `<!doctype html>
<link rel="icon" href="data:,">
<title>Basket</title>
<ul>{{range .Items}}<li>{{.}}{{end}}</ul>
<form method="post" action="/basket"><input name="item"><button>Add</button></form>
<form method="post" action="/order">
<input type="hidden" name="basket" value="{{.ID}}"><button id="order">Order</button>
</form>`

// basket has an ID that changes with what is in it.
type basket struct {
	ID    string
	Items []string
}

// receipt says which order was made of a basket.
type receipt struct {
	Basket string
	Order  int
}

const (
	current = sessions.Key[basket]("basket")
	last    = sessions.Key[receipt]("last order")
	placing = sessions.Key[sessions.Lease]("placing")
	voucher = sessions.Key[string]("voucher")
)

func (a *shop) show(c fiber.Ctx) error {
	c.Type("html", "utf-8")
	return a.page.Execute(c, current.Get(sessions.Get(c)))
}

func (a *shop) add(c fiber.Ctx) error {
	s, item := sessions.Get(c), strings.Clone(c.FormValue("item"))
	current.Update(s, func(b basket) basket {
		return basket{rand.Text(), append(b.Items, item)}
	})
	if item == "card" { // Who buys a card may ask for one gift.
		if err := voucher.Set(s, rand.Text()); err != nil {
			return fail(err)
		}
	}
	return c.Redirect().Status(fiber.StatusSeeOther).To("/")
}

// order places the order that the form is for.
func (a *shop) order(c fiber.Ctx) error {
	s, id := sessions.Get(c), strings.Clone(c.FormValue("basket"))
	err := sessions.Once(c.Context(), s, placing, 30*time.Second, func() error {
		if last.Get(s).Basket == id { // The request of another click has placed it.
			return nil
		}
		b := current.Get(s)
		if id == "" || b.ID != id { // Nothing is ordered that the form did not show.
			return errChanged
		}
		number, err := a.orders.place(c.Context(), b) // again, if a server crashes here
		if err != nil {
			return err
		}
		current.Update(s, func(now basket) basket { return now.without(b) })
		return last.Set(s, receipt{id, number})
	})
	if err != nil {
		return fail(err)
	}
	if last.Get(s).Basket != id { // The request that this one has waited for did not succeed.
		return fail(errChanged)
	}
	return c.Redirect().Status(fiber.StatusSeeOther).To("/ordered")
}

var errChanged = errors.New("the basket has changed: please look at it again")

// without returns what is left when the items of a former basket are ordered: those that another
// tab has added meanwhile.
func (b basket) without(former basket) basket {
	if len(b.Items) <= len(former.Items) {
		return basket{}
	}
	return basket{rand.Text(), b.Items[len(former.Items):]}
}

func (a *shop) ordered(c fiber.Ctx) error {
	return c.SendString("order " + template.HTMLEscaper(last.Get(sessions.Get(c)).Order))
}

// redeem sends a gift, at most once.
func (a *shop) redeem(c fiber.Ctx) error {
	code, ok, err := voucher.TakeOnce(c.Context(), sessions.Get(c))
	if err != nil {
		return fail(err)
	}
	if !ok {
		return fiber.NewError(fiber.StatusConflict, "there is no gift, or you have asked for it")
	}
	return c.SendString("the gift for " + code + " is on its way")
}

// fail answers 409 if the session has ended or the basket changed, and 503 if the store failed.
func fail(err error) error {
	if errors.Is(err, errChanged) {
		return fiber.NewError(fiber.StatusConflict, err.Error())
	}
	return fiber.NewError(core.StatusCode(err), "please try again")
}
