// Loads the library of its first argument and says what its `compute` makes, and whether its dynamic section is writable.
#include <dlfcn.h>
#include <stdio.h>

int dynamic_is_writable(const void *address);

int main(int count, char **words) {
    void *library = count > 1 ? dlopen(words[1], RTLD_LAZY) : 0;
    if (!library) {
        puts(dlerror());
        return 1;
    }
    int (*compute)(void) = (int (*)(void)) dlsym(library, "compute");
    if (!compute) {
        puts(dlerror());
        return 2;
    }
    printf("%d %d\n", compute(), dynamic_is_writable((const void *) compute));
    return 0;
}
