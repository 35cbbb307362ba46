// libarchive as Swift sees it: the library's own types and constants, and its functions, which reach the library once it is loaded.
// What is read is not decided here.
#pragma once
#include <archive.h>
#include <archive_entry.h>

/// Loads libarchive into the program; NULL, or what dlopen(3) says is wrong. To be called once, before any other.
///
/// The library is not linked, because it brings ten others (libxml2 and ICU among them): most commands open no archive, and would wait for them.
const char *la_load(void);

// Named after the functions of the library, whose manual pages say what they do: `la_read_new` is archive_read_new(3).
struct archive *la_read_new(void);
int la_read_free(struct archive *archive);
int la_read_support_format_tar(struct archive *archive);
int la_read_support_format_ar(struct archive *archive);
int la_read_support_format_zip_seekable(struct archive *archive);
int la_read_support_filter_xz(struct archive *archive);
int la_read_support_filter_zstd(struct archive *archive);
int la_read_support_filter_gzip(struct archive *archive);
int la_read_support_filter_bzip2(struct archive *archive);
int la_read_open_filename(struct archive *archive, const char *path, size_t block_size);
int la_read_open(struct archive *archive, void *context, archive_read_callback *read);
int la_read_next_header(struct archive *archive, struct archive_entry **entry);
int la_read_data_block(struct archive *archive, const void **block, size_t *count, la_int64_t *offset);
const char *la_error_string(struct archive *archive);

const char *la_entry_pathname(struct archive_entry *entry);
const char *la_entry_hardlink(struct archive_entry *entry);
const char *la_entry_symlink(struct archive_entry *entry);
mode_t la_entry_filetype(struct archive_entry *entry);
mode_t la_entry_perm(struct archive_entry *entry);
la_int64_t la_entry_uid(struct archive_entry *entry);
la_int64_t la_entry_gid(struct archive_entry *entry);
la_int64_t la_entry_size(struct archive_entry *entry);
dev_t la_entry_rdevmajor(struct archive_entry *entry);
dev_t la_entry_rdevminor(struct archive_entry *entry);
time_t la_entry_mtime(struct archive_entry *entry);
long la_entry_mtime_nsec(struct archive_entry *entry);
int la_entry_xattr_reset(struct archive_entry *entry);
int la_entry_xattr_next(struct archive_entry *entry, const char **name, const void **value, size_t *count);
