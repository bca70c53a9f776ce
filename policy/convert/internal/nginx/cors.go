package nginx

// Tested by policy/convert/ingressnginx_test.go and policy/convert/ingressnginx_nginx_test.go.

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What values have to look like, as the controller has it. A value that does not counts as if it were not there.
var (
	// corsOrigins is a value of cors-allow-origin as a whole, without blanks.
	corsOrigins = regexp.MustCompile(`^((((([a-z]+://)?(\*\.)?[A-Za-z0-9\-.]*(:\d+)?,?)|null)+)|\*)?$`)
	// corsOrigin is one origin in it.
	corsOrigin    = regexp.MustCompile(`^(?:([a-z]+)://((?:\*\.)?[A-Za-z0-9\-.]*)(:\d+)?|\*|null)?$`)
	corsMethods   = regexp.MustCompile(`^([A-Za-z]+,?\s?)+$`)
	corsHeaders   = regexp.MustCompile(`^[A-Za-z0-9-_, ]*$`)
	corsExpose    = regexp.MustCompile(`^(([A-Za-z0-9\-\_]+|\*),?\s?)+$`)
	rewriteTarget = regexp.MustCompile(`^/?[\-\.\_\~a-zA-Z0-9\/:\/\$]*$`)
	serverName    = regexp.MustCompile(`^[/\-\.\_\~a-zA-Z0-9\/:\^\$\[\]\(\)\{\}\*\+\?\|&=\\]*$`)
)

const (
	defaultCORSMethods = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
	defaultCORSHeaders = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"
	defaultCORSMaxAge  = 1728000
)

// A nginxFlag is an annotation that is true or false.
type nginxFlag struct {
	value  bool
	set    bool // and valid
	broken bool // there, and neither
	at     source.Position
	text   string
}

// flag reads an annotation as the controller does: as a Go boolean (1, t, T, TRUE, true, True, and so on).
func (i *ingress) flag(name string) (nginxFlag, error) {
	f, err := i.Annotation(nginxPrefix + name)
	if err != nil || !f.Set() {
		return nginxFlag{at: i.Position(kube.Place{})}, err
	}
	value, wrong := strconv.ParseBool(f.Value)
	return nginxFlag{value, wrong == nil, wrong != nil, i.Position(f.Place), f.Value}, nil
}

// text reads an annotation that has to match an expression, without blanks and with them. ok: it counts.
func (i *ingress) text(name string, has *regexp.Regexp) (value string, at source.Position, written, ok bool, err error) {
	f, err := i.Annotation(nginxPrefix + name)
	if err != nil || !f.Set() {
		return "", i.Position(kube.Place{}), false, false, err
	}
	at = i.Position(f.Place)
	value = strings.TrimSpace(f.Value)
	valid := value != "" && !strings.ContainsAny(f.Value, "\r\n") && has.MatchString(strings.ReplaceAll(f.Value, " ", ""))
	return value, at, true, valid, nil
}

// readCORS reads the annotations of CORS.
func (i *ingress) readCORS(b *build.Builder) (build.Place, error) {
	enabled, err := i.flag("enable-cors")
	p := build.Place{At: enabled.at}
	switch {
	case err != nil:
		return p, err
	case enabled.broken:
		p.Notes.Add(fmt.Sprintf("enable-cors: %s is no boolean to the controller, so there is no CORS", printable.Cut(strconv.Quote(enabled.text))))
		return p, nil
	case !enabled.value:
		i.warnOfLegacy(b, &p)
		return p, nil
	}
	q := &build.Proposal{Policy: &corsprocv1.Policy{}, Name: i.Name(), At: enabled.at}
	origins, at, written, ok, err := i.text("cors-allow-origin", corsOrigins)
	if err != nil {
		return p, err
	}
	switch {
	case !written:
		origins = "*"
		q.Notes.Add("cors-allow-origin is not set: everybody may read")
	case !ok && !slices.ContainsFunc(strings.Split(origins, ","), isStar):
		b.Warn(&p.Notes, at, codeWiderThere, "cors-allow-origin",
			"the controller finds this value invalid as a whole, and lets in every origin instead, which nobody can have meant: it is left out, so nobody is let in here; write the origins that are meant, or *")
		p.Nobody = true
		return p, nil
	}
	i.addOrigins(b, q, origins, at)
	if len(q.Policy.AllowOrigins)+len(q.Policy.AllowOriginRegexes) == 0 {
		p.Notes.Add(q.Notes.Texts...)
		p.Notes.Add("no origin is left of cors-allow-origin, so there is no CORS")
		return p, nil
	}
	if err := i.addCredentials(q); err != nil {
		return p, err
	}
	if err := i.addLists(b, q); err != nil {
		return p, err
	}
	if err := i.addMaxAge(q); err != nil {
		return p, err
	}
	p.Policies = []*build.Proposal{q}
	return p, nil
}

