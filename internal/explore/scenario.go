package explore

import (
	"slices"
	"strconv"
	"strings"
)

// start is the state in which a scenario begins.
type start struct {
	name  string
	setUp [2][]*action // what the browser and the other device have done
}

func visitor() *start {
	return &start{name: "a visitor with a cart", setUp: [2][]*action{{fill()}}}
}

func user() *start {
	return &start{name: "a user", setUp: [2][]*action{{fill(), login(ann)}}}
}

func userOnTwoDevices() *start {
	return &start{
		name:  "a user on two devices",
		setUp: [2][]*action{{fill(), login(ann)}, {fill(), login(ann)}},
	}
}

// A Scenario is a start, the requests of the browser, and one request from elsewhere.
type Scenario struct {
	Start    *start
	Requests []*action
	Other    *action // of the other device, or of an operator; nil if there is none
	Devices  int     // how many sessions a user may have; 0 for any number
}

// String names the scenario.
func (s *Scenario) String() string {
	var names []string
	for _, a := range s.Requests {
		names = append(names, a.name)
	}
	text := s.Start.name + ": " + strings.Join(names, ", ")
	if s.Devices != 0 {
		text += "; devices: " + strconv.Itoa(s.Devices)
	}
	switch {
	case s.Other == nil:
		return text
	case s.Other.operator != nil:
		return text + "; operator: " + s.Other.name
	}
	return text + "; other device: " + s.Other.name
}

// Pairs returns every pair of actions of a browser.
func Pairs() []Scenario {
	all := pairs(visitor(), append(visitorActions(), moreActions()...), nil)
	all = append(all, pairs(user(), append(userActions(), moreActions()...), nil)...)
	return append(all, pairsWithinLimit()...)
}

// pairsWithinLimit returns pairs with logins of a user who may have one session.
func pairsWithinLimit() []Scenario {
	all := pairs(visitor(), []*action{login(ann), write(), logout()}, nil)
	all = append(all, pairs(user(), []*action{login(ann), stepUp(), logout()}, nil)...)
	for i := range all {
		all[i].Devices = 1
	}
	return all
}

// PairsAndOther returns pairs of actions of a browser beside a request from elsewhere that ends
// sessions.
func PairsAndOther() []Scenario {
	all := pairs(visitor(), visitorActions(), revokeAll())
	all = slices.DeleteFunc(all, func(s Scenario) bool {
		// Without a login there is nothing to revoke.
		return s.Requests[0].login == "" && s.Requests[1].login == ""
	})
	all = append(all, pairs(user(), userActions(), revokeAll())...)
	all = append(all, pairs(userOnTwoDevices(), userActions(), changePassword())...)
	return slices.DeleteFunc(all, func(s Scenario) bool {
		return s.Requests[0].data && s.Requests[1].data
	})
}

func pairs(s *start, actions []*action, other *action) []Scenario {
	var all []Scenario
	for i, a := range actions {
		for _, b := range actions[i:] {
			all = append(all, Scenario{Start: s, Requests: []*action{a, b}, Other: other})
		}
	}
	return all
}

// Triples returns chosen triples of actions of a browser.
func Triples() []Scenario {
	var all []Scenario
	add := func(s *start, actions ...*action) {
		all = append(all, Scenario{Start: s, Requests: actions})
	}
	for _, third := range []*action{
		read(), write(), count(), renew(), login(ann), login(bob), logout(),
	} {
		add(visitor(), login(ann), write(), third)
		add(visitor(), login(ann), login(ann), third)
	}
	for _, third := range []*action{
		read(), write(), renew(), stepUp(), login(ann), login(bob), logout(),
	} {
		add(user(), stepUp(), write(), third)
		add(user(), renew(), renew(), third)
		add(user(), stepUp(), renew(), third)
		add(user(), logout(), write(), third)
	}
	add(user(), stepUp(), stepUp(), read())
	add(user(), stepUp(), stepUp(), logout())
	add(user(), changePassword(), changePassword(), read())
	add(user(), changePassword(), stepUp(), logout())
	add(user(), logout(), login(ann), read())
	add(user(), logout(), login(bob), write())
	add(user(), login(bob), login(bob), read())
	add(user(), login(bob), write(), read())
	add(user(), countNow(), count(), renew())
	add(user(), countNow(), countNow(), countNow())
	add(user(), take(), take(), renew())
	add(user(), takeOnce(), takeOnce(), takeOnce())
	add(user(), takeOnce(), takeOnce(), renew())
	add(user(), takeOnce(), stepUp(), takeOnce())
	add(user(), takeOnce(), poll(), logout())
	add(user(), stepUp(), poll(), poll())
	add(user(), renew(), poll(), logout())
	add(user(), loginByHand(ann), login(ann), poll())
	add(user(), loginByHand(bob), login(bob), write())
	add(visitor(), login(ann), takeOnce(), takeOnce())
	add(visitor(), login(ann), poll(), takeOnce())
	add(visitor(), loginByHand(ann), login(ann), write())
	add(visitor(), login(ann), loginByHand(bob), poll())
	return all
}
