/* labctl: a program that needs the external library. */
#include <stdio.h>

int greet(void);
const char *greet_text(void);

int main(void)
{
    printf("%s: %d\n", greet_text(), greet());
    return 0;
}
