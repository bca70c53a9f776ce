// Package logs writes the process's log: records of one format and level, refused requests so that someone can act
// ([Refusals]), and single decisions for as long as somebody asked for them ([Decisions]).
//
// Anybody who can send a request can cause lines. So each kind is bounded in number and length, what a client sent is
// escaped, and a reader of the log that stops reading delays no request.
//
// It knows neither Envoy's protocol nor files nor metrics. Start reading at logger.go.
package logs
