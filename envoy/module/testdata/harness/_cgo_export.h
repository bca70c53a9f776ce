// What Go exports to hooks.c, which harness.c does in its place.
#include "module.h"

void corsprocStart(uint32_t workers);
int corsprocConfigure(struct config* c, char* config, size_t length, bool validate);
void corsprocForget(struct config* c);
struct answer* corsprocDecide(uint32_t source, struct facts* facts, size_t prefix, size_t size, bool beat);
