// The hooks that Envoy calls: what is known of a request goes to Go, or to what the worker has kept, and what comes back is
// carried out.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "_cgo_export.h"
#include "module.h"

#define TEXT(s) ((envoy_buffer){s, sizeof(s) - 1})

static const envoy_buffer space = TEXT("corsproc");

// The youngest callback of the ABI that this module is made for. Attributes that it relies on are told since then, too, and
// an Envoy without them would decide by the wrong place without a word.
#define YOUNGEST "envoy_dynamic_module_callback_log_v2"

const char* envoy_dynamic_module_on_program_init(void) {
  if (dlsym(RTLD_DEFAULT, YOUNGEST) == NULL) {
    static const char need[] = "corsproc: this module needs Envoy 1.40 or later; with an older one, run corsproc as a service (ext_proc)";
    envoy_dynamic_module_callback_log(LOG_ERROR, TEXT(need));  // log_v2, which log.go uses, is missing here
    return NULL;
  }
  corsprocStart(envoy_dynamic_module_callback_get_concurrency());
  return "v0.2.0";
}

const void* envoy_dynamic_module_on_http_filter_config_new(void* envoy, envoy_buffer name, envoy_buffer config) {
  struct config* c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->envoy = envoy;
  if (!corsproc_define(c)) {
    free(c);
    return NULL;
  }
  c->scheduler = envoy_dynamic_module_callback_http_filter_config_scheduler_new(envoy);
  if (!corsprocConfigure(c, (char*)config.ptr, config.length, envoy_dynamic_module_callback_is_validation_mode())) {
    envoy_dynamic_module_callback_http_filter_config_scheduler_delete(c->scheduler);
    free(c);
    return NULL;
  }
  corsproc_count_reloads(c);
  return c;
}

void envoy_dynamic_module_on_http_filter_config_destroy(const void* config) {
  struct config* c = (struct config*)config;
  if (c == NULL) return;
  corsprocForget(c);
  envoy_dynamic_module_callback_http_filter_config_scheduler_delete(c->scheduler);
  free(c);
}

void envoy_dynamic_module_on_http_filter_config_scheduled(void* envoy, const void* config, uint64_t event) {
  corsproc_count_reloads((struct config*)config);
}

// What is kept of typed_per_filter_config is the text of a StringValue: names of policies, separated by commas.
const void* envoy_dynamic_module_on_http_filter_per_route_config_new(envoy_buffer name, envoy_buffer config) {
  envoy_buffer* named = malloc(sizeof *named + config.length);
  if (named == NULL) return NULL;
  char* text = (char*)(named + 1);
  if (config.length > 0) memcpy(text, config.ptr, config.length);
  *named = (envoy_buffer){text, config.length};
  return named;
}

void envoy_dynamic_module_on_http_filter_per_route_config_destroy(const void* config) { free((void*)config); }

enum { UNDECIDED, DECIDED, ANSWERED_BY_US, DONE };

// A stream is one HTTP request. It keeps the decision of its first hook, so that a reload in between changes nothing.
struct stream {
  const struct config* config;
  struct answer* answer;
  int state;
};

const void* envoy_dynamic_module_on_http_filter_new(const void* config, void* envoy) {
  struct stream* s = calloc(1, sizeof *s);
  if (s != NULL) s->config = config;
  return s;
}

void envoy_dynamic_module_on_http_filter_destroy(const void* stream) {
  struct stream* s = (struct stream*)stream;
  if (s == NULL) return;
  corsproc_drop(s->answer);
  free(s);
}

// Go's monitor takes the P of a thread that the scheduler has not seen for 10 ms, even if it enters Go all the time. From then
// on the monitor hardly sleeps, and each entry has to find a P. So the thread lets the scheduler see it a little more often,
// unless requests are so rare that the P is gone anyway.
enum { BEAT = 8000000, RARE = 10000000 };  // nanoseconds

static bool must_beat(struct worker* w) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  int64_t now = t.tv_sec * 1000000000ll + t.tv_nsec;
  bool rare = now - w->crossed > RARE;
  w->crossed = now;
  if (rare) w->beat = now;
  if (now - w->beat < BEAT) return false;
  w->beat = now;
  return true;
}

