package memstore

// holder is the user that a record belongs to: a hash of its subject, as table.holderOf
// returns it. Different subjects rarely have the same.
type holder uint32

// visitors stands for the holders of all anonymous records, which are many visitors.
const visitors holder = 0

// class tells which records are evicted first.
type class int

const (
	anonymous class = iota
	signedIn
	classes
)

func classOf(subject string) class {
	if subject == "" {
		return anonymous
	}
	return signedIn
}

func (h holder) class() class {
	if h == visitors {
		return anonymous
	}
	return signedIn
}

// charge is what a record counts for, and who holds it. The zero charge is that of no record.
type charge struct {
	holder  holder
	records int64
	bytes   int64
}
