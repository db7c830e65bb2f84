/// ChaCha20-Poly1305 (RFC 8439) in bulk, by libcrypto: three times as fast as libsodium's where the CPU has
/// AVX-512, which counts for the megabytes behind a handshake.
///
/// Pure: reads key and nonce, writes the bytes, keeps nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether libcrypto has the cipher: one that is restricted to others' approval does not.
bool cseal_available(void);

/// Seals `count` bytes in place and writes 16 bytes of tag behind them. Key of 32 bytes, nonce of 12. False, and
/// all is zero, when memory ran out.
bool cseal_seal(const uint8_t *key, const uint8_t *nonce, uint8_t *bytes, size_t count);

/// Opens `count` bytes in place, behind which the tag is. False, and all `count` bytes are zero, where the tag is of
/// something else.
bool cseal_open(const uint8_t *key, const uint8_t *nonce, uint8_t *bytes, size_t count);
