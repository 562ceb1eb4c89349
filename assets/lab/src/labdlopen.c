/* liblabdlopen.so: names the external library at run time only, where no list of needed libraries shows it. */
#include <dlfcn.h>
#include <stddef.h>

void *PyInit_labdlopen(void) { return NULL; }

int labdlopen_answer(void)
{
    void *library = dlopen("libgreet.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*greet)(void) = NULL;

    if (library != NULL)
        *(void **)&greet = dlsym(library, "greet");
    return greet != NULL ? greet() : -1;
}
