// The module without memory. Each time that it asks for some while it decides about a request is refused once, alone and with
// all that follow, on a thread that has nothing yet. It then grants no more than it would have, and Vary is not forgotten; the
// next request is decided as if nothing had been.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

// In the place of malloc and calloc of the module.
void* harness_malloc(size_t n);
void* harness_calloc(size_t n, size_t size);

static __thread int asked;
static __thread int refused_from = -1, refused_to;  // -1: never

static bool refused(void) {
  int i = asked++;
  return refused_from >= 0 && refused_from <= i && i < refused_to;
}

void* harness_malloc(size_t n) { return refused() ? NULL : malloc(n); }
void* harness_calloc(size_t n, size_t size) { return refused() ? NULL : calloc(n, size); }

struct outcome {
  char* bytes;
  size_t size;
};

static struct outcome outcome_of(struct fake_config* c, void* route, uint64_t seed) {
  struct fake_stream* s = stream(c, route, seed);
  if (draw(4) == 0 || fake_request(s) == HEADERS_CONTINUE) fake_response(s);
  struct outcome o = {malloc(ROOM), 0};
  o.size = fake_outcome(s, o.bytes, ROOM);
  fake_stream_destroy(s);
  if (o.size > ROOM) abort();
  return o;
}

// A record of an outcome, without its tag.
struct record {
  const char* bytes;
  uint32_t size;
};

// next_header returns the next header of the answer that a client gets.
static bool next_header(const struct outcome* o, size_t* at, struct record* r) {
  while (*at < o->size) {
    char tag = o->bytes[*at];
    memcpy(&r->size, o->bytes + *at + 1, sizeof r->size);
    r->bytes = o->bytes + *at + 1 + sizeof r->size;
    *at += 1 + sizeof r->size + r->size;
    if (tag == 'h' || tag == 's') return true;
  }
  return false;
}

static bool is_cors(const struct record* r) {
  static const char* const names[] = {"access-control-allow-origin", "access-control-max-age", "access-control-expose-headers"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(r->bytes, names[i]) == 0) return true;
  }
  return false;
}

static bool varies(const struct outcome* o) {
  struct record r;
  for (size_t at = 0; next_header(o, &at, &r);) {
    if (strcmp(r.bytes, "vary") == 0) return true;
  }
  return false;
}

// has reports whether an answer has a header, or one that begins with it: of what is exposed, the upstream's part may be missing.
static bool has(const struct outcome* o, const struct record* wanted) {
  struct record r;
  for (size_t at = 0; next_header(o, &at, &r);) {
    if (r.size >= wanted->size && memcmp(r.bytes, wanted->bytes, wanted->size) == 0) return true;
  }
  return false;
}

static bool is_as_safe(const struct outcome* o, const struct outcome* whole) {
  struct record r;
  for (size_t at = 0; next_header(o, &at, &r);) {
    if (is_cors(&r) && !has(whole, &r)) return false;
  }
  return !varies(whole) || varies(o);
}

struct attempt {
  struct fake_config* config;
  void* route;
  uint64_t seed;
  int from, to;                  // which requests for memory are refused
  const struct outcome* wanted;  // null: it is the first
  struct outcome first;
  int asked;
};

static void* run(void* memory) {
  struct attempt* a = memory;
  asked = 0;
  refused_from = a->from;
  refused_to = a->to;
  a->first = outcome_of(a->config, a->route, a->seed);
  refused_from = -1;
  a->asked = asked;
  if (a->wanted == NULL) return NULL;
  struct outcome again = outcome_of(a->config, a->route, a->seed);
  bool same = again.size == a->wanted->size && memcmp(again.bytes, a->wanted->bytes, again.size) == 0;
  if (!same || !is_as_safe(&a->first, a->wanted)) {
    fprintf(stderr, "harness: seed %llx, refused %d to %d: %s\n", (unsigned long long)a->seed, a->from, a->to,
            same ? "it grants more, or does not vary" : "what follows is decided otherwise");
    abort();
  }
  free(again.bytes);
  free(a->first.bytes);
  return NULL;
}

static void run_alone(struct attempt* a) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, a) != 0) abort();
  pthread_join(thread, NULL);
}

void starve(struct fake_config* c, void* route, int seeds) {
  int refusals = 0;
  for (int seed = 0; seed < seeds; seed++) {
    struct attempt whole = {c, route, seed, -1, 0, NULL, {NULL, 0}, 0};
    run_alone(&whole);
    for (int i = 0; i < whole.asked; i++) {
      for (int all = 0; all < 2; all++) {
        struct attempt a = {c, route, seed, i, all ? 1 << 30 : i + 1, &whole.first, {NULL, 0}, 0};
        run_alone(&a);
        refusals++;
      }
    }
    free(whole.first.bytes);
  }
  if (refusals < 5 * seeds) {
    fprintf(stderr, "harness: it asks for memory %d times in %d requests\n", refusals, seeds);
    abort();
  }
}
