/// Hashing in bulk: libipsec-mb multi-buffer where the CPU has it, libcrypto elsewhere.
///
/// A context belongs to one thread at a time. All functions are pure: they read memory, write
/// digests, and touch nothing else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  CHASH_SHA1 = 1,   ///< 20-byte digests
  CHASH_SHA256 = 2, ///< 32-byte digests
} chash_algorithm;

typedef enum {
  CHASH_PORTABLE = 0,     ///< libcrypto, one message at a time
  CHASH_MULTI_BUFFER = 1, ///< libipsec-mb, up to 16 messages at a time (x86-64)
} chash_engine;

typedef struct chash_context chash_context;

/// Whether this build and this CPU have the engine.
bool chash_engine_available(chash_engine engine);

/// A context for one thread, or NULL when the engine is not available or memory ran out.
chash_context *chash_create(chash_engine engine);
void chash_destroy(chash_context *context);

/// Hashes `count` messages of `length` bytes each; message i starts at `base + i * stride`, its
/// digest goes to `digests + i * (digest size)`. `digests` must not overlap the messages.
void chash_strided(chash_context *context, chash_algorithm algorithm, const void *base,
                   size_t stride, size_t length, size_t count, void *digests);

/// A message that lies anywhere.
typedef struct {
  const void *bytes;
  size_t length;
} chash_message;

/// Hashes `count` messages of any lengths; the digest of message i goes to `digests + i * (digest
/// size)`. `digests` must not overlap the messages.
void chash_scattered(chash_context *context, chash_algorithm algorithm,
                     const chash_message *messages, size_t count, void *digests);

/// Consecutive messages of `message_length` bytes that fill `byte_count` bytes, the last one short
/// where they do not divide it: the blocks of a file, the pieces of a run.
typedef struct {
  chash_context *context;
  chash_algorithm algorithm;
  const void *bytes;
  size_t byte_count;
  size_t message_length;
  void *digests; ///< one digest a message, one after the other
} chash_run;

/// Hashes a `chash_run`. Takes the pointer untyped, so that it can run under a guard; calls no
/// allocator and takes no lock.
void chash_run_perform(void *run);

/// Takes the lanes into use again after `chash_run_perform` was cut short.
void chash_reset(chash_context *context);

/// One message at once, without a context.
void chash_sha1(const void *bytes, size_t length, void *digest);
void chash_sha256(const void *bytes, size_t length, void *digest);

/// SHA-1 of one message in parts (a v1 piece that spans several reads).
typedef struct chash_sha1_stream chash_sha1_stream;
chash_sha1_stream *chash_sha1_stream_create(void);
void chash_sha1_stream_destroy(chash_sha1_stream *stream);
void chash_sha1_stream_update(chash_sha1_stream *stream, const void *bytes, size_t length);
/// Feeds `length` zeros.
void chash_sha1_stream_update_zeros(chash_sha1_stream *stream, size_t length);
/// Writes the 20-byte digest of what was fed since the last call, and starts anew.
void chash_sha1_stream_finish(chash_sha1_stream *stream, void *digest);
