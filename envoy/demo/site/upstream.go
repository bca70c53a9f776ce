package site

// Tested by envoy/e2e/demo_test.go.

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// maxEcho is how much of a request's body is sent back.
const maxEcho = 64 << 10

// Upstream is the API behind Envoy: it echoes requests, draws a picture and sets a cookie. It has never heard of CORS.
func Upstream() http.Handler {
	u := &upstream{picture: drawPicture()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /picture.png", u.servePicture)
	mux.HandleFunc("/login", u.login)
	mux.HandleFunc("/", u.echo)
	return u.count(mux)
}

type upstream struct {
	preflights atomic.Int64
	picture    []byte
}

// count counts the preflights that get this far: none, as long as corsproc answers them.
func (u *upstream) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			u.preflights.Add(1)
		}
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id")) // Envoy's; the demo's policy exposes it
		w.Header().Set("X-Served-By", "echo")                        // which no policy exposes
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// echoed is what the upstream tells of a request.
type echoed struct {
	Method     string            `json:"method"`
	Host       string            `json:"host"`
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers"`
	Cookies    map[string]string `json:"cookies"`
	Body       string            `json:"body"`
	Preflights int64             `json:"preflights_seen"` // since the upstream started
}

func (u *upstream) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEcho))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	e := echoed{Method: r.Method, Host: r.Host, Path: r.URL.RequestURI(), Headers: map[string]string{}, Cookies: map[string]string{},
		Body: string(body), Preflights: u.preflights.Load()}
	for _, name := range []string{"Origin", "Content-Type", "X-Custom-Header"} {
		if v := r.Header.Get(name); v != "" {
			e.Headers[name] = v
		}
	}
	for _, c := range r.Cookies() {
		e.Cookies[c.Name] = c.Value
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(e) // the client has gone: there is nobody to tell
}

// login sets the cookie that the credentialed request is about. Ports make no difference to a site, so a browser sends it
// from the demo's page too.
func (u *upstream) login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "corsproc_demo", Value: "signed-in", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 3600})
	u.echo(w, r)
}

func (u *upstream) servePicture(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "picture.png", time.Time{}, bytes.NewReader(u.picture))
}

// drawPicture draws hills before an evening sky: something to look at, whose pixels a page may or may not read.
func drawPicture() []byte {
	const width, height = 480, 240
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	sky := func(y int) color.RGBA {
		t := float64(y) / height
		return color.RGBA{uint8(60 + 190*t), uint8(70 + 100*t), uint8(150 - 40*t), 255}
	}
	hills := []struct {
		base, swing, length, phase float64
		c                          color.RGBA
	}{
		{150, 22, 60, 0.4, color.RGBA{110, 84, 130, 255}},
		{178, 18, 44, 2.1, color.RGBA{78, 60, 110, 255}},
		{206, 12, 70, 4.0, color.RGBA{44, 38, 80, 255}},
	}
	for y := range height {
		for x := range width {
			c := sky(y)
			if dx, dy := float64(x-352), float64(y-104); dx*dx+dy*dy < 34*34 {
				c = color.RGBA{255, 226, 158, 255}
			}
			for _, h := range hills {
				if float64(y) > h.base+h.swing*math.Sin(float64(x)/h.length+h.phase) {
					c = h.c
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, img); err != nil {
		panic(err) // an image in memory into a buffer in memory
	}
	return buffer.Bytes()
}
