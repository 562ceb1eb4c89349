/* liblabdone.so: linked so that it looks as a repair tool leaves it: a hash-suffixed library and an RPATH into *.libs. */
#include <stddef.h>
#include <string.h>

int greet(void);

void *PyInit_labdone(void) { return NULL; }

int labdone_answer(const char *text)
{
    return greet() + (int)strlen(text);
}
