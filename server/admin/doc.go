// Package admin is the side of the process that people and Prometheus look at: metrics, probes, the set in force, its
// reloading and a page that shows all of it.
//
// It is told what happens and asks for what is current. It starts nothing, holds no policy set and knows neither gRPC streams
// nor listeners. From the rooms beside it, it takes the words for what it counts: the phases of extproc, the reasons why
// handshakes fail in certs, the key of a refusal in logs. What a client of Envoy sends becomes no label of a metric.
//
// Start reading at [Handler] for what is served, at [Metrics] for what is counted, at page/app.js for the page.
package admin
