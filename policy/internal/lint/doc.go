// Package lint finds what loads and is still most likely not what its author meant: entries that another one covers, routes
// that no request reaches, expressions that accept neighbours, names that no browser sends.
//
// It observes a compilation ([compile.Observer]) and reads what is compiled; it must not change it, which a test of package
// policy holds. Start reading at [Linter] (lint.go); each other file is about one kind of thing that is looked at.
package lint
