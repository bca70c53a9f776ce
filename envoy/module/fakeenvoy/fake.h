#ifndef CORSPROC_FAKE_H
#define CORSPROC_FAKE_H

#include "abi.h"

struct fake_config;
struct fake_stream;

const char* fake_load(uint32_t workers);
void fake_validate(bool on);

// A configuration of the filter; null: the module rejects it. Its statistics stay until it is destroyed.
struct fake_config* fake_config_new(const char* json, size_t length);
void fake_config_destroy(struct fake_config* c);
// Runs what was scheduled on the main thread since it was last called, and returns how often that was.
int fake_config_run(struct fake_config* c);
// Returns the value of a counter or gauge, -1 where there is none yet: "name|value|value".
int64_t fake_stat(struct fake_config* c, const char* name, size_t length);
int fake_schedulers(void);  // that are not deleted

// A line of the log, and where in the source it comes from (0: that is not told). Both texts are to be freed.
struct fake_line {
  int level;
  char* text;
  size_t length;
  char* file;
  size_t file_length;
  uint32_t number;
};
bool fake_log(struct fake_line* to);  // false: there is none

// The module's own: how often the calling thread entered Go for a decision, and how many bytes of them it keeps.
uint64_t corsproc_crossings(void);
size_t corsproc_kept_bytes(void);

struct fake_stream* fake_stream_new(struct fake_config* c);
void fake_stream_destroy(struct fake_stream* s);
void fake_add(struct fake_stream* s, int map, const char* name, size_t name_length, const char* value, size_t value_length);
void fake_place(struct fake_stream* s, int attribute, const char* text, size_t length);
void fake_metadata(struct fake_stream* s, const char* key, size_t key_length, const char* text, size_t length, bool is_text);
void fake_per_route(struct fake_stream* s, const void* config);
// The client or the codec goes away while an answer is being sent: at its headers (1), or once it is whole, as always (0).
void fake_gone(struct fake_stream* s, bool at_headers);
// What of a stream cannot be read: bits of maps, and of the keys of its route's metadata.
enum { UNREADABLE_REQUEST = 1 << REQUEST_HEADERS, UNREADABLE_RESPONSE = 1 << RESPONSE_HEADERS, UNREADABLE_KEYS = 1 << 8 };
void fake_unreadable(struct fake_stream* s, unsigned what);
int fake_request(struct fake_stream* s);
int fake_response(struct fake_stream* s);
int fake_rest(struct fake_stream* s);  // bodies and trailers of both; returns the statuses as bits

// Writes what became of a stream: records of a tag, a length (uint32_t) and bytes. Returns how many bytes there are.
// h a header of the response, s a header of an answer of the module's own, b its body, m of metadata: name, NUL, value;
// x how often an answer was ended.
size_t fake_outcome(struct fake_stream* s, char* to, size_t room);

// A request that workers send again and again, and the outcomes that it may have.
struct fake_template {
  struct fake_stream* stream;  // never run
  const char* outcomes[2];
  size_t lengths[2];
};
// Sends requests of all templates in turn, of several threads, each with a response. Returns how many had another outcome.
uint64_t fake_work(struct fake_config* c, struct fake_template* templates, int n, int threads, uint64_t requests);
void* fake_per_route_new(const char* text, size_t length);
void fake_per_route_destroy(void* config);

#endif
