/* libmissing.so.3: only there while liblabmissing.so is linked. */
int gone(void) { return 3; }
