//go:build cgo

package main

// #cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter
// #cgo LDFLAGS: -Wl,-z,now -Wl,--unresolved-symbols=ignore-all
// #include "module.h"
import "C"