// decide puts the decision about the stream's request in place, and tells Envoy of it. It returns false where there is none.
static bool decide(void* envoy, struct stream* s, bool answered, struct gathered* g) {
  s->state = DECIDED;
  uint64_t set = __atomic_load_n(&s->config->source->set, __ATOMIC_ACQUIRE);
  if (!corsproc_gather(envoy, set, answered, g)) return false;
  struct answer* a = corsproc_kept(g);
  if (a == NULL) {
    struct worker* w = corsproc_worker();
    w->crossings++;
    a = corsprocDecide(s->config->id, (struct facts*)g->facts, g->prefix, g->size, must_beat(w));
    if (a == NULL) {
      envoy_dynamic_module_callback_http_filter_increment_counter(envoy, s->config->panics, NULL, 0, 1);
      return false;
    }
    corsproc_keep(g, a);
  }
  a->users++;
  s->answer = a;
  envoy_dynamic_module_callback_http_filter_increment_counter(envoy, s->config->decisions, a->kind_reason, 2, 1);
  if (a->candidate) {
    envoy_dynamic_module_callback_http_filter_increment_counter(envoy, s->config->candidates, a->candidate_labels, 3, 1);
  }
  envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(envoy, space, a->facts, a->n_facts);
  return true;
}

// respond answers the request. Only these two callbacks do: http_send_response lets Envoy add the headers of its routes,
// which cannot be taken away again. Each of them may destroy the stream before it returns.
static void respond(void* envoy, struct stream* s, const struct gathered* g) {
  struct answer* a = s->answer;
  s->state = ANSWERED_BY_US;
  a->users++;
  if (g->grpc) {
    corsproc_respond_grpc(envoy, a, g->head);
  } else {
    bool whole = a->body.length == 0 || g->head;
    envoy_dynamic_module_callback_http_send_response_headers(envoy, a->headers, a->n_headers, whole);
    if (!whole) envoy_dynamic_module_callback_http_send_response_data(envoy, a->body, true);
  }
  corsproc_drop(a);
}

int envoy_dynamic_module_on_http_filter_request_headers(void* envoy, const void* stream, bool end) {
  struct stream* s = (struct stream*)stream;
  if (s == NULL || s->state != UNDECIDED) return HEADERS_CONTINUE;
  struct gathered g;
  if (!decide(envoy, s, false, &g) || s->answer->action != ACTION_RESPOND) return HEADERS_CONTINUE;
  respond(envoy, s, &g);
  return HEADERS_STOP;
}

int envoy_dynamic_module_on_http_filter_response_headers(void* envoy, const void* stream, bool end) {
  struct stream* s = (struct stream*)stream;
  if (s == NULL) {  // there was no memory for it
    corsproc_adjust(envoy, NULL);
    return HEADERS_CONTINUE;
  }
  if (s->state == ANSWERED_BY_US || s->state == DONE) return HEADERS_CONTINUE;
  if (s->state == UNDECIDED) {
    // A reply of Envoy's own, or of a filter before this one.
    struct gathered g;
    decide(envoy, s, true, &g);
  }
  s->state = DONE;
  if (s->answer == NULL || s->answer->action == ACTION_ADJUST) corsproc_adjust(envoy, s->answer);
  return HEADERS_CONTINUE;
}

// What follows the headers of a request that was answered goes nowhere.
int envoy_dynamic_module_on_http_filter_request_body(void* envoy, const void* stream, bool end) {
  const struct stream* s = stream;
  return s != NULL && s->state == ANSWERED_BY_US ? BODY_DROP : BODY_CONTINUE;
}

int envoy_dynamic_module_on_http_filter_request_trailers(void* envoy, const void* stream) {
  const struct stream* s = stream;
  return s != NULL && s->state == ANSWERED_BY_US ? TRAILERS_STOP : TRAILERS_CONTINUE;
}

int envoy_dynamic_module_on_http_filter_response_body(void* envoy, const void* stream, bool end) {
  return BODY_CONTINUE;
}

int envoy_dynamic_module_on_http_filter_response_trailers(void* envoy, const void* stream) {
  return TRAILERS_CONTINUE;
}
