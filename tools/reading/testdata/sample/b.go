package sample

type B struct{ of A }

func (b *B) size() int { return colours[red] }

func unused() {}
