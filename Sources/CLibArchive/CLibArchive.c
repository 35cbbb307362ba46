// libarchive behind function pointers that dlopen(3) fills in.
#include "CLibArchive.h"
#include <dlfcn.h>

// The name carries libarchive's ABI version, which has been 13 since 2013.
static const char library_name[] = "libarchive.so.13";

#define FOR_EACH_FUNCTION(X)                                                                                                       \
  X(read_new) X(read_free) X(read_support_format_tar) X(read_support_format_ar) X(read_support_format_zip_seekable)                \
  X(read_support_filter_xz) X(read_support_filter_zstd) X(read_support_filter_gzip) X(read_support_filter_bzip2)                   \
  X(read_open_filename) X(read_open) X(read_next_header) X(read_data_block) X(error_string) X(entry_pathname) X(entry_hardlink)    \
  X(entry_symlink) X(entry_filetype) X(entry_perm) X(entry_uid) X(entry_gid) X(entry_size) X(entry_rdevmajor) X(entry_rdevminor)   \
  X(entry_mtime) X(entry_mtime_nsec) X(entry_xattr_reset) X(entry_xattr_next)

// The pointers have the types that the library's own header declares.
#define DECLARE(name) static __typeof__(&archive_##name) p_##name;
FOR_EACH_FUNCTION(DECLARE)

const char *la_load(void) {
  void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
#define FIND(name) \
  if (!(p_##name = (__typeof__(&archive_##name))dlsym(library, "archive_" #name))) return dlerror();
  FOR_EACH_FUNCTION(FIND)
  return NULL;
}

struct archive *la_read_new(void) { return p_read_new(); }
int la_read_free(struct archive *archive) { return p_read_free(archive); }
int la_read_open_filename(struct archive *archive, const char *path, size_t block_size) {
  return p_read_open_filename(archive, path, block_size);
}
int la_read_open(struct archive *archive, void *context, archive_read_callback *read) {
  return p_read_open(archive, context, NULL, read, NULL);
}
int la_read_next_header(struct archive *archive, struct archive_entry **entry) { return p_read_next_header(archive, entry); }
int la_read_data_block(struct archive *archive, const void **block, size_t *count, la_int64_t *offset) {
  return p_read_data_block(archive, block, count, offset);
}
const char *la_error_string(struct archive *archive) { return p_error_string(archive); }
int la_entry_xattr_next(struct archive_entry *entry, const char **name, const void **value, size_t *count) {
  return p_entry_xattr_next(entry, name, value, count);
}

// Those that take nothing but an archive or an entry.
#define OF_ARCHIVE(name) \
  int la_##name(struct archive *archive) { return p_##name(archive); }
OF_ARCHIVE(read_support_format_tar)
OF_ARCHIVE(read_support_format_ar)
OF_ARCHIVE(read_support_format_zip_seekable)
OF_ARCHIVE(read_support_filter_xz)
OF_ARCHIVE(read_support_filter_zstd)
OF_ARCHIVE(read_support_filter_gzip)
OF_ARCHIVE(read_support_filter_bzip2)

#define OF_ENTRY(type, name) \
  type la_##name(struct archive_entry *entry) { return p_##name(entry); }
OF_ENTRY(const char *, entry_pathname)
OF_ENTRY(const char *, entry_hardlink)
OF_ENTRY(const char *, entry_symlink)
OF_ENTRY(mode_t, entry_filetype)
OF_ENTRY(mode_t, entry_perm)
OF_ENTRY(la_int64_t, entry_uid)
OF_ENTRY(la_int64_t, entry_gid)
OF_ENTRY(la_int64_t, entry_size)
OF_ENTRY(dev_t, entry_rdevmajor)
OF_ENTRY(dev_t, entry_rdevminor)
OF_ENTRY(time_t, entry_mtime)
OF_ENTRY(long, entry_mtime_nsec)
OF_ENTRY(int, entry_xattr_reset)
