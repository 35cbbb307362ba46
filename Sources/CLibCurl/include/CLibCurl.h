// libcurl as Swift sees it: the library's own types and constants, and typed functions that reach the library once it is loaded.
// How to transfer anything is not decided here.
#pragma once
#include <curl/curl.h>

typedef size_t (*cc_body_function)(char *bytes, size_t size, size_t count, void *context);
typedef int (*cc_seek_function)(void *context, curl_off_t offset, int origin);

/// Loads libcurl into the program and initialises it; NULL, or what dlopen(3) or libcurl says is wrong. To be called once, before any other.
///
/// The library is not linked, because it brings some thirty others: they take longer to load than most commands take to run, and only
/// fetching needs them.
const char *cc_load(void);

CURL *cc_easy_init(void);
void cc_easy_cleanup(CURL *handle);
void cc_easy_reset(CURL *handle);
CURLcode cc_easy_perform(CURL *handle);
const char *cc_easy_strerror(CURLcode code);
struct curl_slist *cc_slist_append(struct curl_slist *list, const char *line);
void cc_slist_free_all(struct curl_slist *list);

// curl_easy_setopt(3) by the type of the option's argument.
CURLcode cc_set_long(CURL *handle, CURLoption option, long value);
CURLcode cc_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode cc_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode cc_set_list(CURL *handle, CURLoption option, struct curl_slist *value);
CURLcode cc_set_function(CURL *handle, CURLoption option, cc_body_function value);
CURLcode cc_set_offset(CURL *handle, CURLoption option, curl_off_t value);
CURLcode cc_set_seek_function(CURL *handle, cc_seek_function value);

// curl_easy_getinfo(3) by the type of the information.
CURLcode cc_get_long(CURL *handle, CURLINFO info, long *value);
CURLcode cc_get_offset(CURL *handle, CURLINFO info, curl_off_t *value);
CURLcode cc_get_string(CURL *handle, CURLINFO info, const char **value);
