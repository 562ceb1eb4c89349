// Opens libraries in every way that a trace has to tell, and prints what came of it, a line each:
// process id, "opened", "failed" or "again", the name that it asked for, and the path that the loader knows the answer by.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory;

static void say(const char *what, const char *name, const char *path) {
    char line[8192];
    int length = snprintf(line, sizeof line, "%d\t%s\t%s\t%s\n", (int)getpid(), what, name, path);
    if (write(1, line, length) != length) abort();
}

static void *told(const char *what, const char *name, void *handle) {
    struct link_map *map = NULL;
    if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) say("failed", name, "-");
    else say(what, name, map->l_name);
    return handle;
}

static void *open_name(const char *name) { return told("opened", name, dlopen(name, RTLD_NOW)); }

static void *open_path(const char *file) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    return open_name(path);
}

static void *in_thread(void *name) {
    for (int i = 0; i < 20; i++) {
        void *handle = open_name(name);
        if (handle) dlclose(handle);
    }
    return NULL;
}

static void forked(const char *name) {
    pid_t child = fork();
    if (child == 0) {
        open_name(name);
        open_name("libnowhere-of-child.so");
        _exit(0);
    }
}

int main(int count, char **words) {
    if (count < 3) return 2;
    directory = words[2];
    if (!strcmp(words[1], "second")) {
        open_name("libsecond.so");
        return 0;
    }
    if (!strcmp(words[1], "third")) {
        open_name("libthird.so");
        return 7;
    }
    open_name("libbyname.so");
    open_path("lib/libbypath.so");
    open_path("lib/libplugin.so");
    open_name("libnowhere.so");
    open_path("lib/nowhere/libpath.so");
    open_name("libneedy.so");
    open_name("libundefined.so");
    // The loader knows it by this name: it says that it is opened once more, and not by whom.
    told("again", "libbyname.so", dlopen("libbyname.so", RTLD_NOW));
    // A link to a file that is there.
    told("alias", "libalias.so", dlopen("libalias.so", RTLD_NOW));
    told("opened", "libspace.so", dlmopen(LM_ID_NEWLM, "libspace.so", RTLD_NOW));
    pthread_t threads[4];
    const char *names[4] = {"libthread0.so", "libthread1.so", "libthread2.so", "libnowhere-of-thread.so"};
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, in_thread, (void *)names[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) forked("libchild.so");
    while (wait(NULL) > 0) {}
    pid_t child = fork();
    if (child == 0) {
        execl(words[0], words[0], "second", directory, (char *)NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    // The same process goes on as another program.
    execl(words[0], words[0], "third", directory, (char *)NULL);
    return 1;
}
