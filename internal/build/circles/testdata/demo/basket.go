package demo

type basket struct{ lines []line }
