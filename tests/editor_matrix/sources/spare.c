// A library whose names nobody uses: what is needed without a reason, and what can be added to the needs.
int nobody_calls_this(void) { return 0; }
