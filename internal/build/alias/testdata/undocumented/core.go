package core

type Options struct{}
