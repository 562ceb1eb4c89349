/* libdeep.so.2: the library of the external library. pthread_once makes it ask for a newer C library than its users. */
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int value;

static void fill(void) { value = 21; }

int deep_value(void)
{
    pthread_once(&once, fill);
    return value;
}