// isStar reports whether an entry of a list of origins is a star. Beside others it makes the value invalid, or swallows them:
// whichever it is, everybody is let in, and that is what it says.
func isStar(entry string) bool { return strings.TrimSpace(entry) == "*" }

// warnOfLegacy speaks of annotations under the prefix that was dropped.
func (i *ingress) warnOfLegacy(b *build.Builder, p *build.Place) {
	if f := i.Meta.Annotations.Get(legacyPrefix + "enable-cors"); f.Set() {
		b.Warn(&p.Notes, i.Position(f.Place), codeOtherClass, "enable-cors",
			"the controller has not read "+legacyPrefix+" since version 0.9, so there is no CORS; if yours was started with --annotations-prefix, write "+nginxPrefix+" before the names and import again")
	}
}

// addOrigins reads a valid list of origins. Each is an expression there, of which only the end is anchored and case is
// ignored; what browsers send is a scheme, a host in lower case and a port, so that an origin matches as a pattern does.
func (i *ingress) addOrigins(b *build.Builder, q *build.Proposal, list string, at source.Position) {
	origins := strings.Split(list, ",")
	if slices.ContainsFunc(origins, isStar) {
		q.Policy.AllowOrigins = []string{"*"}
		return
	}
	for _, origin := range origins {
		origin = strings.TrimSpace(origin)
		parts := corsOrigin.FindStringSubmatch(origin)
		switch {
		case origin == "":
		case origin == "null":
			q.Policy.AllowOrigins = append(q.Policy.AllowOrigins, "null")
			b.Warn(&q.Notes, at, codeNull, "cors-allow-origin", "null also lets in every origin that ends in null there, such as https://dev-null: here it is the opaque origin alone; list others if there are any")
		case parts == nil:
			q.Notes.Add(fmt.Sprintf("%s is skipped there: an origin begins with a scheme", printable.Cut(strconv.Quote(origin))))
		case !sendable(parts[1], parts[2], parts[3]):
			q.Notes.Add(fmt.Sprintf("%s is nothing that a browser sends, so it lets nobody in", printable.Cut(strconv.Quote(origin))))
		default:
			addOrigin(q.Policy, parts[1], parts[2], parts[3])
		}
	}
}

// sendable reports whether a browser can send an origin: it has a host, and no port that it leaves out or that is none.
func sendable(scheme, host, port string) bool {
	n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16)
	switch {
	case strings.TrimPrefix(host, "*.") == "":
		return false
	case port == "":
		return true
	case err != nil || port[1] == '0' && len(port) > 2:
		return false
	}
	return (scheme != "http" || n != 80) && (scheme != "https" || n != 443)
}

func addOrigin(p *corsprocv1.Policy, scheme, host, port string) {
	lower := strings.ToLower(host)
	switch rest, wildcard := strings.CutPrefix(lower, "*."); {
	case wildcard && (scheme == "http" || scheme == "https"):
		p.AllowOriginRegexes = append(p.AllowOriginRegexes, scheme+"://[a-z0-9-]+"+regexp.QuoteMeta("."+rest+port))
	case wildcard: // browsers leave the case of such a host as it is
		p.AllowOriginRegexes = append(p.AllowOriginRegexes, "(?i)"+scheme+"://[a-z0-9-]+"+regexp.QuoteMeta("."+rest+port))
	default:
		p.AllowOrigins = append(p.AllowOrigins, scheme+"://"+lower+port)
		if host != lower && scheme != "http" && scheme != "https" {
			p.AllowOrigins = append(p.AllowOrigins, scheme+"://"+host+port)
		}
	}
}

