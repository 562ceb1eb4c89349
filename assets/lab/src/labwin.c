/* labwin.dll: needs the private greet.dll, and kernel32.dll of the system. */
__declspec(dllimport) int greet(void);
__declspec(dllimport) unsigned long __stdcall GetTickCount(void);

__declspec(dllexport) void *PyInit_labwin(void) { return 0; }

__declspec(dllexport) int labwin_answer(void) { return greet() + (GetTickCount() == 0); }

int __stdcall DllMainCRTStartup(void *module, unsigned long reason, void *reserved)
{
    (void)module, (void)reason, (void)reserved;
    return 1;
}
