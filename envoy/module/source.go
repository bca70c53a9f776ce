//go:build cgo

package main

// #include "module.h"
// #include <stdlib.h>
import "C"

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/corsproc/corsproc/internal/aside"
	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/server/logs"
)

// A source is a path of policies, watched once however many filters name it, and no longer than one does.
type source struct {
	id       uint32
	path     string // as the first filter that names it writes it, and as messages do
	key      string
	shared   *C.struct_source // what C sees of it
	current  atomic.Pointer[inForce]
	level    slog.LevelVar
	log      *slog.Logger
	refusals *logs.Refusals

	// One load at a time, which takes seconds for a very large set.
	loading sync.Mutex
	loader  *policydir.Loader

	// Below the registry's lock, which nobody holds for long: workers may have to wait for it.
	users    []*C.struct_config
	good     bool // the latest attempt to load it succeeded, or there was none
	interval time.Duration
	ctx      context.Context // ends with the last user
	end      context.CancelFunc
	unwatch  context.CancelFunc // nil: nothing is watched
}

// inForce is a set in force.
type inForce struct {
	source *source
	result *policyfile.Result
	number uint64 // no other set of this process has it
}

// registry holds the sources by their paths, as [keyOf] has them, and by the numbers by which C knows them.
type registry struct {
	mu     sync.Mutex
	byPath map[string]*source
	byID   atomic.Pointer[[]*source]
	sets   uint64 // how many sets were in force
}

var sources = registry{byPath: map[string]*source{}}

// at returns the source of a number, on any thread.
func (r *registry) at(id uint32) *source { return (*r.byID.Load())[id] }

// join enters a configuration as a user of the policies it names, whose source it then knows. It reports false where they do
// not load, and has said why. Where validate is set, nothing is watched.
func join(s settings, c *C.struct_config, validate bool) bool {
	src := sources.enter(s.policies, c)
	before := src.level.Level()
	src.level.Set(s.logLevel)
	// Whoever is new is told what the files hold now, also where others go on with the last good set.
	a := src.load()
	if !a.Good() {
		report(src.log, "the configuration is rejected: the policies do not load", &a, noLimit)
		src.level.Set(before)
		leave(c)
		return false
	}
	if !validate {
		src.watch(s.reloadInterval)
	}
	return true
}

// enter enters a user of a path.
func (r *registry) enter(path string, c *C.struct_config) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := keyOf(path)
	src := r.byPath[key]
	if src == nil {
		src = r.add(path, key)
	}
	src.users = append(src.users, c)
	c.source, c.id = src.shared, C.uint32_t(src.id)
	return src
}

// keyOf returns a spelling that paths share which are the same however links lead: absolute, without empty elements and ".".
// [filepath.Clean] would also take out "..", and "link/../policies.yaml" is another file than "policies.yaml" where link leads
// elsewhere: a filter would have the policies of another.
func keyOf(path string) string {
	if !filepath.IsAbs(path) {
		if dir, err := os.Getwd(); err == nil {
			path = dir + "/" + path
		}
	}
	var key strings.Builder
	for element := range strings.SplitSeq(path, "/") {
		if element != "" && element != "." {
			key.WriteString("/" + element)
		}
	}
	return key.String()
}

// leave ends what [join] began.
func leave(c *C.struct_config) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	src := sources.at(uint32(c.id))
	src.users = slices.DeleteFunc(src.users, func(u *C.struct_config) bool { return u == c })
	if len(src.users) == 0 {
		sources.remove(src)
	}
}

// add makes a source, with a number and the memory that C sees.
func (r *registry) add(path, key string) *source {
	src := &source{path: path, key: key, loader: policydir.NewLoader(path, aside.Do), good: true}
	src.ctx, src.end = context.WithCancel(context.Background())
	src.log = newLogger(&src.level)
	src.refusals = logs.NewRefusals(src.log, src.locate)
	src.shared = (*C.struct_source)(C.calloc(1, C.sizeof_struct_source))
	var all []*source
	if old := r.byID.Load(); old != nil {
		all = slices.Clone(*old)
	}
	i := slices.Index(all, nil)
	if i < 0 {
		i, all = len(all), append(all, nil)
	}
	all[i], src.id = src, uint32(i)
	r.byID.Store(&all)
	r.byPath[key] = src
	return src
}

// remove forgets a source that nobody uses.
func (r *registry) remove(src *source) {
	src.end()
	all := slices.Clone(*r.byID.Load())
	all[src.id] = nil
	r.byID.Store(&all)
	delete(r.byPath, src.key)
	C.free(unsafe.Pointer(src.shared))
	src.shared = nil
	C.corsproc_new_epoch()
	r.publish(nil)
}

// publish has Envoy's main thread tell what became of a source, and what the gauges of all are: filters of one
// metrics_namespace have one gauge, and a path that loads must not hide one that does not. Several hashes are added up, so that
// Envoys with the same sets show the same number, whatever was loaded last.
func (r *registry) publish(attempted *source) {
	good, hash := uint32(1), uint64(0)
	for _, src := range r.byPath {
		if !src.good {
			good = 0
		}
		if now := src.current.Load(); now != nil {
			hash += hash48(now.result.Hash)
		}
	}
	hash %= 1 << 48
	for _, src := range r.byPath {
		goodBefore := atomic.SwapUint32((*uint32)(&src.shared.good), good)
		hashBefore := atomic.SwapUint64((*uint64)(&src.shared.hash), hash)
		if goodBefore == good && hashBefore == hash && src != attempted {
			continue
		}
		for _, u := range src.users {
			C.envoy_dynamic_module_callback_http_filter_config_scheduler_commit(u.scheduler, 0)
		}
	}
}

