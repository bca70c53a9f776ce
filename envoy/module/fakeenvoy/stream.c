// Streams: one HTTP request each, and what the module may ask of it and do to it.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct fake_stream* fake_stream_new(struct fake_config* c) {
  struct fake_stream* s = calloc(1, sizeof *s);
  s->config = c;
  return s;
}

// open_stream may get none. Envoy 1.40 answers 500 then; the fake asks the module all the same.
static void open_stream(struct fake_stream* s) {
  if (s->module != NULL || s->opened) return;
  s->opened = true;
  fake_in_hook++;
  s->module = envoy_dynamic_module_on_http_filter_new(s->config->module, s);
  fake_in_hook--;
}

// end_stream has the module forget the stream, which Envoy does while an answer is sent.
static void end_stream(struct fake_stream* s) {
  if (s->module == NULL) return;
  const void* module = s->module;
  s->module = NULL;
  s->opened = false;
  envoy_dynamic_module_on_http_filter_destroy(module);
}

void fake_stream_destroy(struct fake_stream* s) {
  fake_in_hook++;
  if (s->module != NULL) envoy_dynamic_module_on_http_filter_stream_complete(s, s->module);
  end_stream(s);
  fake_in_hook--;
  fake_take_back(&s->lent, -1, 0);
  for (int i = 0; i < MAPS; i++) fake_clear(&s->maps[i]);
  for (int i = 0; i < ATTRIBUTES; i++) free(s->attributes[i].ptr);
  fake_clear(&s->route);
  fake_clear(&s->sent);
  fake_clear(&s->metadata);
  free(s->body.ptr);
  free(s);
}

void fake_add(struct fake_stream* s, int map, const char* name, size_t name_length, const char* value, size_t value_length) {
  fake_push(&s->maps[map], fake_text(name, name_length), fake_text(value, value_length));
}

void fake_place(struct fake_stream* s, int attribute, const char* text, size_t length) {
  free(s->attributes[attribute].ptr);
  s->attributes[attribute] = fake_text(text, length);
}

void fake_metadata(struct fake_stream* s, const char* key, size_t key_length, const char* text, size_t length, bool is_text) {
  fake_push(&s->route, fake_text(key, key_length), is_text ? fake_text(text, length) : (struct text){NULL, 0});
}

void fake_per_route(struct fake_stream* s, const void* config) { s->per_route = config; }
void fake_unreadable(struct fake_stream* s, unsigned what) { s->unreadable = what; }
void fake_gone(struct fake_stream* s, bool at_headers) { s->gone_at_headers = at_headers; }

static void begin(struct fake_stream* s) {
  open_stream(s);
  fake_in_hook++;
}

static void finish(struct fake_stream* s) {
  fake_take_back(&s->lent, -2, fake_in_hook);
  fake_in_hook--;
}

int fake_request(struct fake_stream* s) {
  begin(s);
  int status = envoy_dynamic_module_on_http_filter_request_headers(s, s->module, true);
  finish(s);
  return status;
}

int fake_response(struct fake_stream* s) {
  begin(s);
  int status = envoy_dynamic_module_on_http_filter_response_headers(s, s->module, true);
  finish(s);
  return status;
}

int fake_rest(struct fake_stream* s) {
  begin(s);
  int status = envoy_dynamic_module_on_http_filter_request_body(s, s->module, false);
  status |= envoy_dynamic_module_on_http_filter_request_trailers(s, s->module) << 4;
  status |= envoy_dynamic_module_on_http_filter_response_body(s, s->module, false) << 8;
  status |= envoy_dynamic_module_on_http_filter_response_trailers(s, s->module) << 12;
  finish(s);
  return status;
}

int envoy_dynamic_module_callback_http_filter_increment_counter(void* s, size_t id, envoy_buffer* values, size_t n, uint64_t by) {
  return fake_stats_change(((struct fake_stream*)s)->config->stats, id, values, n, false, by);
}

size_t envoy_dynamic_module_callback_http_get_headers_size(void* stream, int map) {
  fake_need_hook();
  return ((struct fake_stream*)stream)->maps[map].n;
}

bool envoy_dynamic_module_callback_http_get_headers(void* stream, int map, envoy_pair* to) {
  fake_need_hook();
  struct fake_stream* s = stream;
  if (s->unreadable & 1u << map) return false;
  for (size_t i = 0; i < s->maps[map].n; i++) {
    struct pair* p = &s->maps[map].all[i];
    to[i] = (envoy_pair){fake_lend(&s->lent, p->name, map), p->name.length, fake_lend(&s->lent, p->value, map), p->value.length};
  }
  return true;
}

