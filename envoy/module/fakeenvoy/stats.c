// Statistics, which only hooks change.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct stat {
  struct stat* next;
  char* name;
  int64_t value;
};

struct defined {
  char name[64];
  size_t labels;
  bool gauge;
};

struct fake_stats {
  pthread_mutex_t mutex;
  struct stat* all;
  struct defined defined[16];
  size_t n_defined;
  bool frozen;
};

static void key_of(struct fake_stats* c, size_t id, envoy_buffer* values, size_t n, bool gauge, char* to, size_t room) {
  if (id >= c->n_defined) fake_die("a statistic that nobody defined");
  if (c->defined[id].labels != n) fake_die("labels that nobody defined");
  if (c->defined[id].gauge != gauge) fake_die("a statistic of another kind");
  size_t at = snprintf(to, room, "%s", c->defined[id].name);
  for (size_t i = 0; i < n; i++) at += snprintf(to + at, room - at, "|%.*s", (int)values[i].length, values[i].ptr);
}

static struct stat* find_stat(struct fake_stats* c, const char* key) {
  for (struct stat* s = c->all; s != NULL; s = s->next) {
    if (strcmp(s->name, key) == 0) return s;
  }
  return NULL;
}

int fake_stats_change(struct fake_stats* c, size_t id, envoy_buffer* values, size_t n, bool gauge, int64_t value) {
  fake_need_hook();
  char key[256];
  key_of(c, id, values, n, gauge, key, sizeof key);
  pthread_mutex_lock(&c->mutex);
  struct stat* s = find_stat(c, key);
  if (s == NULL) {
    s = calloc(1, sizeof *s);
    s->name = strdup(key);
    s->next = c->all;
    c->all = s;
  }
  s->value = gauge ? value : s->value + value;
  pthread_mutex_unlock(&c->mutex);
  return 0;
}

int64_t fake_stat(struct fake_config* config, const char* name, size_t length) {
  struct fake_stats* c = config->stats;
  char* key = strndup(name, length);
  pthread_mutex_lock(&c->mutex);
  struct stat* s = find_stat(c, key);
  int64_t value = s == NULL ? -1 : s->value;
  pthread_mutex_unlock(&c->mutex);
  free(key);
  return value;
}

static int define(struct fake_stats* c, envoy_buffer name, size_t n, bool gauge, size_t* id) {
  fake_need_hook();
  if (c->frozen) return 3;
  if (c->n_defined == 16) fake_die("too many statistics");
  struct defined* d = &c->defined[c->n_defined];
  snprintf(d->name, sizeof d->name, "%.*s", (int)name.length, name.ptr);
  d->labels = n;
  d->gauge = gauge;
  *id = c->n_defined++;
  return 0;
}

int envoy_dynamic_module_callback_http_filter_config_define_counter(void* c, envoy_buffer name, envoy_buffer* labels, size_t n,
                                                                    size_t* id) {
  return define(((struct fake_config*)c)->stats, name, n, false, id);
}

int envoy_dynamic_module_callback_http_filter_config_define_gauge(void* c, envoy_buffer name, envoy_buffer* labels, size_t n,
                                                                  size_t* id) {
  return define(((struct fake_config*)c)->stats, name, n, true, id);
}

int envoy_dynamic_module_callback_http_filter_config_increment_counter(void* c, size_t id, envoy_buffer* values, size_t n,
                                                                       uint64_t by) {
  return fake_stats_change(((struct fake_config*)c)->stats, id, values, n, false, by);
}

int envoy_dynamic_module_callback_http_filter_config_set_gauge(void* c, size_t id, envoy_buffer* values, size_t n,
                                                               uint64_t value) {
  return fake_stats_change(((struct fake_config*)c)->stats, id, values, n, true, value);
}

struct fake_stats* fake_stats_new(void) {
  struct fake_stats* s = calloc(1, sizeof *s);
  pthread_mutex_init(&s->mutex, NULL);
  return s;
}

void fake_stats_freeze(struct fake_stats* s) { s->frozen = true; }

void fake_stats_free(struct fake_stats* s) {
  while (s->all != NULL) {
    struct stat* next = s->all->next;
    free(s->all->name);
    free(s->all);
    s->all = next;
  }
  pthread_mutex_destroy(&s->mutex);
  free(s);
}
