// The part of Envoy's ABI for dynamic modules that this module uses, as of Envoy 1.40, declared from its public
// documentation (source/extensions/dynamic_modules/abi/abi.h of envoyproxy/envoy). Names, layouts and numbers are Envoy's.
//
// A buffer that a callback returns is Envoy's. It is good until the hook ends or, of a header, until that map is changed.
// A callback that is not noted otherwise may be called only within a hook, on the hook's thread.
#ifndef CORSPROC_ABI_H
#define CORSPROC_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char* ptr;
  size_t length;
} envoy_buffer;

typedef struct {
  const char* key;
  size_t key_length;
  const char* value;
  size_t value_length;
} envoy_pair;

enum { LOG_DEBUG = 1, LOG_INFO = 2, LOG_WARN = 3, LOG_ERROR = 4 };
enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { METADATA_ROUTE = 1 };
enum { ATTRIBUTE_ROUTE_NAME = 61, ATTRIBUTE_VIRTUAL_HOST_NAME = 63 };
enum { HEADERS_CONTINUE = 0, HEADERS_STOP = 1 };
enum { BODY_CONTINUE = 0, BODY_DROP = 3 };
enum { TRAILERS_CONTINUE = 0, TRAILERS_STOP = 1 };

// Hooks: what Envoy calls. Envoy looks all of them up by name, also those that this module has no use for.

// Main thread, once. Returns the version of the ABI; null: the module is not loaded.
const char* envoy_dynamic_module_on_program_init(void);

// Main thread. Null rejects the configuration.
const void* envoy_dynamic_module_on_http_filter_config_new(void* envoy, envoy_buffer name, envoy_buffer config);
// Any thread: that of whoever lets go of it last.
void envoy_dynamic_module_on_http_filter_config_destroy(const void* config);
// Main thread, after a commit of the configuration's scheduler.
void envoy_dynamic_module_on_http_filter_config_scheduled(void* envoy, const void* config, uint64_t event);
const void* envoy_dynamic_module_on_http_filter_per_route_config_new(envoy_buffer name, envoy_buffer config);
void envoy_dynamic_module_on_http_filter_per_route_config_destroy(const void* config);

// On the worker of the stream, from new to destroy.
const void* envoy_dynamic_module_on_http_filter_new(const void* config, void* envoy);
void envoy_dynamic_module_on_http_filter_destroy(const void* stream);
int envoy_dynamic_module_on_http_filter_request_headers(void* envoy, const void* stream, bool end);
int envoy_dynamic_module_on_http_filter_request_body(void* envoy, const void* stream, bool end);
int envoy_dynamic_module_on_http_filter_request_trailers(void* envoy, const void* stream);
int envoy_dynamic_module_on_http_filter_response_headers(void* envoy, const void* stream, bool end);
int envoy_dynamic_module_on_http_filter_response_body(void* envoy, const void* stream, bool end);
int envoy_dynamic_module_on_http_filter_response_trailers(void* envoy, const void* stream);
void envoy_dynamic_module_on_http_filter_stream_complete(void* envoy, const void* stream);
void envoy_dynamic_module_on_http_filter_scheduled(void* envoy, const void* stream, uint64_t event);
void envoy_dynamic_module_on_http_filter_http_callout_done(void* envoy, const void* stream, uint64_t id, int result,
                                                           envoy_pair* headers, size_t n, envoy_buffer* body, size_t chunks);
void envoy_dynamic_module_on_http_filter_http_stream_headers(void* envoy, const void* stream, uint64_t id, envoy_pair* headers,
                                                             size_t n, bool end);
void envoy_dynamic_module_on_http_filter_http_stream_data(void* envoy, const void* stream, uint64_t id, const envoy_buffer* data,
                                                          size_t n, bool end);
void envoy_dynamic_module_on_http_filter_http_stream_trailers(void* envoy, const void* stream, uint64_t id,
                                                              envoy_pair* trailers, size_t n);
void envoy_dynamic_module_on_http_filter_http_stream_complete(void* envoy, const void* stream, uint64_t id);
void envoy_dynamic_module_on_http_filter_http_stream_reset(void* envoy, const void* stream, uint64_t id, int reason);
void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(void* envoy, const void* stream);
void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(void* envoy, const void* stream);

