/* master.c - the master key: from the environment or from a file of its own. */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define FILE_BYTES_MAX 128
#define HEX_LINE_BYTES (2 * OB_MASTER_BYTES + 1)

static ob_status use_file(int fd, const char *path, uint8_t *master,
                          ob_store_error *error)
{
    struct stat info;
    char text[FILE_BYTES_MAX];
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ob_store_fail(error, OB_DENIED, "%s is not a plain file", path);
    if (info.st_mode & 077)
        return ob_store_fail(error, OB_DENIED,
                             "%s holds the master key and is open to other "
                             "users; run: chmod 600 '%s'",
                             path, path);
    ssize_t len = read(fd, text, sizeof(text));
    ob_status status =
        len < 0 ? OB_IO
                : ob_master_parse(ob_slice_make(text, (size_t)len), master);
    ob_wipe(text, sizeof(text));
    if (status == OB_OK)
        return OB_OK;
    return ob_store_fail(error, status,
                         "%s does not hold a master key (64 hexadecimal "
                         "digits); restore it from a backup",
                         path);
}

static void write_hex(const uint8_t *master, char *line)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < OB_MASTER_BYTES; i++) {
        line[2 * i] = hex[master[i] >> 4];
        line[2 * i + 1] = hex[master[i] & 15];
    }
    line[HEX_LINE_BYTES - 1] = '\n';
}

/* So that a crash cannot lose the file's name after keys were sealed. */
static bool sync_directory(const char *path)
{
    char directory[PATH_BYTES_MAX];
    snprintf(directory, sizeof(directory), "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash == directory)
        slash++;
    if (slash)
        *slash = 0;
    int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool write_file(const char *path, const uint8_t *master)
{
    char line[HEX_LINE_BYTES];
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    write_hex(master, line);
    bool ok = write(fd, line, sizeof(line)) == (ssize_t)sizeof(line) &&
              fsync(fd) == 0;
    ob_wipe(line, sizeof(line));
    return close(fd) == 0 && ok;
}

/* Written beside and renamed, so that a crash leaves a whole file or none.
 * The caller holds the database's write lock: nobody else makes one. */
static ob_status make_file(const char *path, uint8_t *master,
                           ob_store_error *error)
{
    char beside[PATH_BYTES_MAX + 4];
    if (RAND_priv_bytes(master, OB_MASTER_BYTES) != 1)
        return ob_store_fail(error, OB_IO, "no randomness for a master key");
    snprintf(beside, sizeof(beside), "%s.new", path);
    unlink(beside);
    if (write_file(beside, master) && rename(beside, path) == 0 &&
        sync_directory(path))
        return OB_OK;
    ob_status status = ob_store_fail(error, OB_IO, "cannot make %s: %s", path,
                                     strerror(errno));
    unlink(beside);
    return status;
}

ob_status ob_master_load(const char *path, ob_slice given, bool may_make,
                         uint8_t master[OB_MASTER_BYTES], ob_store_error *error)
{
    char file[PATH_BYTES_MAX];
    if (given.len) {
        if (ob_master_parse(given, master) == OB_OK)
            return OB_OK;
        return ob_store_fail(error, OB_INVALID,
                             "the master key must be 64 hexadecimal digits or "
                             "the base64 of 32 bytes (openssl rand -hex 32)");
    }
    if ((size_t)snprintf(file, sizeof(file), "%s.master.key", path) >=
        sizeof(file))
        return ob_store_fail(error, OB_LIMIT, "the path is too long");
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        ob_status status = use_file(fd, file, master, error);
        close(fd);
        return status;
    }
    if (errno != ENOENT)
        return ob_store_fail(error, OB_DENIED, "cannot read %s: %s", file,
                             strerror(errno));
    if (may_make)
        return make_file(file, master, error);
    return ob_store_fail(error, OB_INVALID,
                         "the keys in this database are sealed, and %s is "
                         "missing; restore it, or set ONE_BALANCE_MASTER_KEY",
                         file);
}
