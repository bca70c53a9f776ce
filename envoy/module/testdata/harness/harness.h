#ifndef CORSPROC_HARNESS_H
#define CORSPROC_HARNESS_H

#include "fake.h"

enum { ROOM = 1 << 20 };  // for an outcome

// Draws a number below n, of the calling thread's sequence.
uint32_t draw(uint32_t n);
// The random request, and the response to it, of a seed. The sequence begins anew with it.
struct fake_stream* stream(struct fake_config* c, void* route, uint64_t seed);

// Sends requests of so many seeds while the module gets no memory.
void starve(struct fake_config* c, void* route, int seeds);

#endif
