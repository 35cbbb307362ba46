// The C library as Swift sees it; macros and variadic functions get a typed inline function here.
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef size_t (*cc_body_function)(char *bytes, size_t size, size_t count, void *context);

// curl_easy_setopt(3) by the type of the option's argument.
static inline CURLcode cc_set_long(CURL *handle, CURLoption option, long value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode cc_set_string(CURL *handle, CURLoption option, const char *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode cc_set_pointer(CURL *handle, CURLoption option, void *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode cc_set_list(CURL *handle, CURLoption option, struct curl_slist *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode cc_set_function(CURL *handle, CURLoption option, cc_body_function value) { return curl_easy_setopt(handle, option, value); }

// curl_easy_getinfo(3) by the type of the information.
static inline CURLcode cc_get_long(CURL *handle, CURLINFO info, long *value) { return curl_easy_getinfo(handle, info, value); }
static inline CURLcode cc_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) { return curl_easy_getinfo(handle, info, value); }
static inline CURLcode cc_get_string(CURL *handle, CURLINFO info, const char **value) { return curl_easy_getinfo(handle, info, value); }
