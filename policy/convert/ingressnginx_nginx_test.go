package convert

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// This file makes of Ingresses the configuration that the controller's template makes of them, and starts a real nginx with
// it. It follows the controller's code step by step and knows nothing of the code that is tested.

type ctlLocation struct {
	path, pathType string
	idle           bool
	cors           map[string]string // annotations
	regex          bool
	rewrite        bool
}

type ctlServer struct {
	host      string
	locations []*ctlLocation
	aliases   []string
}

type ctlIngress struct {
	name, created string
	annotations   map[string]string
	spec          map[string]any
}

func (i ctlIngress) annotation(name string) string {
	return i.annotations["nginx.ingress.kubernetes.io/"+name]
}

func (i ctlIngress) isTrue(name string) bool {
	v, err := strconv.ParseBool(i.annotation(name))
	return err == nil && v
}

// ctlObjects returns the objects of a file, those in Lists included.
func ctlObjects(t *testing.T, data []byte) (objects []map[string]any) {
	t.Helper()
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var o any
		if err := loader.Load(&o); err == io.EOF {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, ctlItems(o)...)
	}
}

func ctlItems(o any) (objects []map[string]any) {
	m, _ := o.(map[string]any)
	if items, ok := m["items"].([]any); ok {
		for _, item := range items {
			objects = append(objects, ctlItems(item)...)
		}
		return objects
	}
	if m != nil {
		objects = append(objects, m)
	}
	return objects
}

// ctlIngresses returns the Ingresses of a file in the order of the controller.
func ctlIngresses(t *testing.T, data []byte) (all []ctlIngress) {
	for _, o := range ctlObjects(t, data) {
		if o["kind"] != "Ingress" {
			continue
		}
		meta, _ := o["metadata"].(map[string]any)
		i := ctlIngress{annotations: map[string]string{}}
		i.spec, _ = o["spec"].(map[string]any)
		i.name = fmt.Sprint(meta["namespace"], "/", meta["name"])
		i.created = fmt.Sprint(meta["creationTimestamp"])
		annotations, _ := meta["annotations"].(map[string]any)
		for k, v := range annotations {
			i.annotations[k] = fmt.Sprint(v)
		}
		if class, ok := i.spec["ingressClassName"].(string); ok && class != "nginx" {
			continue
		}
		bad := false
		for _, alias := range strings.Split(i.annotation("server-alias"), ",") {
			bad = bad || strings.ContainsAny(strings.TrimSpace(alias), " ;'\"")
		}
		if !bad {
			all = append(all, i)
		}
	}
	sort.SliceStable(all, func(a, b int) bool {
		if all[a].created == all[b].created {
			return all[a].name > all[b].name
		}
		return all[a].created < all[b].created
	})
	return all
}

func (l *ctlLocation) apply(i ctlIngress) {
	l.cors = i.annotations
	l.regex = i.isTrue("use-regex")
	target := i.annotation("rewrite-target")
	l.rewrite = target != "" && target != l.path
}

func ctlHasService(backend any) bool {
	m, _ := backend.(map[string]any)
	return m["service"] != nil || m["serviceName"] != nil
}

func list(m any, key string) (l []map[string]any) {
	mm, _ := m.(map[string]any)
	items, _ := mm[key].([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			l = append(l, m)
		}
	}
	return l
}

