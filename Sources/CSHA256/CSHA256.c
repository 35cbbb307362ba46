#define OPENSSL_API_COMPAT 0x10100000L
#include "CSHA256.h"

#include <stdint.h>

void csha256_init(SHA256_CTX *state) { SHA256_Init(state); }
void csha256_update(SHA256_CTX *state, const void *bytes, size_t count) { SHA256_Update(state, bytes, count); }
void csha256_final(SHA256_CTX *state, unsigned char *digest) { SHA256_Final(digest, state); }

static void update_in_turn(SHA256_CTX *first, const uint8_t *a, SHA256_CTX *second, const uint8_t *b, size_t count) {
  SHA256_Update(first, a, count);
  SHA256_Update(second, b, count);
}

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

// FIPS 180-4, section 4.2.2.
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define SHA __attribute__((target("sha,sse4.1"), always_inline)) static inline

// One message within a block: the working variables, paired as the instructions want them (Intel, "SHA Extensions"), and the last sixteen
// words of its schedule.
typedef struct {
  __m128i abef, cdgh, words[4];
} lane;

SHA lane load_state(const uint32_t state[8]) {
  const __m128i abcd = _mm_loadu_si128((const __m128i *)state), efgh = _mm_loadu_si128((const __m128i *)(state + 4));
  const __m128i cdab = _mm_shuffle_epi32(abcd, 0xB1), hgfe = _mm_shuffle_epi32(efgh, 0x1B);
  return (lane){.abef = _mm_alignr_epi8(cdab, hgfe, 8), .cdgh = _mm_blend_epi16(hgfe, cdab, 0xF0)};
}

SHA void store_state(uint32_t state[8], lane l) {
  const __m128i feba = _mm_shuffle_epi32(l.abef, 0x1B), dchg = _mm_shuffle_epi32(l.cdgh, 0xB1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

SHA void load_words(lane *l, const uint8_t *block) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  for (int i = 0; i < 4; i++) l->words[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), big_endian);
}

// Four of the 64 rounds (section 6.2.2), and the four words that are wanted sixteen rounds later.
SHA void four_rounds(lane *l, int group) {
  __m128i *const w = l->words;
  const int now = group % 4, next = (group + 1) % 4, third = (group + 2) % 4, last = (group + 3) % 4;
  const __m128i sum = _mm_add_epi32(w[now], _mm_load_si128((const __m128i *)(constants + 4 * group)));
  l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, sum);
  l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(sum, 0x0E));
  if (group < 12) {
    const __m128i partial = _mm_add_epi32(_mm_sha256msg1_epu32(w[now], w[next]), _mm_alignr_epi8(w[last], w[third], 4));
    w[now] = _mm_sha256msg2_epu32(partial, w[last]);
  }
}

__attribute__((target("sha,sse4.1"))) static void compress_two(
    uint32_t first[8], const uint8_t *a, uint32_t second[8], const uint8_t *b, size_t blocks) {
  lane x = load_state(first), y = load_state(second);
  for (; blocks > 0; blocks--, a += 64, b += 64) {
    const lane x_before = x, y_before = y;
    load_words(&x, a);
    load_words(&y, b);
#pragma clang loop unroll(full)
    for (int group = 0; group < 16; group++) {
      four_rounds(&x, group);
      four_rounds(&y, group);
    }
    x.abef = _mm_add_epi32(x.abef, x_before.abef);
    x.cdgh = _mm_add_epi32(x.cdgh, x_before.cdgh);
    y.abef = _mm_add_epi32(y.abef, y_before.abef);
    y.cdgh = _mm_add_epi32(y.cdgh, y_before.cdgh);
  }
  store_state(first, x);
  store_state(second, y);
}

bool csha256_has_two(void) {
  unsigned a, b, c, d, extended;
  // Intel's manual, CPUID: leaf 7 EBX bit 29 is SHA; leaf 1 ECX bits 9 and 19 are SSSE3 and SSE4.1.
  if (!__get_cpuid_count(7, 0, &a, &extended, &c, &d) || !__get_cpuid(1, &a, &b, &c, &d)) return false;
  return (extended >> 29 & 1) && (c >> 9 & 1) && (c >> 19 & 1);
}

// Libcrypto's own count of what was hashed, in bits.
static void add_length(SHA256_CTX *state, size_t bytes) {
  const uint64_t bits = ((uint64_t)state->Nh << 32 | state->Nl) + ((uint64_t)bytes << 3);
  state->Nl = (SHA_LONG)bits;
  state->Nh = (SHA_LONG)(bits >> 32);
}

void csha256_update_two(SHA256_CTX *first, const void *first_bytes, SHA256_CTX *second, const void *second_bytes, size_t count) {
  const uint8_t *a = first_bytes, *b = second_bytes;
  // What completes the block each message is in the middle of.
  const size_t a_head = (64 - first->num) % 64, b_head = (64 - second->num) % 64;
  const size_t head = a_head > b_head ? a_head : b_head;
  if (count < head + 64 || !csha256_has_two()) return update_in_turn(first, a, second, b, count);
  SHA256_Update(first, a, a_head);
  SHA256_Update(second, b, b_head);
  const size_t blocks = (count - head) / 64;
  compress_two(first->h, a + a_head, second->h, b + b_head, blocks);
  add_length(first, blocks * 64);
  add_length(second, blocks * 64);
  const size_t a_done = a_head + blocks * 64, b_done = b_head + blocks * 64;
  SHA256_Update(first, a + a_done, count - a_done);
  SHA256_Update(second, b + b_done, count - b_done);
}
#else
bool csha256_has_two(void) { return false; }

void csha256_update_two(SHA256_CTX *first, const void *first_bytes, SHA256_CTX *second, const void *second_bytes, size_t count) {
  update_in_turn(first, first_bytes, second, second_bytes, count);
}
#endif
