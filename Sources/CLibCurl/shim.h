// The C library as Swift sees it; macros and variadic functions get a typed inline function here.
#pragma once
#include <curl/curl.h>
