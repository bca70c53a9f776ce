// Merges Vary, as policy.MergeVary does, which the tests hold it against.
#include <string.h>

#include "fields.h"
#include "module.h"

// Bounds the work of finding names that stand twice, in bytes of the list.
#define MAX_DEDUPLICATED 512

static const char origin[] = "Origin";

// has reports whether a list, each of its names followed by a comma and a blank, has a name.
static bool has(const char* list, size_t length, envoy_buffer name) {
  while (length > 0) {
    const char* comma = memchr(list, ',', length);
    size_t n = comma - list;
    if (same_name(name, list, n)) return true;
    list += n + 2;
    length -= n + 2;
  }
  return false;
}

// A field value (RFC 9110, section 5.5) is made of visible characters, blanks and tabs, and what is not ASCII.
static bool is_field_value(const char* s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = s[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

bool corsproc_merge_vary(const envoy_buffer* lines, size_t n, envoy_buffer* merged) {
  size_t most = sizeof origin;
  for (size_t i = 0; i < n; i++) most += 2 * lines[i].length + 2;  // a blank behind each comma, and one more of both
  char* list = corsproc_room(&corsproc_worker()->vary, most);
  if (list == NULL) {
    *merged = (envoy_buffer){"*", 1};
    return true;
  }
  size_t length = 0;
  struct elements e = {lines, n, NULL, NULL};
  envoy_buffer name;
  while (next_element(&e, &name)) {
    if ((name.length == 1 && *name.ptr == '*') || same_name(name, origin, sizeof origin - 1)) return false;
    if (name.length > 0 && !(length < MAX_DEDUPLICATED && has(list, length, name))) {
      memcpy(list + length, name.ptr, name.length);
      memcpy(list + length + name.length, ", ", 2);
      length += name.length + 2;
    }
  }
  if (!is_field_value(list, length)) {
    *merged = (envoy_buffer){"*", 1};
    return true;
  }
  memcpy(list + length, origin, sizeof origin - 1);
  *merged = (envoy_buffer){list, length + sizeof origin - 1};
  return true;
}
