// What the parts of the fake Envoy share.
#ifndef CORSPROC_FAKE_INTERNAL_H
#define CORSPROC_FAKE_INTERNAL_H

#include "fake.h"

enum { MAPS = 4, ATTRIBUTES = 70 };

struct text {
  char* ptr;
  size_t length;
};

struct pair {
  struct text name, value;
};

struct pairs {
  struct pair* all;
  size_t n, room;
};

struct lent;

struct fake_config {
  const void* module;
  struct fake_stats* stats;
  uint64_t committed;
};

struct fake_stream {
  struct fake_config* config;
  const void* module;  // null: none yet, or not any more, or there was no memory
  bool opened;
  struct pairs maps[MAPS];
  struct text attributes[ATTRIBUTES];
  struct pairs route;  // metadata; a value without memory is no text
  const void* per_route;
  bool gone_at_headers;
  unsigned unreadable;  // bits of what cannot be read
  struct lent* lent;

  struct pairs sent, metadata;
  struct text body;
  uint32_t sends, ends;
};

// How deep the calling thread is in hooks. Envoy's threads are in one whenever the module calls back.
extern __thread int fake_in_hook;
void fake_need_hook(void);
void fake_die(const char* why);

struct text fake_text(const char* s, size_t n);
void fake_push(struct pairs* p, struct text name, struct text value);
void fake_drop(struct pairs* p, size_t i);
void fake_clear(struct pairs* p);
void fake_copy(struct pairs* to, const struct pairs* from);

// Lends a text, of a header of a map or of something else (-1).
const char* fake_lend(struct lent** all, struct text t, int map);
// Spoils and frees what was lent of a map, or in hooks of a depth and below.
void fake_take_back(struct lent** all, int map, int depth);

struct fake_stats* fake_stats_new(void);
void fake_stats_free(struct fake_stats* s);
void fake_stats_freeze(struct fake_stats* s);
int fake_stats_change(struct fake_stats* s, size_t id, envoy_buffer* values, size_t n, bool gauge, int64_t value);

#endif
