// Texts, lists of them, and what is lent of them for a while only.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

__thread int fake_in_hook;

void fake_die(const char* why) {
  fprintf(stderr, "fakeenvoy: %s\n", why);
  abort();
}

void fake_need_hook(void) {
  if (fake_in_hook == 0) fake_die("a callback outside of a hook");
}

static char* copy(const char* s, size_t n) {
  char* c = malloc(n == 0 ? 1 : n);
  if (n > 0) memcpy(c, s, n);
  return c;
}

struct text fake_text(const char* s, size_t n) { return (struct text){copy(s, n), n}; }

struct lent {
  struct lent* next;
  char* ptr;
  size_t length;
  int map;    // of a header; -1: of something else
  int depth;  // of the hook
};

const char* fake_lend(struct lent** all, struct text t, int map) {
  struct lent* l = malloc(sizeof *l);
  *l = (struct lent){*all, copy(t.ptr, t.length), t.length, map, fake_in_hook};
  *all = l;
  return l->ptr;
}

void fake_take_back(struct lent** all, int map, int depth) {
  while (*all != NULL) {
    struct lent* l = *all;
    if (l->map != map && l->depth < depth) {
      all = &l->next;
      continue;
    }
    *all = l->next;
    memset(l->ptr, 0xdb, l->length);
    free(l->ptr);
    free(l);
  }
}

void fake_push(struct pairs* p, struct text name, struct text value) {
  if (p->n == p->room) {
    p->room = p->room == 0 ? 8 : 2 * p->room;
    p->all = realloc(p->all, p->room * sizeof *p->all);
  }
  p->all[p->n++] = (struct pair){name, value};
}

void fake_drop(struct pairs* p, size_t i) {
  free(p->all[i].name.ptr);
  free(p->all[i].value.ptr);
  memmove(&p->all[i], &p->all[i + 1], (--p->n - i) * sizeof *p->all);
}

void fake_clear(struct pairs* p) {
  while (p->n > 0) fake_drop(p, p->n - 1);
  free(p->all);
  memset(p, 0, sizeof *p);
}

void fake_copy(struct pairs* to, const struct pairs* from) {
  for (size_t i = 0; i < from->n; i++) {
    const struct pair* p = &from->all[i];
    fake_push(to, fake_text(p->name.ptr, p->name.length), fake_text(p->value.ptr, p->value.length));
  }
}
