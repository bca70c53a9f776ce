// Package fakeenvoy is an Envoy in C for the tests of the module: it offers the callbacks that the module uses and calls its
// hooks, in the order in which Envoy does.
//
// It is stricter than Envoy. Every text that it lends has a memory of its own, which is spoiled and freed when Envoy's
// documentation says that it is not good any more: when the hook ends or, of a header, when that map is changed. Callbacks
// outside of a hook end the process, as do statistics that nobody defined.
package fakeenvoy