// ctlServers is createServers, getBackendServers and updateServerLocations.
func ctlServers(all []ctlIngress) []*ctlServer {
	servers := map[string]*ctlServer{"_": {host: "_", locations: []*ctlLocation{{path: "/", pathType: "Prefix", idle: true}}}}
	hostOf := func(rule map[string]any) string {
		if host, _ := rule["host"].(string); host != "" {
			return host
		}
		return "_"
	}
	for _, i := range all {
		if i.isTrue("canary") {
			continue
		}
		backend := i.spec["defaultBackend"]
		if backend == nil {
			backend = i.spec["backend"]
		}
		rules := list(i.spec, "rules")
		if def := servers["_"].locations[0]; ctlHasService(backend) && def.idle && len(rules) == 0 {
			def.apply(i)
			def.idle, def.regex, def.rewrite = false, false, false
		}
		for _, rule := range rules {
			if servers[hostOf(rule)] != nil {
				continue
			}
			l := &ctlLocation{path: "/", pathType: "Prefix", idle: true}
			l.apply(i)
			servers[hostOf(rule)] = &ctlServer{host: hostOf(rule), locations: []*ctlLocation{l}}
			if ctlHasService(backend) {
				l.pathType = "Prefix routed"
			}
		}
	}
	for _, i := range all {
		if i.isTrue("canary") {
			continue
		}
		for _, rule := range list(i.spec, "rules") {
			s := servers[hostOf(rule)]
			if len(s.aliases) == 0 {
				for _, a := range strings.Split(i.annotation("server-alias"), ",") {
					if a = strings.TrimSpace(a); a != "" {
						s.aliases = append(s.aliases, a)
					}
				}
			}
			for _, p := range list(rule["http"], "paths") {
				if !ctlHasService(p["backend"]) {
					continue
				}
				path, _ := p["path"].(string)
				if path == "" {
					path = "/"
				}
				pathType, _ := p["pathType"].(string)
				if pathType != "Exact" {
					pathType = "Prefix"
				}
				add := true
				for _, l := range s.locations {
					if l.path != path {
						continue
					}
					if strings.TrimSuffix(l.pathType, " routed") != pathType {
						break
					}
					add = false
					if l.idle {
						l.idle, l.pathType = false, pathType
						l.apply(i)
					}
					break
				}
				if add {
					l := &ctlLocation{path: path, pathType: pathType}
					l.apply(i)
					s.locations = append(s.locations, l)
				}
			}
		}
	}
	var sorted []*ctlServer
	for _, s := range servers {
		sort.SliceStable(s.locations, func(i, j int) bool { return s.locations[i].path > s.locations[j].path })
		sort.SliceStable(s.locations, func(i, j int) bool { return len(s.locations[i].path) > len(s.locations[j].path) })
		exact := map[string]bool{}
		for _, l := range s.locations {
			exact[l.path] = exact[l.path] || l.pathType == "Exact"
		}
		var locations []*ctlLocation
		for _, l := range s.locations {
			locations = append(locations, l)
			if l.path == "/" || l.pathType != "Prefix" || l.rewrite || l.regex {
				continue
			}
			el := *l
			if !strings.HasSuffix(l.path, "/") {
				l.path += "/"
			}
			if !exact[el.path] {
				el.pathType = "Exact"
				locations = append(locations, &el)
			}
		}
		s.locations = locations
		sorted = append(sorted, s)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].host < sorted[j].host })
	for _, s := range sorted {
		var kept []string
		for _, a := range s.aliases {
			if servers[a] == nil {
				kept = append(kept, a)
			}
		}
		s.aliases = kept
	}
	return sorted
}

// ctlDuplicates reports whether a server has a location twice.
func ctlDuplicates(servers []*ctlServer) bool {
	for _, s := range servers {
		if slices.ContainsFunc(s.locations, func(l *ctlLocation) bool { return l.regex || l.rewrite }) {
			continue // expressions may stand twice
		}
		seen := map[string]bool{}
		for _, l := range s.locations {
			key := l.path
			if l.pathType == "Exact" {
				key = "= " + key
			}
			if seen[key] {
				return true
			}
			seen[key] = true
		}
	}
	return false
}

