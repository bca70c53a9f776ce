// Command module is corsproc inside Envoy: a shared library that Envoy 1.40 loads as an HTTP filter ("dynamic module"), with
// the same engine and the same policy files as the service. `make module` builds it as bin/libcorsproc.so; with
// envoy/module.yaml it is attached.
//
// The filter's filter_config is a google.protobuf.Struct with the keys
//
//	policies         the policy file or directory; required
//	reload-interval  "30s" by default; "0": watch only
//	log-level        debug, info (default), warn or error, of what the module logs; Envoy's own level holds beside it
//
// Anything else in it, and policies that do not load, reject the configuration, with all findings in Envoy's log. With
// metrics_namespace corsproc the statistics are
//
//	corsproc.decisions{kind,reason}                                          counter
//	corsproc.candidates{verdict,candidate_verdict,candidate_reason}          counter, of places with candidates
//	corsproc.policy_reloads{result}                                          counter: success, failure; the first load counts
//	corsproc.policy_last_reload_successful                                   gauge; 0 while any path does not load
//	corsproc.policy_hash                                                     gauge, the first 48 bits of the policies' hash; of several paths their sum
//	corsproc.panics                                                          counter, of faults of ours
//
// Policies that a route names are read from its metadata, as with the service; for a virtual host they are a StringValue
// in typed_per_filter_config.
//
// Start reading at hooks.c, which Envoy calls: facts.c gathers what is known of a request, kept.c has the decisions that a
// worker keeps, apply.c and vary.c carry a decision out. decide.go asks the engine about the rest, and answer.go writes what it
// says into C memory. configure.go reads the configuration, source.go watches the policies. The tests drive the hooks from fakeenvoy, an Envoy in C
// that gives every buffer a memory of its own and spoils it when its time is over.
//
// The Go and C in here need a C compiler. Without one (or with CGO_ENABLED=0) this is an empty program, and its tests are
// skipped.
package main

// Tested by hooks_test.go.

func main() {}
