// What RFC 9110 says of field values that are lists, as policy/internal/fetch has it.
#ifndef CORSPROC_FIELDS_H
#define CORSPROC_FIELDS_H

#include <string.h>

#include "abi.h"

// The elements of a field, the empty ones too (section 5.6.1). Several lines are one list.
struct elements {
  const envoy_buffer* lines;
  size_t n;         // lines that are not begun yet
  const char* rest; // null: no line is begun
  const char* end;
};

static inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

// next_element returns the next element, without the blanks around it.
static inline bool next_element(struct elements* e, envoy_buffer* element) {
  if (e->rest == NULL) {
    if (e->n == 0) return false;
    e->rest = e->lines->length == 0 ? "" : e->lines->ptr;
    e->end = e->rest + e->lines->length;
    e->lines++;
    e->n--;
  }
  const char* begin = e->rest;
  const char* stop = begin == e->end ? NULL : memchr(begin, ',', e->end - begin);
  e->rest = stop == NULL ? NULL : stop + 1;
  if (stop == NULL) stop = e->end;
  while (begin < stop && is_blank(*begin)) begin++;
  while (begin < stop && is_blank(stop[-1])) stop--;
  *element = (envoy_buffer){begin, stop - begin};
  return true;
}

static inline unsigned char lower(unsigned char c) { return 'A' <= c && c <= 'Z' ? c | 0x20 : c; }

// same_name reports whether two names of fields are the same: they are tokens, so A to Z alone are folded.
static inline bool same_name(envoy_buffer a, const char* b, size_t length) {
  if (a.length != length) return false;
  for (size_t i = 0; i < length; i++) {
    if (lower(a.ptr[i]) != lower(b[i])) return false;
  }
  return true;
}

// is_token: section 5.6.2.
static inline bool is_token(envoy_buffer s) {
  for (size_t i = 0; i < s.length; i++) {
    unsigned char c = s.ptr[i], l = lower(c);
    if (!(('a' <= l && l <= 'z') || ('0' <= c && c <= '9') || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))) return false;
  }
  return s.length > 0;
}

#endif
