package admin

// Tested by handler_test.go and server/adminpage_test.go.

import (
	"embed"
	"html/template"
	"net/http"
	"path"
)

// pageFiles are the page and all that it loads.
//
//go:embed page/index.html page/*.css page/*.js page/*.svg
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page/index.html"))

// page serves the page: a frame, which its scripts fill with what the admin API tells.
func page(source Source) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		pageTemplate.Execute(w, source) // it fails where nobody reads the answer any more
	}
}

// pageTypes are the media types of the files beside the page. Those that the system knows may be others.
var pageTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// pageFile serves what the page loads.
func pageFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	mediaType := pageTypes[path.Ext(name)]
	data, err := pageFiles.ReadFile("page/" + name)
	if err != nil || mediaType == "" {
		nothing(w, r)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Write(data)
}
