#ifndef CORSPROC_KEPT_H
#define CORSPROC_KEPT_H
struct table;
void corsproc_free_table(struct table* t);
#endif
