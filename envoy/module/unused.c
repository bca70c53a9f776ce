// The hooks that Envoy asks for and this module has no use for: it makes no calls of its own, and is no terminal filter.
#include "abi.h"

#define UNUSED __attribute__((unused))
#define STREAM UNUSED void *envoy, UNUSED const void *stream

void envoy_dynamic_module_on_http_filter_stream_complete(STREAM) {}
void envoy_dynamic_module_on_http_filter_scheduled(STREAM, UNUSED uint64_t event) {}
void envoy_dynamic_module_on_http_filter_http_callout_done(STREAM, UNUSED uint64_t id, UNUSED int result, UNUSED envoy_pair* headers,
                                                           UNUSED size_t n, UNUSED envoy_buffer* body, UNUSED size_t chunks) {}
void envoy_dynamic_module_on_http_filter_http_stream_headers(STREAM, UNUSED uint64_t id, UNUSED envoy_pair* headers,
                                                             UNUSED size_t n, UNUSED bool end) {}
void envoy_dynamic_module_on_http_filter_http_stream_data(STREAM, UNUSED uint64_t id, UNUSED const envoy_buffer* data,
                                                          UNUSED size_t n, UNUSED bool end) {}
void envoy_dynamic_module_on_http_filter_http_stream_trailers(STREAM, UNUSED uint64_t id, UNUSED envoy_pair* trailers,
                                                              UNUSED size_t n) {}
void envoy_dynamic_module_on_http_filter_http_stream_complete(STREAM, UNUSED uint64_t id) {}
void envoy_dynamic_module_on_http_filter_http_stream_reset(STREAM, UNUSED uint64_t id, UNUSED int reason) {}
void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(STREAM) {}
void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(STREAM) {}
