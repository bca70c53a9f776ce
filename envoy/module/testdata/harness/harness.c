// The C of the module without Go, for the sanitizers of C compilers and for valgrind (sanitize_test.go): workers send
// random requests to the fake Envoy, in whatever order hooks may come, while the policies are reloaded. In the place of the
// engine stands a function that decides by a hash of the facts, as pure as the engine. What is kept must do as what is decided
// anew.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "fake.h"

static struct source source = {.set = 1, .good = 1};
static __thread uint64_t state;

static uint32_t draw(uint32_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

void corsprocStart(uint32_t workers) {}

int corsprocConfigure(struct config* c, char* config, size_t length, bool validate) {
  c->source = &source;
  return length != 3;
}

void corsprocForget(struct config* c) {}

static uint32_t hash(const char* p, size_t n, uint32_t h) {
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619;
  return h;
}

static envoy_buffer put(char** at, const char* text, size_t n) {
  char* to = *at;
  memcpy(to, text, n);
  *at += n;
  return (envoy_buffer){to, n};
}

static envoy_pair pair(char** at, const char* name, const char* value) {
  envoy_buffer n = put(at, name, strlen(name)), v = put(at, value, strlen(value));
  return (envoy_pair){n.ptr, n.length, v.ptr, v.length};
}

struct answer* corsprocDecide(uint32_t id, struct facts* facts, size_t prefix, size_t size, bool beat) {
  uint32_t h = hash((char*)facts, prefix, 2166136261u);
  uint8_t path = h % 3;
  uint32_t scope = 2;
  if (path == PATH_SCOPE && size - prefix <= scope) path = PATH_WHOLE;
  if (path != PATH_ANY) h = hash((char*)facts + prefix, path == PATH_WHOLE ? size - prefix : scope, h);
  if (h % 31 == 0) return NULL;  // a fault
  size_t padding = h % 17 == 0 ? 20000 : h % 100;
  struct answer* a = corsproc_new_answer(sizeof *a + 6 * sizeof(envoy_pair) + 400 + padding);
  envoy_pair* pairs = (envoy_pair*)(a + 1);
  char* at = (char*)(pairs + 6);
  a->set = __atomic_load_n(&source.set, __ATOMIC_ACQUIRE);
  a->action = facts->answered ? h % 2 : h % 3;
  a->varies = h / 7 % 2;
  a->refused = h / 11 % 2;
  a->candidate = h / 13 % 2;
  a->path = path;
  a->scope = scope;
  a->headers = pairs;
  a->facts = pairs + 4;
  if (a->action == ACTION_RESPOND) {
    a->status = 403;
    a->headers[a->n_headers++] = pair(&at, ":status", "403");
    if (h / 5 % 2) {
      a->headers[a->n_headers++] = pair(&at, "content-length", "4");
      a->body = put(&at, "body", 4);
      a->grpc_message = put(&at, "bo%0A", 5);
    }
  } else if (a->action == ACTION_ADJUST && h / 3 % 2) {
    a->headers[a->n_headers++] = pair(&at, "access-control-allow-origin", "https://shop.example");
  }
  a->facts[a->n_facts++] = pair(&at, "kind", "actual");
  a->facts[a->n_facts++] = pair(&at, "reason", "allowed");
  for (int i = 0; i < 2; i++) a->kind_reason[i] = put(&at, "x", 1);
  for (int i = 0; i < 3; i++) a->candidate_labels[i] = put(&at, "y", 1);
  return a;
}

static const char* const names[] = {
    ":method", ":scheme", ":authority", ":path", ":protocol", "origin", "upgrade", "sec-fetch-site", "content-type", "x",
    "access-control-request-method", "access-control-request-headers", "access-control-request-private-network",
};
static const char* const answers[] = {"vary", "vary", "access-control-allow-origin", "access-control-max-age", "x", "access-control-"};
static const char* const values[] = {"", "HEAD", "application/grpc", "/a?b", "https://shop.example", "Accept, origin", "*", ",,a ,\tb", "\x01"};

static void add(struct fake_stream* s, int map, const char* const* from, int n_from, int n) {
  char room[3000];
  for (int i = 0; i < n; i++) {
    const char* name = from[draw(n_from)];
    const char* value = values[draw(sizeof values / sizeof *values)];
    size_t length = strlen(value);
    if (draw(40) == 0) {
      length = draw(sizeof room);
      for (size_t j = 0; j < length; j++) room[j] = draw(30) == 0 ? ',' : 'a' + draw(4);
      value = room;
    }
    fake_add(s, map, name, strlen(name), value, length);
  }
}

static struct fake_stream* stream(struct fake_config* c, void* route, uint64_t seed) {
  state = seed;
  struct fake_stream* s = fake_stream_new(c);
  int few = draw(60) == 0 ? 200 : 12;
  add(s, REQUEST_HEADERS, names, sizeof names / sizeof *names, draw(few));
  add(s, RESPONSE_HEADERS, answers, sizeof answers / sizeof *answers, draw(few));
  if (draw(2)) fake_place(s, ATTRIBUTE_VIRTUAL_HOST_NAME, "api", draw(4));
  if (draw(2)) fake_place(s, ATTRIBUTE_ROUTE_NAME, "route", draw(6));
  for (int i = draw(8) == 0 ? draw(20) : 0; i > 0; i--) fake_metadata(s, "other", draw(6), "x", 1, draw(2));
  if (draw(8) == 0) fake_metadata(s, "policies", 8, "shop", draw(5), draw(3));
  if (draw(8) == 0) fake_per_route(s, route);
  if (draw(8) == 0) fake_gone(s, true);
  return s;
}

struct job {
  struct fake_config* config;
  void* route;
  uint64_t seed;
  int requests;
};

static int working;  // atomic: workers that are not done

static void* work(void* memory) {
  struct job* j = memory;
  static __thread char first[1 << 20], second[1 << 20];
  for (int i = 0; i < j->requests; i++) {
    uint64_t seed = (j->seed << 32) + i % 997;  // most of them come again
    size_t sizes[2] = {0, 0};
    uint64_t set = __atomic_load_n(&source.set, __ATOMIC_ACQUIRE);
    for (int k = 0; k < 2; k++) {
      struct fake_stream* s = stream(j->config, j->route, seed);
      switch (draw(6)) {
        case 0: fake_response(s); break;
        case 1: fake_rest(s); break;
        case 2: fake_request(s); break;
        case 3: break;
        default:
          if (fake_request(s) == HEADERS_CONTINUE) fake_response(s);
      }
      sizes[k] = fake_outcome(s, k == 0 ? first : second, sizeof first);
      fake_stream_destroy(s);
    }
    bool same = sizes[0] == sizes[1] && memcmp(first, second, sizes[0]) == 0;
    if (!same && set == __atomic_load_n(&source.set, __ATOMIC_ACQUIRE)) {
      fprintf(stderr, "harness: what is kept is not what was decided: seed %llx\n", (unsigned long long)seed);
      abort();
    }
  }
  __atomic_sub_fetch(&working, 1, __ATOMIC_ACQ_REL);
  return NULL;
}

int main(int n, char** arguments) {
  int requests = atoi(arguments[1]), threads = 2;
  if (fake_load(threads) == NULL) return 2;
  if (fake_config_new("bad", 3) != NULL) return 3;
  struct fake_config* c = fake_config_new("good", 4);
  void* route = fake_per_route_new("shop, open", 10);
  pthread_t workers[2];
  struct job jobs[2];
  working = threads;
  for (int i = 0; i < threads; i++) {
    jobs[i] = (struct job){c, route, i + 1, requests};
    pthread_create(&workers[i], NULL, work, &jobs[i]);
  }
  while (__atomic_load_n(&working, __ATOMIC_ACQUIRE) > 0) {
    struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
    __atomic_add_fetch(&source.set, 1, __ATOMIC_ACQ_REL);
    __atomic_add_fetch(&source.successes, 1, __ATOMIC_ACQ_REL);
    corsproc_new_epoch();
    fake_config_run(c);
  }
  for (int i = 0; i < threads; i++) pthread_join(workers[i], NULL);
  fake_per_route_destroy(route);
  fake_config_destroy(c);
  if (fake_schedulers() != 0) return 4;
  printf("%d requests\n", 2 * requests * threads);
  return 0;
}
