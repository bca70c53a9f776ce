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

// How many beginnings of paths are told apart by their lengths, for the same other facts. Those that do not fit are kept by
// the whole path.
enum { SCOPES = 8 };

// An entry keeps the answer to a key: the facts, and behind them as much of the path as the answer says that it is good for. A
// path that is kept whole must not be taken for the beginning of others, so that is part of a key, too.
struct entry {
  uint64_t hash;
  char* key;                // null: the entry is empty
  uint32_t size;
  uint32_t prefix;          // of the key, in front of the path
  struct answer* answer;    // null: for these facts the path matters, and other entries have it
  uint32_t until;           // seconds; of a refusal
  uint16_t scopes[SCOPES];  // where the path matters: the lengths of the beginnings that were kept
  uint8_t n_scopes;
  uint8_t path;             // PATH_ANY: there is none in the key
  bool used;                // since it was last passed by for another
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
  // Once more: texts that differ in their last byte alone would fill some sets and leave others empty.
  return mix(mix(h, word), 0x94d049bb133111eb);
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

struct key {
  uint64_t hash;
  const char* bytes;
  uint32_t size, prefix;
  uint8_t path;
};

static struct key key_of(struct table* t, const struct gathered* g) {
  const char* facts = (const char*)g->facts;
  return (struct key){hash_of(t->seed, facts, g->prefix), facts, g->prefix, g->prefix, PATH_ANY};
}

static struct key with_path(const struct key* k, uint32_t length, uint8_t path) {
  return (struct key){hash_of(k->hash + path, k->bytes + k->prefix, length), k->bytes, k->prefix + length, k->prefix, path};
}

static struct entry* find(struct table* t, const struct key* k) {
  struct entry* set = t->entries[k->hash & (SETS - 1)];
  for (int i = 0; i < WAYS; i++) {
    struct entry* e = &set[i];
    if (e->key != NULL && e->hash == k->hash && e->size == k->size && e->prefix == k->prefix && e->path == k->path &&
        memcmp(e->key, k->bytes, k->size) == 0) {
      e->used = true;
      return e;
    }
  }
  return NULL;
}

// find_path returns the entry for a path where it matters, which other entries may have by its beginning.
static struct entry* find_path(struct table* t, const struct key* k, const struct entry* facts, const struct gathered* g) {
  uint32_t length = g->size - g->prefix;
  for (int i = 0; g->plain && i < facts->n_scopes; i++) {
    if (facts->scopes[i] > length) continue;
    struct key begin = with_path(k, facts->scopes[i], PATH_SCOPE);
    struct entry* e = find(t, &begin);
    if (e != NULL) return e;
  }
  struct key all = with_path(k, length, PATH_WHOLE);
  return find(t, &all);
}

struct answer* corsproc_kept(const struct gathered* g) {
  struct table* t = current_table();
  if (t == NULL) return NULL;
  struct key k = key_of(t, g);
  struct entry* e = find(t, &k);
  if (e != NULL && e->answer == NULL) e = find_path(t, &k, e, g);
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

// put makes an entry for a key. NULL: there is no memory for it.
static struct entry* put(struct table* t, const struct key* k, struct answer* a) {
  struct entry* e = find(t, k);
  if (e == NULL) e = place(t, k->hash);
  empty(t, e);
  char* key = malloc(k->size);
  if (key == NULL) return NULL;
  memcpy(key, k->bytes, k->size);
  *e = (struct entry){.hash = k->hash, .key = key, .size = k->size, .prefix = k->prefix, .path = k->path, .answer = a};
  t->worker->kept += k->size;
  if (a == NULL) return e;
  t->worker->kept += a->size;
  a->users++;
  if (a->refused) e->until = now() + LOG_SECONDS;
  return e;
}

// has_scope reports whether the beginnings of that length are looked up for these facts, and has them be if there is room.
static bool has_scope(struct entry* facts, uint32_t scope) {
  for (int i = 0; i < facts->n_scopes; i++) {
    if (facts->scopes[i] == scope) return true;
  }
  if (facts->n_scopes == SCOPES || scope > UINT16_MAX) return false;
  facts->scopes[facts->n_scopes++] = scope;
  return true;
}

void corsproc_keep(const struct gathered* g, struct answer* a) {
  if (g->facts->set != a->set || g->size > MAX_KEY || a->size > MAX_ANSWER) return;
  struct table* t = current_table();
  if (t == NULL) return;
  if (t->worker->kept + 2 * g->size + a->size > MAX_BYTES) empty_all(t);
  struct key k = key_of(t, g);
  if (a->path != PATH_ANY) {
    struct entry* facts = find(t, &k);
    if (facts == NULL || facts->answer != NULL) facts = put(t, &k, NULL);
    if (facts == NULL) return;
    bool begin = a->path == PATH_SCOPE && g->plain && has_scope(facts, a->scope);
    k = begin ? with_path(&k, a->scope, PATH_SCOPE) : with_path(&k, g->size - g->prefix, PATH_WHOLE);
  }
  put(t, &k, a);
}

void corsproc_drop(struct answer* a) {
  if (a != NULL && --a->users == 0) free(a);
}
