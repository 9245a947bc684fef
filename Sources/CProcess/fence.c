// The fence of a program in a sandbox without bubblewrap: which files it reaches (Landlock), and
// that it makes no sockets (seccomp). Both are for unprivileged processes and cannot be undone.
#define _GNU_SOURCE
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// MARK: - Files

// As in linux/landlock.h, which is older than the system on many hosts.
enum {
    access_execute = 1 << 0, access_write_file = 1 << 1, access_read_file = 1 << 2,
    access_read_dir = 1 << 3, access_make_char = 1 << 6, access_make_block = 1 << 11,
    access_refer = 1 << 13, access_truncate = 1 << 14, access_ioctl_dev = 1 << 15,
    access_of_version_1 = (1 << 13) - 1,
    scope_abstract_unix_socket = 1 << 0, scope_signal = 1 << 1,
};

struct ruleset {
    uint64_t files, network, scoped;
};

struct path_rule {
    uint64_t access;
    int32_t parent;
} __attribute__((packed));

enum { create_ruleset = 444, add_rule = 445, restrict_self = 446, rule_path_beneath = 1 };

int weft_landlock_version(void) {
    const unsigned get_version = 1;
    long version = syscall(create_ruleset, NULL, 0, get_version);
    return version < 0 ? 0 : (int)version;
}

// Lets what is at a path be used in these ways; what is not there needs no rule.
static int allow(int ruleset, const char *path, uint64_t access) {
    int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0) return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
    struct stat status;
    int result = fstat(place, &status) == 0 ? 0 : -errno;
    if (result == 0 && !S_ISDIR(status.st_mode)) {
        access &= access_execute | access_write_file | access_read_file | access_truncate
            | access_ioctl_dev;
    }
    struct path_rule rule = {.access = access, .parent = place};
    if (result == 0 && syscall(add_rule, ruleset, rule_path_beneath, &rule, 0) != 0) {
        result = -errno;
    }
    close(place);
    return result;
}

int weft_fence(const struct program *program) {
    int version = weft_landlock_version();
    if (version == 0) return -ENOSYS;
    struct ruleset handled = {.files = access_of_version_1};
    if (version >= 2) handled.files |= access_refer;
    if (version >= 3) handled.files |= access_truncate;
    if (version >= 5) handled.files |= access_ioctl_dev;
    if (version >= 6) handled.scoped = scope_abstract_unix_socket | scope_signal;
    size_t size = version >= 6 ? sizeof handled : version >= 4 ? 16 : 8;
    int ruleset = (int)syscall(create_ruleset, &handled, size, 0);
    if (ruleset < 0) return -errno;
    const uint64_t reading = access_execute | access_read_file | access_read_dir;
    const uint64_t changing = handled.files & ~(uint64_t)(access_make_char | access_make_block);
    int result = 0;
    for (uint32_t index = 0; index < program->confinement.readable && result == 0; index++) {
        result = allow(ruleset, program->readable[index], reading);
    }
    for (uint32_t index = 0; index < program->confinement.writable && result == 0; index++) {
        result = allow(ruleset, program->writable[index], changing);
    }
    if (result == 0 && syscall(restrict_self, ruleset, 0) != 0) result = -errno;
    close(ruleset);
    return result;
}

// MARK: - Network

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "The numbers of system calls differ here: name the architecture for seccomp."
#endif

// Calls of the x32 ABI, which have numbers of their own.
enum { foreign_calls = 0x40000000 };

#define LOAD(FIELD) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, FIELD))
#define FAIL(ERROR) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (ERROR))

int weft_close_network(void) {
    // Sockets of any family: a local one leads to services that are not in the sandbox. Pairs of
    // sockets stay. An io_uring would make sockets past this filter.
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0),
        FAIL(EPERM),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, foreign_calls, 0, 1),
        FAIL(EPERM),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
        FAIL(EACCES),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        FAIL(ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : -errno;
}
