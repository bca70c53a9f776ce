// What the C half and the Go half of the module tell each other. All of it lies in C memory; no pointer into Go's memory
// is kept by C, and none into Envoy's outlives the hook that got it.
#ifndef CORSPROC_MODULE_H
#define CORSPROC_MODULE_H

#include "abi.h"

// The facts of a request of which there is one text. The path is the last, so that what comes before it can be looked up
// alone.
enum {
  FACT_VIRTUAL_HOST,
  FACT_ROUTE,
  FACT_METHOD,
  FACT_SCHEME,
  FACT_AUTHORITY,
  FACT_PROTOCOL,
  FACT_ORIGIN,
  FACT_REQUEST_METHOD,
  FACT_PRIVATE_NETWORK,
  FACT_UPGRADE,
  FACT_FETCH_SITE,
  FACT_NAMED,
  FACT_PATH,
  FACTS
};

// The facts of one request: this, and then their texts. Two requests with the same bytes are decided alike.
struct facts {
  uint64_t set;                // which one decides: see struct source
  uint32_t answered;           // seen only with its response
  uint32_t names;              // lines of Access-Control-Request-Headers; each text is a uint32_t length and its bytes
  uint32_t lines[FACT_PATH];   // how many lines there were; 0: absent
  uint32_t length[FACT_PATH];  // bytes of the text
  // char text[]: those of length, in their order, then those of names, then the path, of which no length is told: what
  // stands before it can be compared by itself.
};

// What a decision does, as policy.Action.
enum { ACTION_PASS, ACTION_ADJUST, ACTION_RESPOND };

// Which paths a decision is good for, when all other facts are the same: any; those that begin alike, and can be read in one
// way; this one.
enum { PATH_ANY, PATH_SCOPE, PATH_WHOLE };

// A decision, ready to be carried out. Its pointers lead into its own memory. It belongs to one worker, which counts who
// uses it.
struct answer {
  uint32_t users;
  uint32_t size;           // bytes, this struct included
  uint64_t set;            // which one decided
  uint8_t action;
  uint8_t varies;          // Vary has to name Origin
  uint8_t exposes;         // what the upstream exposes is merged into exposed
  uint8_t refused;         // it is logged once a minute, so Go has to hear of it then
  uint8_t candidate;       // the place has candidates
  uint8_t path;            // which other paths are decided alike
  uint32_t scope;          // of PATH_SCOPE: so many bytes of the path decide
  uint16_t status;         // of an immediate answer
  uint32_t n_headers;      // of an immediate answer, :status first; else what the response gets, but for Vary
  uint32_t n_facts;        // of dynamic metadata
  envoy_pair* headers;
  envoy_pair* facts;
  envoy_buffer exposed;               // what the policy exposes, where exposes is set
  envoy_buffer body;
  envoy_buffer grpc_message;          // the body, percent-encoded
  envoy_buffer kind_reason[2];        // the labels of the counter of decisions
  envoy_buffer candidate_labels[3];   // verdict, candidate_verdict, candidate_reason
};

// A path of policies that is watched, as C sees it. Go makes it, and frees it when no configuration names it any more.
struct source {
  uint64_t set;           // atomic: the number of the set in force, which no other set of this process has
  uint64_t hash;          // atomic: the first 48 bits of its hash; with several paths, the sum of those
  uint32_t good;          // atomic: the latest attempts to load it, and every other path, succeeded
  uint32_t successes;     // atomic: attempts that are not counted yet
  uint32_t failures;      // atomic
};

// A filter's configuration.
struct config {
  void* envoy;
  void* scheduler;
  struct source* source;
  uint32_t id;            // by which Go knows the source
  size_t decisions, candidates, panics, reloads;  // counters
  size_t good, hash;                              // gauges
};

struct answer* corsproc_new_answer(size_t size);
void corsproc_log(int level, const char* text, size_t length);
void corsproc_count_reloads(struct config* c);
int corsproc_define(struct config* c);

// Of the request: gathers its facts into a buffer of the worker, which is good until the next call.
struct gathered {
  const struct facts* facts;
  size_t size;     // of all of it
  size_t prefix;   // of what comes before the path
  bool plain;      // the path can be read in one way only
  bool grpc;       // the request's content type is application/grpc
  bool head;       // its method is HEAD
};
bool corsproc_gather(void* envoy, uint64_t set, bool answered, struct gathered* g);

// Of answers.
void corsproc_adjust(void* envoy, const struct answer* a);
void corsproc_respond_grpc(void* envoy, const struct answer* a, bool head);

// Of Vary: writes into a buffer of the worker what a response with these lines needs, if that is something else.
bool corsproc_merge_vary(const envoy_buffer* lines, size_t n, envoy_buffer* merged);

// Of what is exposed: writes into a buffer of the worker what a policy exposes and what an upstream's lines name. False: nothing.
bool corsproc_merge_exposed(envoy_buffer own, const envoy_buffer* lines, size_t n, envoy_buffer* merged);

// Of kept decisions.
struct answer* corsproc_kept(const struct gathered* g);
void corsproc_keep(const struct gathered* g, struct answer* a);
void corsproc_drop(struct answer* a);
void corsproc_new_epoch(void);  // any thread

// Memory of the worker that grows as needed; null: there is none left.
struct scratch {
  char* bytes;
  size_t size;
};
char* corsproc_room(struct scratch* s, size_t size);

struct worker {
  struct scratch facts;
  struct scratch headers;
  struct scratch vary;
  struct scratch exposed;
  struct table* table;
  size_t kept;         // bytes of keys and answers in the table
  int64_t crossed;     // when it last entered Go for a decision, in nanoseconds
  int64_t beat;        // when it last let Go's scheduler see it
  uint64_t crossings;  // how often it entered Go for a decision
};
struct worker* corsproc_worker(void);

// For the tests, of the calling thread.
uint64_t corsproc_crossings(void);
size_t corsproc_kept_bytes(void);

#endif