bool envoy_dynamic_module_callback_http_set_header(void* stream, int map, envoy_buffer name, envoy_buffer value) {
  fake_need_hook();
  struct fake_stream* s = stream;
  struct text own_name = fake_text(name.ptr, name.length), own_value = fake_text(value.ptr, value.length);
  fake_take_back(&s->lent, map, fake_in_hook + 1);
  struct pairs* p = &s->maps[map];
  for (size_t i = p->n; i-- > 0;) {
    struct text t = p->all[i].name;
    if (t.length == own_name.length && memcmp(t.ptr, own_name.ptr, t.length) == 0) fake_drop(p, i);
  }
  if (own_value.length == 0) {
    free(own_name.ptr);
    free(own_value.ptr);
  } else {
    fake_push(p, own_name, own_value);
  }
  return true;
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void* stream, int attribute, envoy_buffer* value) {
  fake_need_hook();
  struct fake_stream* s = stream;
  struct text t = s->attributes[attribute];
  if (t.ptr == NULL) return false;
  *value = (envoy_buffer){fake_lend(&s->lent, t, -1), t.length};
  return true;
}

static bool is_ours(envoy_buffer space) { return space.length == 8 && memcmp(space.ptr, "corsproc", 8) == 0; }

bool envoy_dynamic_module_callback_http_get_metadata_string(void* stream, int source, envoy_buffer space, envoy_buffer key,
                                                            envoy_buffer* value) {
  fake_need_hook();
  struct fake_stream* s = stream;
  if (source != METADATA_ROUTE || !is_ours(space)) return false;
  for (size_t i = 0; i < s->route.n; i++) {
    struct pair* p = &s->route.all[i];
    if (p->name.length != key.length || memcmp(p->name.ptr, key.ptr, key.length) != 0) continue;
    if (p->value.ptr == NULL) return false;
    *value = (envoy_buffer){fake_lend(&s->lent, p->value, -1), p->value.length};
    return true;
  }
  return false;
}

size_t envoy_dynamic_module_callback_http_get_metadata_keys_count(void* stream, int source, envoy_buffer space) {
  fake_need_hook();
  return source == METADATA_ROUTE && is_ours(space) ? ((struct fake_stream*)stream)->route.n : 0;
}

bool envoy_dynamic_module_callback_http_get_metadata_keys(void* stream, int source, envoy_buffer space, envoy_buffer* keys) {
  fake_need_hook();
  struct fake_stream* s = stream;
  if (s->unreadable & UNREADABLE_KEYS) return false;
  for (size_t i = 0; i < s->route.n; i++) {
    keys[i] = (envoy_buffer){fake_lend(&s->lent, s->route.all[i].name, -1), s->route.all[i].name.length};
  }
  return s->route.n > 0;
}

const void* envoy_dynamic_module_callback_get_most_specific_route_config(void* stream) {
  fake_need_hook();
  return ((struct fake_stream*)stream)->per_route;
}

void envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(void* stream, envoy_buffer space,
                                                                          const envoy_pair* entries, size_t n) {
  fake_need_hook();
  if (!is_ours(space)) fake_die("metadata of another namespace");
  for (size_t i = 0; i < n; i++) {
    fake_push(&((struct fake_stream*)stream)->metadata, fake_text(entries[i].key, entries[i].key_length),
         fake_text(entries[i].value, entries[i].value_length));
  }
}

void envoy_dynamic_module_callback_http_send_response_headers(void* stream, envoy_pair* headers, size_t n, bool end) {
  fake_need_hook();
  struct fake_stream* s = stream;
  if (s->module == NULL) return;
  s->sends++;
  fake_clear(&s->maps[RESPONSE_HEADERS]);
  for (size_t i = 0; i < n; i++) {
    fake_push(&s->maps[RESPONSE_HEADERS], fake_text(headers[i].key, headers[i].key_length),
         fake_text(headers[i].value, headers[i].value_length));
  }
  // The answer goes through the filters, the one that sends it among them.
  fake_in_hook++;
  envoy_dynamic_module_on_http_filter_response_headers(s, s->module, end);
  finish(s);
  fake_copy(&s->sent, &s->maps[RESPONSE_HEADERS]);
  if (end) s->ends++;
  if (end || s->gone_at_headers) end_stream(s);
}

void envoy_dynamic_module_callback_http_send_response_data(void* stream, envoy_buffer data, bool end) {
  fake_need_hook();
  struct fake_stream* s = stream;
  if (s->module == NULL) return;
  free(s->body.ptr);
  s->body = fake_text(data.ptr, data.length);
  if (end) {
    s->ends++;
    end_stream(s);
  }
}
