/* labprobe FILE [FUNCTION]: loads a library as an interpreter would, calls `int FUNCTION(void)`, and says what came of it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **words)
{
    void *library, *function;

    if (count < 2) {
        fputs("usage: labprobe FILE [FUNCTION]\n", stderr);
        return 2;
    }
    library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (count < 3) {
        puts("loaded");
        return 0;
    }
    function = dlsym(library, words[2]);
    if (function == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    printf("%d\n", ((int (*)(void))function)());
    return 0;
}
