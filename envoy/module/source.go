//go:build cgo

package main

// #include "module.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/logs"
)

// A source is a path of policies, watched once however many filters name it, and no longer than one does.
type source struct {
	id       uint32
	path     string
	shared   *C.struct_source // what C sees of it
	current  atomic.Pointer[inForce]
	level    slog.LevelVar
	log      *slog.Logger
	refusals *logs.Refusals

	// Below the registry's lock:
	load     func() policyfile.Attempt
	users    []*C.struct_config
	interval time.Duration
	stop     context.CancelFunc // of everything; nil: nothing runs
	unwatch  context.CancelFunc
}

// inForce is a set in force.
type inForce struct {
	source *source
	result *policyfile.Result
	number uint64 // no other set of this process has it
}

// registry holds the sources by their paths, and by the numbers by which C knows them.
type registry struct {
	mu     sync.Mutex
	byPath map[string]*source
	byID   atomic.Pointer[[]*source]
	sets   uint64 // how many sets were in force
}

var sources = registry{byPath: map[string]*source{}}

// at returns the source of a number, on any thread.
func (r *registry) at(id uint32) *source { return (*r.byID.Load())[id] }

// join enters a configuration as a user of the policies it names. It returns nil where they do not load, and has said why.
// Where validate is set, nothing is watched.
func join(s settings, c *C.struct_config, validate bool) *source {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	src := sources.byPath[s.policies]
	if src == nil {
		src = &source{path: s.policies, load: policyfile.NewLoader(s.policies, nil).Load}
		src.log = newLogger(&src.level)
		src.refusals = logs.NewRefusals(src.log, src.locate)
	}
	before := src.level.Level()
	src.level.Set(s.logLevel)
	// Whoever is new is told what the files hold now, also where others go on with the last good set.
	a := src.load()
	if !a.Good() {
		src.level.Set(before)
		report(src.log, "the configuration is rejected: the policies do not load", &a)
		src.take(a)
		return nil
	}
	if src.users == nil {
		sources.add(src)
	}
	src.take(a)
	src.users = append(src.users, c)
	if !validate {
		src.run(s.reloadInterval)
	}
	return src
}

// leave ends what corsprocConfigure began.
func leave(c *C.struct_config) {
	sources.mu.Lock()
	defer sources.mu.Unlock()
	src := sources.at(uint32(c.id))
	src.users = slices.DeleteFunc(src.users, func(u *C.struct_config) bool { return u == c })
	if len(src.users) > 0 {
		return
	}
	if src.stop != nil {
		src.stop()
	}
	sources.remove(src)
}

// add gives a source a number and the memory that C sees.
func (r *registry) add(src *source) {
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
	r.byPath[src.path] = src
}

// remove forgets a source that nobody uses.
func (r *registry) remove(src *source) {
	all := slices.Clone(*r.byID.Load())
	all[src.id] = nil
	r.byID.Store(&all)
	delete(r.byPath, src.path)
	C.free(unsafe.Pointer(src.shared))
	src.shared = nil
	C.corsproc_new_epoch()
}

// run begins to watch, or goes on with another interval.
func (s *source) run(interval time.Duration) {
	if s.stop == nil {
		var ctx context.Context
		ctx, s.stop = context.WithCancel(context.Background())
		go s.refusals.Run(ctx)
	} else if s.interval == interval {
		return
	} else {
		s.unwatch()
	}
	s.interval = interval
	ctx, cancel := context.WithCancel(context.Background())
	s.unwatch = cancel
	stop := s.stop
	s.stop = func() { stop(); cancel() }
	go func() {
		if err := policyfile.Watch(ctx, s.path, interval, func() { s.reload(ctx) }); err != nil {
			s.log.Error("the policies are not watched", "error", err)
		}
	}()
}

// reload looks at the files again, unless the watch is over.
func (s *source) reload(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			panicked(r)
		}
	}()
	sources.mu.Lock()
	defer sources.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	a := s.load()
	s.take(a)
	if !a.Unchanged && !a.Good() {
		report(s.log, "policies not loaded; the last good set stays in force", &a)
	}
}

// take puts the set of an attempt in force if it is a good one, and has Envoy's main thread count the attempt. Unchanged
// files are no news.
func (s *source) take(a policyfile.Attempt) {
	if a.Unchanged || s.shared == nil {
		return
	}
	if a.Good() {
		sources.sets++
		s.current.Store(&inForce{s, a.Result, sources.sets})
		store64(&s.shared.set, sources.sets)
		store64(&s.shared.hash, hash48(a.Result.Hash))
		store32(&s.shared.good, 1)
		add32(&s.shared.successes, 1)
		C.corsproc_new_epoch()
		warnings := 0
		for _, f := range a.Result.Findings {
			if f.GetSeverity() == finding.Warning.String() {
				warnings++
			}
		}
		s.log.Info("policies loaded", "path", s.path, "hash", a.Result.Hash, "warnings", warnings)
	} else {
		store32(&s.shared.good, 0)
		add32(&s.shared.failures, 1)
	}
	for _, u := range s.users {
		C.envoy_dynamic_module_callback_http_filter_config_scheduler_commit(u.scheduler, 0)
	}
}

// hash48 returns the first 48 bits of a hash in hexadecimal: as many as a gauge can hold that is read as a double.
func hash48(hash string) uint64 {
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b) >> 16
}

func store64(to *C.uint64_t, v uint64) { atomic.StoreUint64((*uint64)(unsafe.Pointer(to)), v) }
func store32(to *C.uint32_t, v uint32) { atomic.StoreUint32((*uint32)(unsafe.Pointer(to)), v) }
func add32(to *C.uint32_t, v uint32)   { atomic.AddUint32((*uint32)(unsafe.Pointer(to)), v) }

// locate returns where a rule of a set stands: file:line:column; "" if the set is not in force any more, or no file says it.
func (s *source) locate(set *policy.Set, rule policy.Rule) string {
	now := s.current.Load()
	if now.result.Set != set {
		return ""
	}
	l := now.result.Location(rule)
	if l == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", l.GetFile(), l.GetLine(), l.GetColumn())
}

// maxReported bounds how many findings of one bad content are logged.
const maxReported = 1000

// report logs why an attempt failed, one line for each finding.
func report(log *slog.Logger, what string, a *policyfile.Attempt) {
	if a.Err != nil {
		log.Error(what, "error", a.Err)
		return
	}
	log.Error(what, "hash", a.Result.Hash, "findings", len(a.Result.Findings))
	for i, f := range a.Result.Findings {
		if i == maxReported {
			log.Error("further findings are not logged; corsproc check shows them", "count", len(a.Result.Findings)-i)
			return
		}
		log.Log(context.Background(), levels[f.GetSeverity()], "finding", attributes(f)...)
	}
}

var levels = map[string]slog.Level{
	finding.Error.String(): slog.LevelError, finding.Warning.String(): slog.LevelWarn, finding.Hint.String(): slog.LevelInfo,
}

func attributes(f *corsprocv1.Finding) []any {
	all := []any{
		"place", fmt.Sprintf("%s:%d:%d", f.GetFile(), f.GetLine(), f.GetColumn()), "severity", f.GetSeverity(),
		"code", f.GetCode(), "field", f.GetField(), "message", f.GetMessage(),
	}
	if f.GetFix() != "" {
		all = append(all, "fix", f.GetFix())
	}
	return all
}