// Callbacks: what Envoy offers. Those that Envoy 1.36 has not got are weak, so that an older Envoy loads the module and is
// told why it cannot use it, instead of naming a symbol.
#define SINCE_1_37 __attribute__((weak))
#define SINCE_1_38 __attribute__((weak))
#define SINCE_1_39 __attribute__((weak))
#define SINCE_1_40 __attribute__((weak))

// Any thread. The second shows where in the module's source a line comes from; a line of 0 is none.
void envoy_dynamic_module_callback_log(int level, envoy_buffer message);
SINCE_1_40 void envoy_dynamic_module_callback_log_v2(int level, envoy_buffer message, envoy_buffer file, uint32_t line);
bool envoy_dynamic_module_callback_log_enabled(int level);
// Main thread; the first in program_init, too.
SINCE_1_38 uint32_t envoy_dynamic_module_callback_get_concurrency(void);
SINCE_1_38 bool envoy_dynamic_module_callback_is_validation_mode(void);

// Statistics. They can be defined only while a configuration is made, and changed only on Envoy's own threads.
int envoy_dynamic_module_callback_http_filter_config_define_counter(void* envoy, envoy_buffer name, envoy_buffer* labels,
                                                                    size_t n, size_t* id);
int envoy_dynamic_module_callback_http_filter_config_define_gauge(void* envoy, envoy_buffer name, envoy_buffer* labels,
                                                                  size_t n, size_t* id);
int envoy_dynamic_module_callback_http_filter_increment_counter(void* envoy, size_t id, envoy_buffer* values, size_t n,
                                                                uint64_t by);
SINCE_1_39 int envoy_dynamic_module_callback_http_filter_config_increment_counter(void* envoy, size_t id,
                                                                                  envoy_buffer* values, size_t n, uint64_t by);
SINCE_1_39 int envoy_dynamic_module_callback_http_filter_config_set_gauge(void* envoy, size_t id, envoy_buffer* values, size_t n,
                                                                          uint64_t value);

// A scheduler is the module's, to be deleted. A commit may come from any thread.
SINCE_1_37 void* envoy_dynamic_module_callback_http_filter_config_scheduler_new(void* envoy);
SINCE_1_37 void envoy_dynamic_module_callback_http_filter_config_scheduler_delete(void* scheduler);
SINCE_1_37 void envoy_dynamic_module_callback_http_filter_config_scheduler_commit(void* scheduler, uint64_t event);

// What a request is, pseudo headers among its headers; names are lower-case.
SINCE_1_37 size_t envoy_dynamic_module_callback_http_get_headers_size(void* envoy, int map);
SINCE_1_37 bool envoy_dynamic_module_callback_http_get_headers(void* envoy, int map, envoy_pair* to);
// An empty value removes the header; any other replaces all its lines.
SINCE_1_37 bool envoy_dynamic_module_callback_http_set_header(void* envoy, int map, envoy_buffer name, envoy_buffer value);
bool envoy_dynamic_module_callback_http_filter_get_attribute_string(void* envoy, int attribute, envoy_buffer* value);
// False also where the value is no text, which Envoy then logs as an error.
bool envoy_dynamic_module_callback_http_get_metadata_string(void* envoy, int source, envoy_buffer space, envoy_buffer key,
                                                            envoy_buffer* value);
SINCE_1_38 size_t envoy_dynamic_module_callback_http_get_metadata_keys_count(void* envoy, int source, envoy_buffer space);
SINCE_1_38 bool envoy_dynamic_module_callback_http_get_metadata_keys(void* envoy, int source, envoy_buffer space,
                                                                     envoy_buffer* keys);
// What per_route_config_new returned for the route, else for its virtual host or route configuration; null: nothing.
const void* envoy_dynamic_module_callback_get_most_specific_route_config(void* envoy);

SINCE_1_39 void envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(void* envoy, envoy_buffer space,
                                                                                     const envoy_pair* entries, size_t n);
// The answer goes through the filters on its way out, this module's response hook included.
void envoy_dynamic_module_callback_http_send_response_headers(void* envoy, envoy_pair* headers, size_t n, bool end);
void envoy_dynamic_module_callback_http_send_response_data(void* envoy, envoy_buffer data, bool end);

#endif
