// What the module is told at its start, its configurations, and its log.
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"

struct line {
  struct line* next;
  int level;
  struct text text, file;
  uint32_t number;  // of the line in the file
};

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct line *first_line, **last_line = &first_line;

static void keep_line(int level, envoy_buffer message, envoy_buffer file, uint32_t number) {
  struct line* l = malloc(sizeof *l);
  *l = (struct line){NULL, level, fake_text(message.ptr, message.length), fake_text(file.ptr, file.length), number};
  pthread_mutex_lock(&log_mutex);
  *last_line = l;
  last_line = &l->next;
  pthread_mutex_unlock(&log_mutex);
}

void envoy_dynamic_module_callback_log(int level, envoy_buffer message) { keep_line(level, message, (envoy_buffer){"", 0}, 0); }

void envoy_dynamic_module_callback_log_v2(int level, envoy_buffer message, envoy_buffer file, uint32_t number) {
  keep_line(level, message, file, number);
}

bool fake_log(struct fake_line* to) {
  pthread_mutex_lock(&log_mutex);
  struct line* l = first_line;
  if (l != NULL) {
    first_line = l->next;
    if (first_line == NULL) last_line = &first_line;
  }
  pthread_mutex_unlock(&log_mutex);
  if (l == NULL) return false;
  *to = (struct fake_line){l->level, l->text.ptr, l->text.length, l->file.ptr, l->file.length, l->number};
  free(l);
  return true;
}

static uint32_t concurrency;
static bool validating;

uint32_t envoy_dynamic_module_callback_get_concurrency(void) { return concurrency; }
bool envoy_dynamic_module_callback_is_validation_mode(void) { return validating; }
void fake_validate(bool on) { validating = on; }

const char* fake_load(uint32_t workers) {
  concurrency = workers;
  return envoy_dynamic_module_on_program_init();
}

struct fake_config* fake_config_new(const char* json, size_t length) {
  struct fake_config* c = calloc(1, sizeof *c);
  c->stats = fake_stats_new();
  struct lent* lent = NULL;
  fake_in_hook++;
  envoy_buffer config = {fake_lend(&lent, (struct text){(char*)json, length}, -1), length};
  c->module = envoy_dynamic_module_on_http_filter_config_new(c, (envoy_buffer){"corsproc", 8}, config);
  fake_take_back(&lent, -1, 0);
  fake_in_hook--;
  fake_stats_freeze(c->stats);
  if (c->module == NULL) {
    fake_config_destroy(c);
    return NULL;
  }
  return c;
}

void fake_config_destroy(struct fake_config* c) {
  if (c->module != NULL) {
    fake_in_hook++;
    envoy_dynamic_module_on_http_filter_config_destroy(c->module);
    fake_in_hook--;
  }
  fake_stats_free(c->stats);
  free(c);
}

int fake_config_run(struct fake_config* c) {
  uint64_t n = __atomic_exchange_n(&c->committed, 0, __ATOMIC_ACQ_REL);
  for (uint64_t i = 0; i < n; i++) {
    fake_in_hook++;
    envoy_dynamic_module_on_http_filter_config_scheduled(c, c->module, 0);
    fake_in_hook--;
  }
  return n;
}

static int schedulers;
int fake_schedulers(void) { return __atomic_load_n(&schedulers, __ATOMIC_ACQUIRE); }

void* envoy_dynamic_module_callback_http_filter_config_scheduler_new(void* c) {
  fake_need_hook();
  struct fake_config** s = malloc(sizeof *s);
  *s = c;
  __atomic_add_fetch(&schedulers, 1, __ATOMIC_ACQ_REL);
  return s;
}

void envoy_dynamic_module_callback_http_filter_config_scheduler_delete(void* scheduler) {
  __atomic_sub_fetch(&schedulers, 1, __ATOMIC_ACQ_REL);
  free(scheduler);
}

void envoy_dynamic_module_callback_http_filter_config_scheduler_commit(void* scheduler, uint64_t event) {
  __atomic_add_fetch(&(*(struct fake_config**)scheduler)->committed, 1, __ATOMIC_ACQ_REL);
}

void* fake_per_route_new(const char* text, size_t length) {
  struct lent* lent = NULL;
  fake_in_hook++;
  envoy_buffer config = {fake_lend(&lent, (struct text){(char*)text, length}, -1), length};
  const void* c = envoy_dynamic_module_on_http_filter_per_route_config_new((envoy_buffer){"corsproc", 8}, config);
  fake_take_back(&lent, -1, 0);
  fake_in_hook--;
  return (void*)c;
}

void fake_per_route_destroy(void* config) { envoy_dynamic_module_on_http_filter_per_route_config_destroy(config); }
