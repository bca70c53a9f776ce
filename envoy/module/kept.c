// The decisions that a worker keeps, so that a request which is like an earlier one does not enter Go. Deciding is a pure
// function of the facts, and every byte of them is compared.
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "module.h"

enum {
  SETS = 128,  // a power of two
  WAYS = 8,
  MAX_KEY = 2 << 10,     // bytes; larger ones, and larger answers, are not kept
  MAX_ANSWER = 16 << 10,
  MAX_BYTES = 2 << 20,   // of all keys and answers of a worker
  LOG_SECONDS = 60,      // how long a refusal is kept, so that Go may log it again
};

// An entry without an answer says that for these facts the path matters: another entry has it, with the path.
struct entry {
  uint64_t hash;
  char* key;  // null: the entry is empty
  uint32_t size;
  uint32_t prefix;
  struct answer* answer;
  uint32_t until;  // seconds; of a refusal
  bool used;       // since it was last passed by for another
};

struct table {
  uint64_t seed;
  uint64_t epoch;
  struct worker* worker;
  uint32_t next;  // which of a set is to go
  struct entry entries[SETS][WAYS];
};

// Counts the sets that are not in force any more. What a worker keeps is of one epoch.
static uint64_t epoch;

void corsproc_new_epoch(void) { __atomic_add_fetch(&epoch, 1, __ATOMIC_RELEASE); }

static uint32_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec;
}

static uint64_t mix(uint64_t a, uint64_t b) {
  __uint128_t m = (__uint128_t)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xbf58476d1ce4e5b9u);
  return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash_of(uint64_t h, const char* p, size_t n) {
  h = mix(h, n);
  uint64_t word;
  for (; n >= 8; p += 8, n -= 8) {
    memcpy(&word, p, 8);
    h = mix(h, word);
  }
  word = 0;
  memcpy(&word, p, n);
  return mix(h, word);
}

static void empty(struct table* t, struct entry* e) {
  if (e->key == NULL) return;
  t->worker->kept -= e->size + (e->answer == NULL ? 0 : e->answer->size);
  free(e->key);
  corsproc_drop(e->answer);
  memset(e, 0, sizeof *e);
}

static void empty_all(struct table* t) {
  for (int i = 0; i < SETS; i++) {
    for (int j = 0; j < WAYS; j++) empty(t, &t->entries[i][j]);
  }
}

void corsproc_free_table(struct table* t) {
  if (t == NULL) return;
  empty_all(t);
  free(t);
}

// current_table returns the table of the calling worker, without what is of an earlier epoch.
static struct table* current_table(void) {
  struct worker* w = corsproc_worker();
  if (w == NULL) return NULL;
  struct table* t = w->table;
  if (t == NULL) {
    if ((t = w->table = calloc(1, sizeof *t)) == NULL) return NULL;
    t->worker = w;
    t->seed = (uintptr_t)t ^ now();
  }
  uint64_t current = __atomic_load_n(&epoch, __ATOMIC_ACQUIRE);
  if (t->epoch != current) {
    empty_all(t);
    t->epoch = current;
  }
  return t;
}

// A key is the facts, with the path or without it.
struct key {
  uint64_t hash;
  const char* bytes;
  uint32_t size, prefix;
};

static struct key key_of(struct table* t, const struct gathered* g) {
  const char* facts = (const char*)g->facts;
  return (struct key){hash_of(t->seed, facts, g->prefix), facts, g->prefix, 0};
}

static struct key with_path(struct key k, const struct gathered* g) {
  return (struct key){hash_of(k.hash, k.bytes + k.size, g->size - k.size), k.bytes, g->size, k.size};
}

static struct entry* find(struct table* t, const struct key* k) {
  struct entry* set = t->entries[k->hash & (SETS - 1)];
  for (int i = 0; i < WAYS; i++) {
    struct entry* e = &set[i];
    if (e->key != NULL && e->hash == k->hash && e->size == k->size && e->prefix == k->prefix &&
        memcmp(e->key, k->bytes, k->size) == 0) {
      e->used = true;
      return e;
    }
  }
  return NULL;
}

struct answer* corsproc_kept(const struct gathered* g) {
  struct table* t = current_table();
  if (t == NULL) return NULL;
  struct key k = key_of(t, g);
  struct entry* e = find(t, &k);
  if (e != NULL && e->answer == NULL) {
    k = with_path(k, g);
    e = find(t, &k);
  }
  if (e == NULL || (e->answer->refused && e->until <= now())) return NULL;
  return e->answer;
}

// place returns where in its set a new key goes: where nothing is, else in the place of one that was not used for a while.
static struct entry* place(struct table* t, uint64_t hash) {
  struct entry* set = t->entries[hash & (SETS - 1)];
  for (int i = 0; i < WAYS; i++) {
    if (set[i].key == NULL) return &set[i];
  }
  for (;;) {
    struct entry* e = &set[t->next++ % WAYS];
    if (!e->used) return e;
    e->used = false;
  }
}

static void put(struct table* t, const struct key* k, struct answer* a) {
  struct entry* e = find(t, k);
  if (e == NULL) e = place(t, k->hash);
  empty(t, e);
  char* key = malloc(k->size);
  if (key == NULL) return;
  memcpy(key, k->bytes, k->size);
  *e = (struct entry){.hash = k->hash, .key = key, .size = k->size, .prefix = k->prefix, .answer = a};
  t->worker->kept += k->size;
  if (a == NULL) return;
  t->worker->kept += a->size;
  a->users++;
  if (a->refused) e->until = now() + LOG_SECONDS;
}

void corsproc_keep(const struct gathered* g, struct answer* a) {
  if (g->facts->set != a->set || g->size > MAX_KEY || a->size > MAX_ANSWER) return;
  struct table* t = current_table();
  if (t == NULL) return;
  if (t->worker->kept + 2 * g->size + a->size > MAX_BYTES) empty_all(t);
  struct key k = key_of(t, g);
  if (a->path_matters) {
    put(t, &k, NULL);
    k = with_path(k, g);
  }
  put(t, &k, a);
}

void corsproc_drop(struct answer* a) {
  if (a != NULL && --a->users == 0) free(a);
}
