/* labtool: a program that needs nothing but the C library. */
#include <stdio.h>

int main(void)
{
    puts("labtool needs nothing");
    return 0;
}
