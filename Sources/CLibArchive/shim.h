// The C library as Swift sees it; macros and variadic functions get a typed inline function here.
#pragma once
#include <archive.h>
#include <archive_entry.h>
