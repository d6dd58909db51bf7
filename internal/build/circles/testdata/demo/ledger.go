package demo

import "log"

func (a *account) log(n int) { log.Println("deposit", n) }
