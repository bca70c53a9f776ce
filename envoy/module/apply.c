// Carries a decision out on the headers of an answer.
#include <string.h>

#include "module.h"

#define TEXT(s) ((envoy_buffer){s, sizeof(s) - 1})

static const envoy_buffer vary = TEXT("vary");

// policy.ResponseHeaders, which the tests hold these against: only corsproc may send them.
#define PREFIX "access-control-"
static const envoy_buffer cors[] = {
    TEXT(PREFIX "allow-origin"),  TEXT(PREFIX "allow-credentials"), TEXT(PREFIX "allow-methods"),
    TEXT(PREFIX "allow-headers"), TEXT(PREFIX "expose-headers"),    TEXT(PREFIX "max-age"),
    TEXT(PREFIX "allow-private-network"),
};
enum { EXPOSED = 4, CORS = sizeof cors / sizeof cors[0] };

static bool same(envoy_buffer a, const char* b, size_t length) { return a.length == length && memcmp(a.ptr, b, length) == 0; }

// cors_of returns which of the CORS headers a header is; CORS: none.
static int cors_of(const envoy_pair* h) {
  if (h->key_length < sizeof PREFIX || memcmp(h->key, PREFIX, sizeof PREFIX - 1) != 0) return CORS;
  int i = 0;
  while (i < CORS && !same(cors[i], h->key, h->key_length)) i++;
  return i;
}

static bool sets(const struct answer* a, envoy_buffer name) {
  for (uint32_t i = 0; a != NULL && i < a->n_headers; i++) {
    if (same(name, a->headers[i].key, a->headers[i].key_length)) return true;
  }
  return false;
}

static void set(void* envoy, envoy_buffer name, envoy_buffer value) {
  envoy_dynamic_module_callback_http_set_header(envoy, RESPONSE_HEADERS, name, value);
}

// lines_of returns the lines of a field among headers; null: there is no memory for them. They are good until it is called
// again, or the headers are changed.
static const envoy_buffer* lines_of(struct worker* w, envoy_buffer name, const envoy_pair* headers, size_t n, envoy_buffer few[8],
                                    size_t* n_lines) {
  size_t found = 0;
  for (size_t i = 0; i < n; i++) found += same(name, headers[i].key, headers[i].key_length);
  envoy_buffer* lines = few;
  if (found > 8) lines = (envoy_buffer*)corsproc_room(&w->facts, found * sizeof *lines);
  *n_lines = 0;
  for (size_t i = 0; lines != NULL && i < n && *n_lines < found; i++) {
    if (same(name, headers[i].key, headers[i].key_length)) lines[(*n_lines)++] = (envoy_buffer){headers[i].value, headers[i].value_length};
  }
  return lines;
}

// adjust_unread adjusts a response that cannot be read, for want of memory: nothing is granted, and caches are told that it
// depends on everything, since what else its Vary named is not known.
static void adjust_unread(void* envoy) {
  for (int i = 0; i < CORS; i++) set(envoy, cors[i], (envoy_buffer){NULL, 0});
  set(envoy, vary, TEXT("*"));
}

// corsproc_adjust replaces the CORS headers of a response by those of a decision. Without one, they are taken away: what
// nobody decided grants nothing.
void corsproc_adjust(void* envoy, const struct answer* a) {
  envoy_pair few[64];
  size_t n = envoy_dynamic_module_callback_http_get_headers_size(envoy, RESPONSE_HEADERS);
  struct worker* w = corsproc_worker();
  envoy_pair* headers = n <= 64 ? few : (envoy_pair*)corsproc_room(&w->headers, n * sizeof *headers);
  if (headers == NULL || (n > 0 && !envoy_dynamic_module_callback_http_get_headers(envoy, RESPONSE_HEADERS, headers))) {
    adjust_unread(envoy);
    return;
  }

  // All that is needed of Envoy's buffers is taken before the first change makes them void.
  unsigned present = 0;
  for (size_t i = 0; i < n; i++) {
    int c = cors_of(&headers[i]);
    if (c < CORS) present |= 1u << c;
  }
  envoy_buffer few_lines[8], merged, exposed;
  size_t n_lines;
  const envoy_buffer* lines = lines_of(w, vary, headers, n, few_lines, &n_lines);
  bool varies = (a == NULL || a->varies) && corsproc_merge_vary(lines, n_lines, &merged);
  if (varies && lines == NULL) merged = TEXT("*");
  bool exposes = false;
  if (a != NULL && a->exposes) {
    lines = lines_of(w, cors[EXPOSED], headers, n, few_lines, &n_lines);
    exposes = corsproc_merge_exposed(a->exposed, lines, n_lines, &exposed);
  }

  for (int i = 0; i < CORS; i++) {
    if (present & 1u << i && !sets(a, cors[i])) set(envoy, cors[i], (envoy_buffer){NULL, 0});
  }
  for (uint32_t i = 0; a != NULL && i < a->n_headers; i++) {
    const envoy_pair* h = &a->headers[i];
    set(envoy, (envoy_buffer){h->key, h->key_length}, (envoy_buffer){h->value, h->value_length});
  }
  if (exposes) set(envoy, cors[EXPOSED], exposed);
  if (varies) set(envoy, vary, merged);
}

// grpc_status returns the status of gRPC for one of HTTP, as Envoy has it for its own replies.
static envoy_buffer grpc_status(int status) { return status == 403 ? TEXT("7") : TEXT("2"); }

// corsproc_respond_grpc answers a gRPC request as Envoy does itself: HTTP 200, no body, and the status in the headers.
// The text of that, as any body, is not for HEAD.
void corsproc_respond_grpc(void* envoy, const struct answer* a, bool head) {
  envoy_pair headers[32];
  size_t n = 0;
  headers[n++] = (envoy_pair){":status", 7, "200", 3};
  headers[n++] = (envoy_pair){"content-type", 12, "application/grpc", 16};
  envoy_buffer status = grpc_status(a->status);
  headers[n++] = (envoy_pair){"grpc-status", 11, status.ptr, status.length};
  if (a->grpc_message.length > 0 && !head) {
    headers[n++] = (envoy_pair){"grpc-message", 12, a->grpc_message.ptr, a->grpc_message.length};
  }
  for (uint32_t i = 1; i < a->n_headers && n < 32; i++) {
    const envoy_pair* h = &a->headers[i];
    if (same(TEXT("content-type"), h->key, h->key_length) || same(TEXT("content-length"), h->key, h->key_length)) continue;
    headers[n++] = *h;
  }
  envoy_dynamic_module_callback_http_send_response_headers(envoy, headers, n, true);
}
