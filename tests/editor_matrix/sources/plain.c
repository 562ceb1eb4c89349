// The library without symbol versions; the subject needs it.
int plain(void) { return 2; }
