// What is edited. It computes 42 from all that an edit could break: relocated tables, zeroed and thread-local memory,
// initializers, copies of foreign data, and two libraries.
#include <stdio.h>
#include <string.h>

int deep(void);
int plain(void);
int dynamic_is_writable(const void *address);

static int zeros[9000];
static int filled[3000] = {3, [2999] = 5};
static _Thread_local int mine = 7;
static _Thread_local int nothing[40];
static const char *const words[] = {"forty", "two"};
static const char *changeable[] = {"forty", "two"};
static int (*const functions[])(void) = {deep, plain};
static int prepared;

__attribute__((constructor)) static void prepare(void) { prepared += 11; }

int compute(void) {
    for (int number = 0; number < 9000; number++) {
        if (zeros[number]) return 1;
    }
    for (int number = 0; number < 40; number++) {
        if (nothing[number]) return 2;
    }
    if (filled[0] != 3 || filled[2999] != 5) return 3;
    if (mine != 7) return 4;
    if (strcmp(words[0], "forty") || strcmp(words[1], "two") || strcmp(changeable[1], words[1])) return 5;
    if (prepared != 11) return 6;
    changeable[0] = words[1];
    zeros[8999] = 0;
    return functions[0]() + functions[1]() + (strcmp(changeable[0], "two") ? 1 : 0) + (stdout == 0);
}

#ifdef PROGRAM
int main(void) {
    printf("%d %d\n", compute(), dynamic_is_writable((const void *) words));
    return 0;
}
#endif
