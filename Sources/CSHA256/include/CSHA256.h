// SHA-256 (FIPS 180-4) over libcrypto, and two messages hashed side by side.
//
// The processor's SHA instructions wait for each other within one message: the units idle half the time. With the blocks of two messages
// alternating, both come at nearly the speed of one. Only that inner loop is ours; padding, lengths and partial blocks stay libcrypto's.
#pragma once
#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>

// libcrypto's interface to a bare state, which newer versions mark as deprecated in favour of one that hides it.
void csha256_init(SHA256_CTX *state);
void csha256_update(SHA256_CTX *state, const void *bytes, size_t count);
// Writes the 32 bytes of the digest.
void csha256_final(SHA256_CTX *state, unsigned char *digest);

// Adds `count` bytes to each of two messages.
void csha256_update_two(SHA256_CTX *first, const void *first_bytes, SHA256_CTX *second, const void *second_bytes, size_t count);
// Whether this processor has what the side by side form needs; without, two messages are hashed one after the other.
bool csha256_has_two(void);
