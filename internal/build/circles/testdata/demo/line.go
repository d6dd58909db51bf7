package demo

type line struct{ price int }

func (l line) share(o order) int { return 100 * l.price / o.total }
