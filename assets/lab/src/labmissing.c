/* liblabmissing.so: needs a library that is nowhere. */
#include <stddef.h>
#include <stdlib.h>

int gone(void);

void *PyInit_labmissing(void) { return NULL; }

int labmissing_answer(void) { return getenv("LABMISSING") ? 0 : gone(); }
