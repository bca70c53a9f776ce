// What becomes of requests, and workers that send many.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct writer {
  char* to;
  size_t at, room;
};

static void put(struct writer* w, const void* p, size_t n) {
  if (w->at + n <= w->room && n > 0) memcpy(w->to + w->at, p, n);
  w->at += n;
}

static void record(struct writer* w, char tag, struct text name, struct text value) {
  uint32_t length = name.length + 1 + value.length;
  put(w, &tag, 1);
  put(w, &length, sizeof length);
  put(w, name.ptr, name.length);
  put(w, "", 1);
  put(w, value.ptr, value.length);
}

static void records(struct writer* w, char tag, const struct pairs* p) {
  for (size_t i = 0; i < p->n; i++) record(w, tag, p->all[i].name, p->all[i].value);
}

size_t fake_outcome(struct fake_stream* s, char* to, size_t room) {
  struct writer w = {to, 0, room};
  if (s->sends == 0) records(&w, 'h', &s->maps[RESPONSE_HEADERS]);
  records(&w, 's', &s->sent);
  records(&w, 'm', &s->metadata);
  if (s->body.ptr != NULL) record(&w, 'b', (struct text){"", 0}, s->body);
  char ends = '0' + s->ends;
  if (s->sends > 0) record(&w, 'x', (struct text){"", 0}, (struct text){&ends, 1});
  return w.at;
}

struct job {
  struct fake_config* config;
  struct fake_template* templates;
  int n;
  uint64_t requests, wrong;
};

static bool same_outcome(struct fake_stream* s, const struct fake_template* t, char* room, size_t size) {
  size_t n = fake_outcome(s, room, size);
  for (int i = 0; i < 2; i++) {
    if (n == t->lengths[i] && n <= size && memcmp(room, t->outcomes[i], n) == 0) return true;
  }
  return false;
}

static void* work(void* memory) {
  struct job* j = memory;
  char* room = malloc(1 << 16);
  for (uint64_t i = 0; i < j->requests; i++) {
    struct fake_template* t = &j->templates[i % j->n];
    struct fake_stream* s = fake_stream_new(j->config);
    for (int m = 0; m < MAPS; m++) fake_copy(&s->maps[m], &t->stream->maps[m]);
    for (int a = 0; a < ATTRIBUTES; a++) {
      if (t->stream->attributes[a].ptr != NULL) fake_place(s, a, t->stream->attributes[a].ptr, t->stream->attributes[a].length);
    }
    if (fake_request(s) == HEADERS_CONTINUE) fake_response(s);
    if (!same_outcome(s, t, room, 1 << 16)) j->wrong++;
    fake_stream_destroy(s);
  }
  free(room);
  return NULL;
}

uint64_t fake_work(struct fake_config* c, struct fake_template* templates, int n, int threads, uint64_t requests) {
  pthread_t* workers = calloc(threads, sizeof *workers);
  struct job* jobs = calloc(threads, sizeof *jobs);
  for (int i = 0; i < threads; i++) {
    jobs[i] = (struct job){c, templates, n, requests, 0};
    if (pthread_create(&workers[i], NULL, work, &jobs[i]) != 0) fake_die("no thread");
  }
  uint64_t wrong = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i], NULL);
    wrong += jobs[i].wrong;
  }
  free(workers);
  free(jobs);
  return wrong;
}
