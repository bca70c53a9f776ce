// What operators see in Envoy's statistics. Envoy puts the configuration's metrics_namespace before the names.
#include "module.h"

#define TEXT(s) ((envoy_buffer){s, sizeof(s) - 1})

static bool counter(struct config* c, envoy_buffer name, envoy_buffer* labels, size_t n, size_t* id) {
  return envoy_dynamic_module_callback_http_filter_config_define_counter(c->envoy, name, labels, n, id) == 0;
}

static bool gauge(struct config* c, envoy_buffer name, size_t* id) {
  return envoy_dynamic_module_callback_http_filter_config_define_gauge(c->envoy, name, NULL, 0, id) == 0;
}

int corsproc_define(struct config* c) {
  envoy_buffer decision[] = {TEXT("kind"), TEXT("reason")};
  envoy_buffer candidate[] = {TEXT("verdict"), TEXT("candidate_verdict"), TEXT("candidate_reason")};
  envoy_buffer reload[] = {TEXT("result")};
  return counter(c, TEXT("decisions"), decision, 2, &c->decisions) &&
         counter(c, TEXT("candidates"), candidate, 3, &c->candidates) && counter(c, TEXT("panics"), NULL, 0, &c->panics) &&
         counter(c, TEXT("policy_reloads"), reload, 1, &c->reloads) &&
         gauge(c, TEXT("policy_last_reload_successful"), &c->good) && gauge(c, TEXT("policy_hash"), &c->hash);
}

static void add(struct config* c, envoy_buffer result, uint32_t* waiting) {
  uint64_t n = __atomic_exchange_n(waiting, 0, __ATOMIC_ACQ_REL);
  // Also a 0: the series is there from the start.
  envoy_dynamic_module_callback_http_filter_config_increment_counter(c->envoy, c->reloads, &result, 1, n);
}

// corsproc_count_reloads tells Envoy what became of the policies since it was last called. It runs on the main thread: a
// counter that another thread changes crashes Envoy.
void corsproc_count_reloads(struct config* c) {
  struct source* s = c->source;
  add(c, TEXT("success"), &s->successes);
  add(c, TEXT("failure"), &s->failures);
  envoy_dynamic_module_callback_http_filter_config_set_gauge(c->envoy, c->good, NULL, 0,
                                                             __atomic_load_n(&s->good, __ATOMIC_ACQUIRE));
  envoy_dynamic_module_callback_http_filter_config_set_gauge(c->envoy, c->hash, NULL, 0,
                                                             __atomic_load_n(&s->hash, __ATOMIC_ACQUIRE));
}
