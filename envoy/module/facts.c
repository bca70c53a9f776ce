// Gathers the facts of a request: one bulk read of its headers, and what Envoy says of its place.
#include <string.h>

#include "module.h"

#define TEXT(s) ((envoy_buffer){s, sizeof(s) - 1})

static const envoy_buffer space = TEXT("corsproc");
static const envoy_buffer policies = TEXT("policies");

// Stands for metadata that should name policies and is no text. No policy can be called so: what was meant to restrict must
// not come to nothing.
static const envoy_buffer unnamable = TEXT("?");

// What the readers below find. Where several lines are one list, its text is put together in the end.
struct found {
  envoy_buffer text[FACTS];
  uint32_t lines[FACTS];
  size_t joined[FACTS];  // bytes of all lines and the commas between them
  uint32_t names;
  size_t name_bytes;
};

static bool is(const envoy_pair* h, const char* name, size_t length) {
  return h->key_length == length && memcmp(h->key, name, length) == 0;
}
#define IS(h, name) is(h, name, sizeof(name) - 1)

// fact_of returns which fact a header is; FACTS: none.
static int fact_of(const envoy_pair* h) {
  switch (h->key_length) {
    case 5: return IS(h, ":path") ? FACT_PATH : FACTS;
    case 6: return IS(h, "origin") ? FACT_ORIGIN : FACTS;
    case 7:
      if (IS(h, ":method")) return FACT_METHOD;
      if (IS(h, ":scheme")) return FACT_SCHEME;
      return IS(h, "upgrade") ? FACT_UPGRADE : FACTS;
    case 9: return IS(h, ":protocol") ? FACT_PROTOCOL : FACTS;
    case 10: return IS(h, ":authority") ? FACT_AUTHORITY : FACTS;
    case 14: return IS(h, "sec-fetch-site") ? FACT_FETCH_SITE : FACTS;
    case 29: return IS(h, "access-control-request-method") ? FACT_REQUEST_METHOD : FACTS;
    case 38: return IS(h, "access-control-request-private-network") ? FACT_PRIVATE_NETWORK : FACTS;
  }
  return FACTS;
}

static bool is_names(const envoy_pair* h) { return IS(h, "access-control-request-headers"); }

// The facts whose lines are one list. Envoy has joined those of most headers already.
static bool is_list(int fact) { return fact == FACT_UPGRADE || fact == FACT_PRIVATE_NETWORK; }

// Of a request that was answered before we were asked, ext_proc is told no more than these.
static bool told_when_answered(int fact) { return fact != FACT_PROTOCOL && fact != FACT_PRIVATE_NETWORK; }

static void read_header(struct found* f, const envoy_pair* h, bool answered) {
  if (is_names(h)) {
    if (answered) return;
    f->names++;
    f->name_bytes += sizeof(uint32_t) + h->value_length;
    return;
  }
  int fact = fact_of(h);
  if (fact == FACTS || (answered && !told_when_answered(fact))) return;
  if (f->lines[fact]++ == 0) {
    f->text[fact] = (envoy_buffer){h->value, h->value_length};
    f->joined[fact] = h->value_length;
  } else {
    f->joined[fact] += 1 + h->value_length;
  }
}

static void read_attribute(void* envoy, struct found* f, int fact, int attribute) {
  envoy_buffer value = {NULL, 0};
  if (envoy_dynamic_module_callback_http_filter_get_attribute_string(envoy, attribute, &value)) f->text[fact] = value;
}

// read_named reads the policies that Envoy's configuration names: those of the route's metadata, else those of the most
// specific typed_per_filter_config, which may be a virtual host's.
static void read_named(void* envoy, struct found* f) {
  size_t n = envoy_dynamic_module_callback_http_get_metadata_keys_count(envoy, METADATA_ROUTE, space);
  if (n > 0) {
    // Envoy logs an error when a text is asked for where there is none, so it is asked only for a key that is there.
    envoy_buffer few[8];
    envoy_buffer* keys = n <= 8 ? few : (envoy_buffer*)corsproc_room(&corsproc_worker()->vary, n * sizeof *keys);
    if (keys == NULL || !envoy_dynamic_module_callback_http_get_metadata_keys(envoy, METADATA_ROUTE, space, keys)) {
      f->text[FACT_NAMED] = unnamable;  // whether policies are named is not known
      f->lines[FACT_NAMED] = 1;
      return;
    }
    for (size_t i = 0; i < n; i++) {
      if (keys[i].length != policies.length || memcmp(keys[i].ptr, policies.ptr, policies.length) != 0) continue;
      envoy_buffer value;
      if (!envoy_dynamic_module_callback_http_get_metadata_string(envoy, METADATA_ROUTE, space, policies, &value)) {
        value = unnamable;
      }
      f->text[FACT_NAMED] = value;
      f->lines[FACT_NAMED] = 1;
      return;
    }
  }
  const envoy_buffer* named = envoy_dynamic_module_callback_get_most_specific_route_config(envoy);
  if (named != NULL) {
    f->text[FACT_NAMED] = *named;
    f->lines[FACT_NAMED] = 1;
  }
}

