// libcurl behind function pointers that dlopen(3) fills in.
#define CURL_DISABLE_TYPECHECK
#include "CLibCurl.h"
#include <dlfcn.h>

// The name carries libcurl's ABI version, which has been 4 since 2006.
static const char library_name[] = "libcurl.so.4";

#define FOR_EACH_FUNCTION(X)                                                                                            \
  X(curl_global_init) X(curl_easy_init) X(curl_easy_cleanup) X(curl_easy_reset) X(curl_easy_perform) X(curl_easy_strerror) \
  X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_slist_append) X(curl_slist_free_all)

// The pointers have the types that the library's own header declares.
#define DECLARE(name) static __typeof__(&name) p_##name;
FOR_EACH_FUNCTION(DECLARE)

const char *cc_load(void) {
  void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
#define FIND(name) \
  if (!(p_##name = (__typeof__(&name))dlsym(library, #name))) return dlerror();
  FOR_EACH_FUNCTION(FIND)
  CURLcode code = p_curl_global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK ? NULL : p_curl_easy_strerror(code);
}

CURL *cc_easy_init(void) { return p_curl_easy_init(); }
void cc_easy_cleanup(CURL *handle) { p_curl_easy_cleanup(handle); }
void cc_easy_reset(CURL *handle) { p_curl_easy_reset(handle); }
CURLcode cc_easy_perform(CURL *handle) { return p_curl_easy_perform(handle); }
const char *cc_easy_strerror(CURLcode code) { return p_curl_easy_strerror(code); }
struct curl_slist *cc_slist_append(struct curl_slist *list, const char *line) { return p_curl_slist_append(list, line); }
void cc_slist_free_all(struct curl_slist *list) { p_curl_slist_free_all(list); }

CURLcode cc_set_long(CURL *handle, CURLoption option, long value) { return p_curl_easy_setopt(handle, option, value); }
CURLcode cc_set_string(CURL *handle, CURLoption option, const char *value) { return p_curl_easy_setopt(handle, option, value); }
CURLcode cc_set_pointer(CURL *handle, CURLoption option, void *value) { return p_curl_easy_setopt(handle, option, value); }
CURLcode cc_set_list(CURL *handle, CURLoption option, struct curl_slist *value) { return p_curl_easy_setopt(handle, option, value); }
CURLcode cc_set_function(CURL *handle, CURLoption option, cc_body_function value) { return p_curl_easy_setopt(handle, option, value); }

CURLcode cc_set_offset(CURL *handle, CURLoption option, curl_off_t value) { return p_curl_easy_setopt(handle, option, value); }
CURLcode cc_set_seek_function(CURL *handle, cc_seek_function value) { return p_curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, value); }

CURLcode cc_get_long(CURL *handle, CURLINFO info, long *value) { return p_curl_easy_getinfo(handle, info, value); }
CURLcode cc_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) { return p_curl_easy_getinfo(handle, info, value); }
CURLcode cc_get_string(CURL *handle, CURLINFO info, const char **value) { return p_curl_easy_getinfo(handle, info, value); }
