package extproc

// Transports lets transport_test.go set transports.
var Transports = &transports

// Connector is what it sets them to.
type Connector = connector
