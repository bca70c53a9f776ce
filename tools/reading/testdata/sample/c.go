package sample

const (
	red = iota
	green
)

var colours = [...]int{red: 1, green: 2}
