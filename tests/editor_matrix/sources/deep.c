// The library whose symbols have versions; the subject needs it.
int deep(void) { return 40; }
