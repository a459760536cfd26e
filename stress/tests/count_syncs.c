/* Counts the calls that sync a file, and writes their number to the file named by
   COUNT_SYNCS_TO when the process exits. Preloaded by tests/syncs.rs where there is
   no strace. Calls that go around the C library are not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_ulong syncs;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { syncs++; return NEXT(fsync)(fd); }
int fdatasync(int fd) { syncs++; return NEXT(fdatasync)(fd); }
int syncfs(int fd) { syncs++; return NEXT(syncfs)(fd); }
void sync(void) { syncs++; NEXT(sync)(); }
int msync(void *start, size_t length, int flags) {
    syncs++;
    return NEXT(msync)(start, length, flags);
}
int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
    syncs++;
    return NEXT(sync_file_range)(fd, offset, bytes, flags);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("COUNT_SYNCS_TO");
    FILE *out = path ? fopen(path, "w") : NULL;
    if (out) {
        fprintf(out, "%lu\n", (unsigned long)syncs);
        fclose(out);
    }
}
