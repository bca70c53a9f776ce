package inner

type Number int

func (n Number) Twice() int {
	return 2 * int(n)
}

func (n Number) Thrice() int { return 3 * int(n) }
