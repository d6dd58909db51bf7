package demo

import "testing"

func TestTalk(*testing.T) { talk() }
