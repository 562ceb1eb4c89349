// Whether the dynamic section of the object that holds `address` can be written to at this moment: what RELRO came to.
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>

struct search {
    unsigned long address, dynamic;
};

static int look(struct dl_phdr_info *object, size_t size, void *argument) {
    (void) size;
    struct search *search = argument;
    unsigned long dynamic = 0;
    int holds = 0;
    for (int number = 0; number < object->dlpi_phnum; number++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[number];
        unsigned long start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && search->address >= start && search->address < start + segment->p_memsz) {
            holds = 1;
        }
        if (segment->p_type == PT_DYNAMIC) dynamic = start;
    }
    if (holds) search->dynamic = dynamic;
    return holds;
}

int dynamic_is_writable(const void *address) {
    struct search search = {(unsigned long) address, 0};
    dl_iterate_phdr(look, &search);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096], access[8];
    unsigned long start, end;
    int writable = -1;
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &start, &end, access) != 3) continue;
        if (search.dynamic >= start && search.dynamic < end) writable = access[1] == 'w';
    }
    if (maps) fclose(maps);
    return writable;
}