// addCredentials reads cors-allow-credentials, which is true where it is not there or no boolean. Beside * browsers refuse
// credentials, since the controller sends the star itself.
func (i *ingress) addCredentials(q *build.Proposal) error {
	f, err := i.flag("cors-allow-credentials")
	if err != nil {
		return err
	}
	allowed := f.value || !f.set
	if slices.Contains(q.Policy.AllowOrigins, "*") {
		if f.value {
			q.Notes.Add(`cors-allow-credentials has no effect beside "*": browsers refuse the two together`)
		}
		return nil
	}
	q.Policy.AllowCredentials = allowed
	switch {
	case f.broken:
		q.Notes.Add(fmt.Sprintf("cors-allow-credentials: %s is no boolean to the controller, and its default is true", printable.Cut(strconv.Quote(f.text))))
	case !f.set:
		q.Notes.Add("cors-allow-credentials is not set, and the default is true")
	}
	return nil
}

// addLists reads methods and header names. The controller writes each value into a header as it is.
func (i *ingress) addLists(b *build.Builder, q *build.Proposal) error {
	methods, at, written, ok, err := i.text("cors-allow-methods", corsMethods)
	if err != nil {
		return err
	}
	if !ok || !corsMethods.MatchString(methods) {
		if written {
			q.Notes.Add("cors-allow-methods is invalid there, so the default list holds")
		}
		methods = defaultCORSMethods
	}
	headers, headersAt, written, ok, err := i.text("cors-allow-headers", corsHeaders)
	if err != nil {
		return err
	}
	if !ok || !corsHeaders.MatchString(headers) {
		if written {
			q.Notes.Add("cors-allow-headers is invalid there, so the default list holds")
		}
		headers = defaultCORSHeaders
	}
	var readable, alsoReadable bool
	q.Policy.AllowMethods, readable = listed(methods)
	q.Policy.AllowHeaders, alsoReadable = listed(headers)
	if !readable || !alsoReadable { // Fetch, "CORS-preflight fetch", step 7.4
		name := "cors-allow-methods"
		if readable {
			name, at = "cors-allow-headers", headersAt
		}
		q.Policy.AllowMethods, q.Policy.AllowHeaders = nil, nil
		b.Warn(&q.Notes, at, codePreflight, name,
			"browsers refuse every preflight there, since this value is no list with commas: no method and no header is allowed here either, but a preflight for GET, HEAD or POST without headers is; put commas in and import again if the list is meant")
	}
	q.Policy.AllowMethods = slices.DeleteFunc(q.Policy.AllowMethods, func(m string) bool {
		lower := strings.ToUpper(m) != m
		if lower {
			q.Notes.Add(fmt.Sprintf("%s is left out: nginx answers a method in lower case with 400, and without CORS", m))
		}
		return lower
	})
	expose, at, written, ok, err := i.text("cors-expose-headers", corsExpose)
	if err != nil {
		return err
	}
	names, readable := listed(expose)
	switch {
	case !written:
	case !ok || !corsExpose.MatchString(expose):
		q.Notes.Add("cors-expose-headers is invalid there, so nothing is exposed")
	case !readable:
		q.Notes.Add("browsers expose nothing there, since cors-expose-headers is no list with commas")
	default:
		q.Policy.ExposeHeaders = build.ExposeWithCredentials(b, q, at, "cors-expose-headers", names)
	}
	return nil
}

// listed returns the entries of a header that is a list. It is not ok if browsers find it malformed.
func listed(value string) (list []string, ok bool) {
	for _, s := range strings.Split(value, ",") {
		s = strings.Trim(s, " \t")
		if strings.ContainsAny(s, " \t") {
			return nil, false
		}
		if s != "" {
			list = append(list, s)
		}
	}
	return build.Once(list, false), true
}

func (i *ingress) addMaxAge(q *build.Proposal) error {
	f, err := i.Annotation(nginxPrefix + "cors-max-age")
	if err != nil {
		return err
	}
	seconds := defaultCORSMaxAge
	if f.Set() {
		if n, err := strconv.Atoi(f.Value); err == nil {
			seconds = n
		} else {
			q.Notes.Add(fmt.Sprintf("cors-max-age is no number to the controller, so its default holds, %d", defaultCORSMaxAge))
		}
	}
	if seconds < 0 {
		q.Notes.Add("cors-max-age is negative, which no browser keeps")
	}
	q.Policy.MaxAge = proto.String(build.Duration(int64(min(max(seconds, 0), build.MaxPolicyAge))))
	return nil
}
