package admin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	styleCSS []byte

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// pageData is what the page shows.
type pageData struct {
	Version      string
	Ready        bool
	Hash         string
	Since        time.Time
	Policies     nameList
	VirtualHosts nameList
	Pprof        bool

	// Of the last attempt, if it failed.
	FailedAt time.Time
	Failure  []*corsprocv1.Finding
}

// nameList is the beginning of a list.
type nameList struct {
	Names []string
	Total int
}

// More returns how many names the page leaves out.
func (l nameList) More() int { return l.Total - len(l.Names) }

func listOf(names []string) nameList {
	l := nameList{Names: names, Total: len(names)}
	if l.Total > maxNames {
		l.Names = names[:maxNames]
	}
	return l
}

func page(source Source) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status := source.Status()
		data := pageData{
			Version:      source.Version,
			Ready:        source.Ready(),
			Hash:         status.InForce.Hash,
			Since:        status.Since.UTC(),
			Policies:     listOf(slices.Sorted(status.InForce.Set.Policies())),
			VirtualHosts: listOf(slices.Sorted(status.InForce.Set.VirtualHosts())),
			Pprof:        source.Pprof,
		}
		if !status.Last.Good() {
			data.FailedAt = status.Last.Time.UTC()
			data.Failure = findingsOf(source.Policies, status.Last)
		}
		// Into memory first: an error half-way through a page could not be told any more.
		var buf bytes.Buffer
		if err := pageTemplate.Execute(&buf, data); err != nil {
			http.Error(w, "The page could not be made: "+err.Error()+".", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(buf.Bytes())
	}
}

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(styleCSS)
}