// ctlCORS is the template CORS, with add_header in the place of more_set_headers, which is a module that not every nginx
// has: the upstream sets none of these headers here.
func ctlCORS(annotations map[string]string) string {
	get := func(name string) string {
		return annotations["nginx.ingress.kubernetes.io/"+name]
	}
	if on, err := strconv.ParseBool(get("enable-cors")); err != nil || !on {
		return ""
	}
	valid := func(name string, has *regexp.Regexp) (string, bool) {
		v := get(name)
		if v != "" && (!has.MatchString(strings.ReplaceAll(v, " ", "")) || strings.ContainsAny(v, "\r\n")) {
			return "", false
		}
		v = strings.TrimSpace(v)
		return v, v != ""
	}
	var origins []string
	if text, ok := valid("cors-allow-origin", regexp.MustCompile(`^((((([a-z]+://)?(\*\.)?[A-Za-z0-9\-.]*(:\d+)?,?)|null)+)|\*)?$`)); ok {
		for _, o := range strings.Split(text, ",") {
			o = strings.TrimSpace(o)
			if o == "*" {
				origins = []string{"*"}
				break
			}
			if o != "" && regexp.MustCompile(`^([a-z]+://(\*\.)?[A-Za-z0-9\-.]*(:\d+)?|\*|null)?$`).MatchString(o) {
				origins = append(origins, o)
			}
		}
	} else {
		origins = []string{"*"}
	}
	headers, ok := valid("cors-allow-headers", regexp.MustCompile(`^[A-Za-z0-9-_, ]*$`))
	if !ok {
		headers = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"
	}
	methodsHave := regexp.MustCompile(`^([A-Za-z]+,?\s?)+$`)
	methods, ok := valid("cors-allow-methods", methodsHave)
	if !ok || !methodsHave.MatchString(methods) {
		methods = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
	}
	credentials, err := strconv.ParseBool(get("cors-allow-credentials"))
	credentials = credentials || err != nil
	exposeHas := regexp.MustCompile(`^(([A-Za-z0-9\-\_]+|\*),?\s?)+$`)
	expose, ok := valid("cors-expose-headers", exposeHas)
	if !ok || !exposeHas.MatchString(expose) {
		expose = ""
	}
	age, err := strconv.Atoi(get("cors-max-age"))
	if err != nil {
		age = 1728000
	}
	var b strings.Builder
	switch {
	case len(origins) == 1 && origins[0] == "*":
		b.WriteString("set $http_origin *; set $cors 'true';\n")
	case len(origins) > 0:
		var parts []string
		for _, o := range origins {
			parts = append(parts, "("+strings.Replace(regexp.QuoteMeta(o), `\*`, `[A-Za-z0-9\-]+`, 1)+")")
		}
		fmt.Fprintf(&b, "if ($http_origin ~* (%s)$ ) { set $cors 'true'; }\n", strings.Join(parts, "|"))
	}
	b.WriteString("if ($request_method = 'OPTIONS') { set $cors ${cors}options; }\n")
	for _, cors := range []string{"true", "trueoptions"} {
		fmt.Fprintf(&b, "if ($cors = %q) {\n add_header 'Access-Control-Allow-Origin' $http_origin always;\n", cors)
		if credentials {
			b.WriteString(" add_header 'Access-Control-Allow-Credentials' 'true' always;\n")
		}
		fmt.Fprintf(&b, " add_header 'Access-Control-Allow-Methods' '%s' always;\n add_header 'Access-Control-Allow-Headers' '%s' always;\n", methods, headers)
		if expose != "" {
			fmt.Fprintf(&b, " add_header 'Access-Control-Expose-Headers' '%s' always;\n", expose)
		}
		fmt.Fprintf(&b, " add_header 'Access-Control-Max-Age' '%d' always;\n", age)
		if cors == "trueoptions" {
			b.WriteString(" return 204;\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// ctlConfig is the servers of one set of Ingresses, at a socket.
func ctlConfig(socket string, servers []*ctlServer) string {
	var b strings.Builder
	for _, s := range servers {
		name, listen := s.host, ""
		switch {
		case s.host == "_":
			listen = " default_server"
		case strings.HasPrefix(s.host, "*."):
			name = `~^(?<subdomain>[\w-]+)\.` + strings.ReplaceAll(s.host[2:], ".", `\.`) + "$"
		}
		fmt.Fprintf(&b, "server {\n listen unix:%s%s;\n server_name %q", socket, listen, name)
		for _, a := range s.aliases {
			fmt.Fprintf(&b, " %q", a)
		}
		b.WriteString(";\n set $cors '';\n")
		regex := false
		for _, l := range s.locations {
			regex = regex || l.regex || l.rewrite
		}
		for _, l := range s.locations {
			path := strconv.Quote(l.path)
			switch {
			case regex:
				path = "~* " + strings.ReplaceAll(strconv.Quote("^"+l.path), `\\\\`, `\\`)
			case l.pathType == "Exact":
				path = "= " + path
			}
			up := "up"
			if l.idle && l.pathType == "Prefix" {
				up = "none"
			}
			fmt.Fprintf(&b, " location %s {\n%s proxy_pass http://%s;\n }\n", path, ctlCORS(l.cors), up)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// A realNginx answers for sets of Ingresses, each at a socket of its own.
type realNginx struct{ dir string }

func (n *realNginx) socket(name string) string { return filepath.Join(n.dir, name+".sock") }

// startNginx starts an nginx with one part for each name. Where none is installed the test is skipped, or fails if
// everything has to be there.
func startNginx(t *testing.T, parts map[string][]*ctlServer) *realNginx {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path = "/usr/sbin/nginx"; !isFile(path) {
			if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
				t.Fatal("there is no nginx")
			}
			t.Skip("SKIPPED, not tested: there is no nginx")
		}
	}
	dir, err := os.MkdirTemp("", "cors") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &realNginx{dir}
	var b strings.Builder
	fmt.Fprintf(&b, "daemon off;\nmaster_process off;\npid %s/pid;\nerror_log %s/error.log;\nevents {}\nhttp {\naccess_log off;\nserver_names_hash_bucket_size 256;\nserver_names_hash_max_size 4096;\n", dir, dir)
	for _, d := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", d, dir, d)
	}
	fmt.Fprintf(&b, "upstream up { server unix:%s; }\nupstream none { server unix:%s; }\n", n.socket("up"), n.socket("none"))
	fmt.Fprintf(&b, "server { listen unix:%s; location / { return 200; } }\nserver { listen unix:%s; location / { add_header X-Idle 1 always; return 404; } }\n", n.socket("up"), n.socket("none"))
	for name, servers := range parts {
		b.WriteString(ctlConfig(n.socket(name), servers))
	}
	b.WriteString("}\n")
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-c", conf)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		ended <- nil
	})
	for range 600 {
		if isFile(n.socket("up")) && isFile(filepath.Join(dir, "pid")) {
			return n
		}
		select {
		case err := <-ended:
			ended <- nil
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx ended: %v\n%s\n%s", err, said.String(), log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("nginx does not start")
	return nil
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
