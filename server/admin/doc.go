// Package admin is the side of the process that people and Prometheus look at: metrics, probes, the set in force, its
// reloading and a page that shows all of it.
//
// It is told what happens and asks for what is current; it starts nothing, holds no policy set and knows neither gRPC
// streams nor listeners. Of the rooms beside it, it has the words for what it counts: the phases of extproc, why handshakes
// fail in certs, what makes two refusals the same in logs. Whatever a client of Envoy sends is a stranger's text here: it becomes no label of a metric.
//
// Start reading at [Handler] for what is served, at [Metrics] for what is counted, at page/app.js for the page.
package admin
