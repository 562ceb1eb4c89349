/* libgreet: the external library. Its answer is 42, and its text counts how often it was asked for. */
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

#ifdef ALONE
static int deep_value(void) { return 21; }
#else
int deep_value(void);
#endif

static int asked;

EXPORT int greet(void) { return 2 * deep_value(); }

EXPORT const char *greet_text(void)
{
    return asked++ ? "hello again from libgreet" : "hello from libgreet";
}

#ifdef _WIN32
int __stdcall DllMainCRTStartup(void *module, unsigned long reason, void *reserved)
{
    (void)module, (void)reason, (void)reserved;
    return 1;
}
#endif
