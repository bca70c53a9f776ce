// Package fetch holds what the Fetch standard (https://fetch.spec.whatwg.org) and RFC 9110 list: what a token is and how
// lists of them are read, which methods and headers browsers treat in their own way, and the names of the headers of CORS.
// It is the only copy. Package policy, the server's half, and package browser, the client's, both look here, so that the
// two cannot come to disagree about what the standard says.
//
// Nothing is decided here, and the package knows nothing of ours: no policy, no request, no finding. Everything is a
// function of texts, safe for hostile ones, and takes time proportional to their length. None allocates but [LowerASCII]
// without room.
//
// Start reading at [IsToken] (token.go) and [Elements] (list.go). Methods are method.go, headers header.go.
package fetch
