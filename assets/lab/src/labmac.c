/* liblabmac.dylib: needs @rpath/libgreet.1.dylib. */
int greet(void);

void *PyInit_labmac(void) { return 0; }

int labmac_answer(void) { return greet(); }
