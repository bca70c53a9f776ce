// Merges what an upstream exposes into what a policy exposes, as policy.Decision.AppendExposed does, which the tests hold it
// against.
#include <string.h>

#include "fields.h"
#include "module.h"

// policy.MaxExposedElements and policy.MaxExposedBytes.
enum { MAX_ELEMENTS = 256, MAX_BYTES = 4096 };

// has reports whether a list, its names parted by a comma and a blank, has a name.
static bool has(const char* list, size_t length, envoy_buffer name) {
  for (const char* end = list + length; list < end;) {
    const char* comma = memchr(list, ',', end - list);
    const char* stop = comma == NULL ? end : comma;
    if (same_name(name, list, stop - list)) return true;
    list = comma == NULL ? end : comma + 2;
  }
  return false;
}

bool corsproc_merge_exposed(envoy_buffer own, const envoy_buffer* lines, size_t n, envoy_buffer* merged) {
  char* list = corsproc_room(&corsproc_worker()->exposed, own.length + MAX_BYTES);
  if (list == NULL) {
    *merged = own;
    return own.length > 0;
  }
  size_t length = own.length;
  if (length > 0) memcpy(list, own.ptr, length);
  struct elements e = {lines, n, NULL, NULL};
  envoy_buffer name;
  for (int i = 0; i < MAX_ELEMENTS && next_element(&e, &name); i++) {
    if (length + 2 + name.length > own.length + MAX_BYTES) break;
    if ((name.length == 1 && *name.ptr == '*') || !is_token(name) || has(list, length, name)) continue;
    if (length > 0) {
      memcpy(list + length, ", ", 2);
      length += 2;
    }
    memcpy(list + length, name.ptr, name.length);
    length += name.length;
  }
  *merged = (envoy_buffer){list, length};
  return length > 0;
}