// cut_query cuts a path before its query. It returns whether what is left is plain: without the bytes that some servers read in
// more than one way. policy.Set.PathScope has which.
static bool cut_query(envoy_buffer* path) {
  bool plain = true;
  char before = 0;
  for (size_t i = 0; i < path->length; before = path->ptr[i++]) {
    switch (path->ptr[i]) {
      case '?':
      case '#':
        path->length = i;
        return plain;
      case '%':
      case '\\':
      case ';':
        plain = false;
        break;
      case '/':
      case '.':
        if (before == '/') plain = false;
    }
  }
  return plain;
}

static char* append(char* to, envoy_buffer text) {
  if (text.length > 0) memcpy(to, text.ptr, text.length);
  return to + text.length;
}

// append_list appends all lines of a fact, joined with commas.
static char* append_list(char* to, int fact, const envoy_pair* headers, size_t n) {
  bool first = true;
  for (size_t i = 0; i < n; i++) {
    if (fact_of(&headers[i]) != fact) continue;
    if (!first) *to++ = ',';
    first = false;
    to = append(to, (envoy_buffer){headers[i].value, headers[i].value_length});
  }
  return to;
}

static char* append_names(char* to, const envoy_pair* headers, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!is_names(&headers[i])) continue;
    uint32_t length = headers[i].value_length;
    to = append(to, (envoy_buffer){(const char*)&length, sizeof length});
    to = append(to, (envoy_buffer){headers[i].value, headers[i].value_length});
  }
  return to;
}

static bool is_grpc(const envoy_pair* h) {
  static const char grpc[] = "application/grpc";
  size_t length = sizeof grpc - 1;
  return IS(h, "content-type") && h->value_length >= length && memcmp(h->value, grpc, length) == 0 &&
         (h->value_length == length || h->value[length] == '+');
}

bool corsproc_gather(void* envoy, uint64_t set, bool answered, struct gathered* g) {
  struct worker* w = corsproc_worker();
  if (w == NULL) return false;
  envoy_pair few[64];
  size_t n = envoy_dynamic_module_callback_http_get_headers_size(envoy, REQUEST_HEADERS);
  envoy_pair* headers = n <= 64 ? few : (envoy_pair*)corsproc_room(&w->headers, n * sizeof *headers);
  if (headers == NULL) return false;
  if (n > 0 && !envoy_dynamic_module_callback_http_get_headers(envoy, REQUEST_HEADERS, headers)) return false;

  struct found f;
  memset(&f, 0, sizeof f);
  g->grpc = false;
  for (size_t i = 0; i < n; i++) {
    read_header(&f, &headers[i], answered);
    if (is_grpc(&headers[i])) g->grpc = true;
  }
  read_attribute(envoy, &f, FACT_VIRTUAL_HOST, ATTRIBUTE_VIRTUAL_HOST_NAME);
  read_attribute(envoy, &f, FACT_ROUTE, ATTRIBUTE_ROUTE_NAME);
  read_named(envoy, &f);
  g->plain = cut_query(&f.text[FACT_PATH]);
  g->head = f.text[FACT_METHOD].length == 4 && memcmp(f.text[FACT_METHOD].ptr, "HEAD", 4) == 0;

  size_t size = sizeof(struct facts) + f.name_bytes;
  for (int i = 0; i < FACTS; i++) size += is_list(i) ? f.joined[i] : f.text[i].length;
  char* room = corsproc_room(&w->facts, size);
  if (room == NULL) return false;
  struct facts* facts = (struct facts*)room;
  memset(facts, 0, sizeof *facts);
  facts->set = set;
  facts->answered = answered;
  facts->names = f.names;
  char* to = (char*)(facts + 1);
  for (int i = 0; i < FACT_PATH; i++) {
    char* from = to;
    to = is_list(i) && f.lines[i] > 1 ? append_list(to, i, headers, n) : append(to, f.text[i]);
    facts->lines[i] = f.lines[i];
    facts->length[i] = to - from;
  }
  if (f.names > 0) to = append_names(to, headers, n);
  g->prefix = to - room;
  to = append(to, f.text[FACT_PATH]);
  g->facts = facts;
  g->size = to - room;
  return true;
}
