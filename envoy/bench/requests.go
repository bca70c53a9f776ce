//go:build linux

package main

// Tested by bench_test.go.

import (
	"fmt"
	"slices"
	"strings"
)

// The kinds of requests. Those with many paths are sent to a virtual host where the policy depends on the path, so that nothing
// that was learnt from one request is known of the next.
const (
	actual    = "actual request"
	preflight = "preflight"
	noOrigin  = "no Origin"

	manyPaths      = ", 10,000 paths"
	actualPaths    = actual + manyPaths
	preflightPaths = preflight + manyPaths
	noOriginPaths  = noOrigin + manyPaths
)

// kinds are all of them, charted those that the chart shows, and every variant answers.
var (
	charted = []string{actual, preflight, noOrigin}
	kinds   = append(slices.Clone(charted), actualPaths, preflightPaths, noOriginPaths)
)

// The requests of each kind, which every client sends one after the other. They are as a browser's page sends them: twelve
// header lines each, one less without Origin.
var requestsOf = map[string][][]byte{
	actual:         {actualOf("api.example.com", "/v1/orders?page=2")},
	preflight:      {preflightOf("api.example.com", "/v1/orders/7")},
	noOrigin:       {noOriginOf("api.example.com", "/v1/orders?page=2")},
	actualPaths:    onManyPaths(actualOf),
	preflightPaths: onManyPaths(preflightOf),
	noOriginPaths:  onManyPaths(noOriginOf),
}

func actualOf(host, path string) []byte {
	return request("GET "+path, host,
		"Accept: application/json", "Origin: https://shop.example.com", "Referer: https://shop.example.com/",
		"Cookie: session=6f1c2b7e9d0a4b58; theme=dark", "X-Custom-Header: 1",
		"Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-site")
}

func preflightOf(host, path string) []byte {
	return request("OPTIONS "+path, host,
		"Accept: */*", "Origin: https://shop.example.com", "Referer: https://shop.example.com/",
		"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type,x-custom-header",
		"Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-site")
}

func noOriginOf(host, path string) []byte {
	return request("GET "+path, host,
		"Accept: application/json", "Referer: https://api.example.com/",
		"Cookie: session=6f1c2b7e9d0a4b58; theme=dark", "X-Custom-Header: 1",
		"Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin")
}

// onManyPaths returns a request for each of ten thousand paths.
func onManyPaths(of func(host, path string) []byte) [][]byte {
	all := make([][]byte, 10_000)
	for i := range all {
		all[i] = of("paths.example.com", fmt.Sprintf("/v1/orders/%04d?page=2", i))
	}
	return all
}

// slowRequest is answered by nobody.
var slowRequest = request("GET /slow", "api.example.com", "Accept: application/json", "Origin: https://shop.example.com")

func request(line, host string, headers ...string) []byte {
	all := append([]string{line + " HTTP/1.1", "Host: " + host,
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
		"Accept-Language: en-GB,en;q=0.9", "Accept-Encoding: gzip, deflate, br, zstd"}, headers...)
	return []byte(strings.Join(all, "\r\n") + "\r\n\r\n")
}
