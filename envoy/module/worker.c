// The memory of a worker: Envoy runs each on a thread of its own, and a stream never leaves it.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "module.h"

// What is larger is given back when it has been used: clients may send many kilobytes.
#define MAX_KEPT_ROOM (64 << 10)

// Storage of the thread, so that there always is one. A library that is loaded late has little of it: nothing large goes into it.
static __thread struct worker mine;
static __thread bool ends;  // end is called when the thread ends
static pthread_key_t key;
static bool has_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void end(void* memory) {
  struct worker* w = memory;
  corsproc_free_table(w->table);
  free(w->facts.bytes);
  free(w->headers.bytes);
  free(w->vary.bytes);
  free(w->exposed.bytes);
  memset(w, 0, sizeof *w);
  ends = false;
}

static void begin(void) { has_key = pthread_key_create(&key, end) == 0; }

struct worker* corsproc_worker(void) {
  if (!ends) {
    pthread_once(&once, begin);
    ends = has_key && pthread_setspecific(key, &mine) == 0;  // else the thread leaves something behind
  }
  return &mine;
}

char* corsproc_room(struct scratch* s, size_t size) {
  if (size <= s->size && s->size <= MAX_KEPT_ROOM) return s->bytes;
  if (size < 4096) size = 4096;
  free(s->bytes);
  s->bytes = malloc(size);
  s->size = s->bytes == NULL ? 0 : size;
  return s->bytes;
}

struct answer* corsproc_new_answer(size_t size) {
  struct answer* a = calloc(1, size);
  if (a != NULL) a->size = size;
  return a;
}

uint64_t corsproc_crossings(void) { return corsproc_worker()->crossings; }
size_t corsproc_kept_bytes(void) { return corsproc_worker()->kept; }
