package demo

// account and ledger.go form a circle: account calls a method that ledger.go declares on it.
type account struct{ balance int }

func (a *account) deposit(n int) {
	a.balance += n
	a.log(n)
}
