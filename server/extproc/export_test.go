package extproc

// Connect lets transport_test.go set connect.
var Connect = &connect
