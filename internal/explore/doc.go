// Package explore runs a few requests of one browser in every order in which their store calls
// can be carried out and their answers can reach the browser, and checks what the browser and
// the store end up with. It runs the real code of core: each request goes through a
// [core.Scope] as in an adapter.
//
// A [Scenario] is a start, such as a signed-in user, and two or three requests. Each request
// stops before it starts, at every store call, and before its answer reaches the browser. A
// scheduler lets one of them continue at a time. So a schedule is a list of [step] values, and
// the same list always leads to the same run. The search runs a scenario again and again from
// its start, and backtracks to the last decision with an option that has not been tried.
//
// Two steps that do not affect each other, such as saves of different sessions, lead to the same
// result in either order. The search runs one of the orders only (sleep sets: Godefroid,
// Partial-Order Methods for the Verification of Concurrent Systems).
//
// Once in a schedule the reply to a save may be lost: the store has saved, and the caller gets
// an error. Once in a schedule an answer with a cookie may be lost on its way to the browser.
//
// Each function of type [rule] says what must hold after a schedule.
package explore
