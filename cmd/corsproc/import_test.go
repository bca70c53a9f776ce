package main

import (
	"strings"
	"testing"
)

// TestImport holds how import is called: exit statuses, streams, and that nothing is written where a file is bad.
func TestImport(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "ingress.yaml", `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/enable-cors: "true"
    nginx.ingress.kubernetes.io/cors-allow-origin: https://shop.example
spec:
  ingressClassName: nginx
  rules:
  - host: api.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
`)
	write(t, "snippet.yaml", `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    nginx.ingress.kubernetes.io/enable-cors: "true"
    nginx.ingress.kubernetes.io/configuration-snippet: "more_set_headers 'Access-Control-Allow-Origin: *';"
spec:
  ingressClassName: nginx
  rules:
  - host: api.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
`)
	write(t, "service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n")
	write(t, "twice.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nkind: Ingress\n")
	write(t, "template.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: {{ .Values.name }}}\n")
	for _, c := range []struct {
		args           string
		status         int
		stdout, stderr string // what is in it; "-": nothing is printed
	}{
		{"ingress-nginx ingress.yaml", 0, "https://shop.example", "-"},
		{"ingress-nginx service.yaml ingress.yaml", 0, "https://shop.example", "-"},
		{"ingress-nginx snippet.yaml", 1, "domains", "snippet.yaml:7:"},
		{"ingress-nginx --format json snippet.yaml", 1, "domains", `"file":"snippet.yaml"`},
		{"ingress-nginx service.yaml", 2, "-", "service.yaml"},
		{"ingress-nginx twice.yaml", 2, "-", "twice.yaml:3"},
		{"ingress-nginx template.yaml", 2, "-", "template.yaml:3"},
		{"ingress-nginx missing.yaml", 2, "-", "missing.yaml"},
		{"ingress-nginx - -", 2, "-", "only once"},
		{"ingress ingress.yaml", 2, "-", "ingress-nginx"},
		{"ingress-nginx", 2, "-", "KIND"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := runIn(t, "", append([]string{"import"}, strings.Fields(c.args)...)...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, stream := range []struct{ want, got string }{{c.stdout, stdout}, {c.stderr, strings.ReplaceAll(stderr, `": "`, `":"`)}} {
				if stream.want == "-" && stream.got != "" || stream.want != "-" && !strings.Contains(stream.got, stream.want) {
					t.Errorf("printed %q, want %q", stream.got, stream.want)
				}
			}
		})
	}
}
