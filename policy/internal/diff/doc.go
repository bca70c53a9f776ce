// Package diff says who gains and who loses what, and where, between two compiled sets.
//
// It asks both sets about requests and origins that stand for all that the sets can tell apart: hosts.go and routes.go find
// the pairs of places, origins.go the origins, ask.go what each list grants them, grants.go what differs, words.go says it.
// It reads what is compiled and must not change it, and knows neither files nor messages of proto. Start reading at [Sets].
package diff
