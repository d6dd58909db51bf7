package demo

// A test may use what it likes.
type stub struct{ talker }
