// Merges Vary, as policy.MergeVary does, which the tests hold it against.
#include <string.h>

#include "module.h"

// Bounds the work of finding names that stand twice, in bytes of the list.
#define MAX_DEDUPLICATED 512

static const char origin[] = "Origin";

static unsigned char lower(unsigned char c) { return 'A' <= c && c <= 'Z' ? c | 0x20 : c; }

static bool same_name(const char* a, size_t a_length, const char* b, size_t b_length) {
  if (a_length != b_length) return false;
  for (size_t i = 0; i < a_length; i++) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// has reports whether a list, each of its names followed by a comma and a blank, has a name.
static bool has(const char* list, size_t length, const char* name, size_t name_length) {
  while (length > 0) {
    const char* comma = memchr(list, ',', length);
    size_t n = comma - list;
    if (same_name(list, n, name, name_length)) return true;
    list += n + 2;
    length -= n + 2;
  }
  return false;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

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
  for (size_t i = 0; i < n; i++) {
    const char* rest = lines[i].ptr;
    const char* end = rest + lines[i].length;
    for (;;) {
      const char* comma = rest == end ? NULL : memchr(rest, ',', end - rest);
      const char* name = rest;
      const char* stop = comma == NULL ? end : comma;
      while (name < stop && is_blank(*name)) name++;
      while (name < stop && is_blank(stop[-1])) stop--;
      size_t size = stop - name;
      if ((size == 1 && *name == '*') || same_name(name, size, origin, sizeof origin - 1)) return false;
      if (size > 0 && !(length < MAX_DEDUPLICATED && has(list, length, name, size))) {
        memcpy(list + length, name, size);
        memcpy(list + length + size, ", ", 2);
        length += size + 2;
      }
      if (comma == NULL) break;
      rest = comma + 1;
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