// watch begins to watch, or goes on with another interval.
func (s *source) watch(interval time.Duration) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	switch {
	case s.unwatch == nil:
		go untilDone(s.ctx, func() { s.refusals.Run(s.ctx) })
	case s.interval == interval:
		return
	default:
		s.unwatch()
	}
	var ctx context.Context
	ctx, s.unwatch = context.WithCancel(s.ctx)
	s.interval = interval
	origins := s.loader.Origins
	go untilDone(ctx, func() {
		if err := policydir.Watch(ctx, s.path, interval, origins, func() { s.reload(ctx) }); err != nil {
			s.log.Error("the policies are not watched", "error", err)
		}
	})
}

// afterFault is how long work waits that met a fault of ours: the next one may come at once.
const afterFault = time.Second

// untilDone does the work of a goroutine. A panic that nobody recovers there would end Envoy; after one the work is begun anew, unless
// ctx is done.
func untilDone(ctx context.Context, work func()) {
	for faulted(work) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(afterFault):
		}
	}
}

// faulted does work, and reports whether it met a fault of ours.
func faulted(work func()) (faulted bool) {
	defer func() {
		if r := recover(); r != nil {
			panicked(r)
			faulted = true
		}
	}()
	work()
	return false
}

// errFault is what became of an attempt that met a fault of ours, which is logged by itself.
var errFault = errors.New("internal error")

// reload looks at the files again, unless that watch is over. A fault of ours ends neither it nor Envoy: the attempt failed.
func (s *source) reload(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if faulted(func() {
		// Where the last user left meanwhile, there is nothing in force, and Envoy may be ending.
		if a := s.load(); !a.Unchanged && !a.Good() && s.ctx.Err() == nil {
			report(s.log, "policies not loaded; the last good set stays in force", &a, maxReported)
		}
	}) {
		s.take(policydir.Attempt{Err: errFault})
	}
}

// load looks at the files, and takes what it finds.
func (s *source) load() policydir.Attempt {
	s.loading.Lock()
	defer s.loading.Unlock()
	a := s.loader.Load()
	if (!a.Unchanged || s.isOver(&a)) && s.take(a) && a.Good() {
		s.log.Info("policies loaded", "path", s.path, "hash", a.Result.Hash, "warnings", count(a.Result, finding.Warning))
	}
	return a
}

// isOver reports whether a fault of ours is: the files hold the good content again that they held before it.
func (s *source) isOver(a *policydir.Attempt) bool {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	return a.Good() && !s.good
}

// take puts the set of an attempt in force if it is a good one, and has Envoy's main thread count the attempt. It reports
// false where nobody uses the source any more.
func (s *source) take(a policydir.Attempt) bool {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	if s.shared == nil {
		return false
	}
	if a.Good() {
		sources.sets++
		s.current.Store(&inForce{s, a.Result, sources.sets})
		atomic.StoreUint64((*uint64)(&s.shared.set), sources.sets)
		atomic.AddUint32((*uint32)(&s.shared.successes), 1)
		C.corsproc_new_epoch()
	} else {
		atomic.AddUint32((*uint32)(&s.shared.failures), 1)
	}
	s.good = a.Good()
	sources.publish(s)
	return true
}

func count(r *policyfile.Result, severity finding.Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// hash48 returns the first 48 bits of a hash in hexadecimal: as many as a gauge can hold that is read as a double.
func hash48(hash string) uint64 {
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b) >> 16
}

// locate returns where a rule of a set stands: file:line:column; "" if the set is not in force any more, or no file says it.
func (s *source) locate(set *policy.Set, rule policy.Rule) string {
	return s.current.Load().result.Where(set, rule)
}

// How many findings of one bad content are logged. Who configures a filter is told all of them, as by corsproc check; of what
// somebody else edits meanwhile, Envoy's log need not have more than tell where to look.
const (
	noLimit     = math.MaxInt
	maxReported = 1000
)

// report logs why an attempt failed, one line for each finding. Errors come first: they alone keep a set from loading.
func report(log *slog.Logger, what string, a *policydir.Attempt, most int) {
	if a.Err != nil {
		log.Error(what, "error", a.Err)
		return
	}
	findings := slices.Clone(a.Result.Findings)
	slices.SortStableFunc(findings, func(x, y finding.Diagnostic) int { return cmp.Compare(x.Severity, y.Severity) })
	log.Error(what, "hash", a.Result.Hash, "findings", len(findings))
	for i, f := range findings {
		if i == most {
			log.Error("further findings are not logged; corsproc check shows them", "count", len(findings)-i)
			return
		}
		log.Log(context.Background(), levels[f.Severity], "finding", attributes(f)...)
	}
}

var levels = [...]slog.Level{finding.Error: slog.LevelError, finding.Warning: slog.LevelWarn, finding.Hint: slog.LevelInfo}

func attributes(f finding.Diagnostic) []any {
	all := []any{
		"place", f.FileLine(), "severity", f.Severity.String(),
		"code", string(f.Code), "field", f.Field, "message", f.Message,
	}
	if f.Fix != "" {
		all = append(all, "fix", f.Fix)
	}
	if other := f.Related; other != nil {
		all = append(all, "see", other.FileLine())
	}
	return all
}
