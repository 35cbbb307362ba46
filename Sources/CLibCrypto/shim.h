// The C library as Swift sees it; macros and variadic functions get a typed inline function here.
#pragma once
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
