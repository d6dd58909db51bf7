package demo

import "fmt"

type talker struct{}

func (talker) say(text string) { fmt.Println(text) }

func talk() { repeat(talker{}, gossip{talk: "hello"}) }
