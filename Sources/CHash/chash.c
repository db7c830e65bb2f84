#define OPENSSL_SUPPRESS_DEPRECATED 1
#include "chash.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define NO_COMPAT_IMB_API_053 1
#include <intel-ipsec-mb.h>
#define HAVE_MULTI_BUFFER 1
#endif

struct chash_context {
  chash_engine engine;
#ifdef HAVE_MULTI_BUFFER
  // Both NULL in a portable context.
  IMB_MGR *wide;   // one message a vector lane, by the CPU's widest vectors
  IMB_MGR *paired; // two messages at a time by the SHA extensions; NULL where the CPU lacks them
  size_t width;    // lanes of `wide`
#endif
};

static size_t digest_size(chash_algorithm algorithm) { return algorithm == CHASH_SHA1 ? 20 : 32; }

static void one(chash_algorithm algorithm, const void *bytes, size_t length, void *digest) {
  if (algorithm == CHASH_SHA1)
    chash_sha1(bytes, length, digest);
  else
    chash_sha256(bytes, length, digest);
}

bool chash_engine_available(chash_engine engine) {
  if (engine == CHASH_PORTABLE)
    return true;
#ifdef HAVE_MULTI_BUFFER
  // Below AVX2 without SHA extensions libcrypto is at least as fast.
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

#ifdef HAVE_MULTI_BUFFER
// With empty lanes, whatever was in them.
static bool start_managers(chash_context *context) {
  init_mb_mgr_auto(context->wide, NULL);
  if (imb_get_errno(context->wide) != 0)
    return false;
  if (context->paired == NULL)
    return true;
  // The only choice of the library that uses the SHA extensions: `auto` prefers AVX2 to them.
  init_mb_mgr_sse(context->paired);
  return imb_get_errno(context->paired) == 0;
}

static bool make_managers(chash_context *context) {
  context->wide = alloc_mb_mgr(0);
  if (context->wide == NULL)
    return false;
  const uint64_t features = context->wide->features;
  context->width = (features & IMB_FEATURE_AVX512_SKX) == IMB_FEATURE_AVX512_SKX ? 16 : 8;
  if (features & IMB_FEATURE_SHANI) {
    context->paired = alloc_mb_mgr(0);
    if (context->paired == NULL)
      return false;
  }
  return start_managers(context);
}
#endif

chash_context *chash_create(chash_engine engine) {
  if (!chash_engine_available(engine))
    return NULL;
  chash_context *context = calloc(1, sizeof *context);
  if (context == NULL)
    return NULL;
  context->engine = engine;
#ifdef HAVE_MULTI_BUFFER
  if (engine == CHASH_MULTI_BUFFER && !make_managers(context)) {
    chash_destroy(context);
    return NULL;
  }
#endif
  return context;
}

void chash_destroy(chash_context *context) {
  if (context == NULL)
    return;
#ifdef HAVE_MULTI_BUFFER
  if (context->wide != NULL)
    free_mb_mgr(context->wide);
  if (context->paired != NULL)
    free_mb_mgr(context->paired);
#endif
  free(context);
}

// The messages of one call: a list, or else `base`, `stride` and `length`.
typedef struct {
  const chash_message *list;
  const uint8_t *base;
  size_t stride;
  size_t length;
} batch;

static chash_message message_at(const batch *batch, size_t i) {
  if (batch->list != NULL)
    return batch->list[i];
  return (chash_message){batch->base + i * batch->stride, batch->length};
}

#ifdef HAVE_MULTI_BUFFER
// How many messages the managers take, first `wide`, then `paired`; libcrypto takes the rest.
typedef struct {
  size_t wide;
  size_t paired;
} shares;

// A round of `wide` costs the same however few of its lanes are used. Measured on Zen 3, 16 KiB
// messages, microseconds a message:
//
//              8 lanes of AVX2, full   SHA extensions, pairs   libcrypto with them   without
//     SHA-256          10.1                    5.3                   10.4              35
//     SHA-1             4.6                    5.4                    9.7              15
//
// 16 lanes of AVX-512 hash SHA-256 at 3.4 GB/s where libcrypto with SHA extensions reaches 1.75: half
// a round breaks even with one message at a time, so with fewer than 8 the pairs cannot lose.
static shares share(const chash_context *context, chash_algorithm algorithm, size_t length,
                    size_t count) {
  if (context->wide == NULL)
    return (shares){0, 0};
  const bool extensions = context->paired != NULL;
  // A pair of tree nodes is hashed sooner than two jobs are made (90 ns against 100 a message).
  if (extensions && length < 128)
    return (shares){0, 0};
  const size_t fewest = extensions ? 8 : 4;
  const size_t left = count % context->width;
  size_t wide = left >= fewest ? count : count - left;
  if (extensions && algorithm == CHASH_SHA256 && context->width == 8)
    wide = 0;
  // The last of an odd number would go through both lanes: dearer than libcrypto.
  const size_t paired = extensions ? (count - wide) / 2 * 2 : 0;
  return (shares){wide, paired};
}

static void submit(IMB_MGR *manager, chash_algorithm algorithm, chash_message message,
                   uint8_t *digest) {
  IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
  memset(job, 0, sizeof *job);
  job->cipher_mode = IMB_CIPHER_NULL;
  job->cipher_direction = IMB_DIR_ENCRYPT;
  job->chain_order = IMB_ORDER_HASH_CIPHER;
  job->hash_alg = algorithm == CHASH_SHA1 ? IMB_AUTH_SHA_1 : IMB_AUTH_SHA_256;
  job->src = message.bytes;
  job->msg_len_to_hash_in_bytes = message.length;
  job->auth_tag_output = digest;
  job->auth_tag_output_len_in_bytes = digest_size(algorithm);
  IMB_SUBMIT_JOB_NOCHECK(manager);
}

static void flush(IMB_MGR *manager) {
  while (IMB_FLUSH_JOB(manager) != NULL) {
  }
}
#endif

static void hash_batch(chash_context *context, chash_algorithm algorithm, const batch *batch,
                       size_t count, uint8_t *digests) {
  const size_t size = digest_size(algorithm);
  size_t i = 0;
#ifdef HAVE_MULTI_BUFFER
  // The messages of a call are alike, the last one perhaps shorter: the first speaks for all.
  const size_t length = count > 0 ? message_at(batch, 0).length : 0;
  const shares shares = share(context, algorithm, length, count);
  if (shares.wide > 0) {
    for (; i < shares.wide; i++)
      submit(context->wide, algorithm, message_at(batch, i), digests + i * size);
    flush(context->wide);
  }
  if (shares.paired > 0) {
    for (; i < shares.wide + shares.paired; i++)
      submit(context->paired, algorithm, message_at(batch, i), digests + i * size);
    flush(context->paired);
  }
#else
  (void)context;
#endif
  for (; i < count; i++) {
    const chash_message message = message_at(batch, i);
    one(algorithm, message.bytes, message.length, digests + i * size);
  }
}

void chash_strided(chash_context *context, chash_algorithm algorithm, const void *base,
                   size_t stride, size_t length, size_t count, void *digests) {
  const batch batch = {.base = base, .stride = stride, .length = length};
  hash_batch(context, algorithm, &batch, count, digests);
}

void chash_scattered(chash_context *context, chash_algorithm algorithm,
                     const chash_message *messages, size_t count, void *digests) {
  if (count == 0)
    return;
  const batch batch = {.list = messages};
  hash_batch(context, algorithm, &batch, count, digests);
}

void chash_run_perform(void *argument) {
  const chash_run *run = argument;
  const size_t whole = run->byte_count / run->message_length;
  const size_t rest = run->byte_count % run->message_length;
  chash_strided(run->context, run->algorithm, run->bytes, run->message_length, run->message_length,
                whole, run->digests);
  if (rest > 0) {
    one(run->algorithm, (const uint8_t *)run->bytes + whole * run->message_length, rest,
        (uint8_t *)run->digests + whole * digest_size(run->algorithm));
  }
}

void chash_reset(chash_context *context) {
#ifdef HAVE_MULTI_BUFFER
  // What started once starts again.
  if (context->engine == CHASH_MULTI_BUFFER)
    (void)start_managers(context);
#else
  (void)context;
#endif
}

// The low-level calls are used on purpose: they run the same SHA extensions code as EVP, without
// EVP's look-up and allocation, which cost more than a 64-byte message does.

void chash_sha1(const void *bytes, size_t length, void *digest) {
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, bytes, length);
  SHA1_Final(digest, &state);
}

void chash_sha256(const void *bytes, size_t length, void *digest) {
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, bytes, length);
  SHA256_Final(digest, &state);
}

struct chash_sha1_stream {
  SHA_CTX state;
};

chash_sha1_stream *chash_sha1_stream_create(void) {
  chash_sha1_stream *stream = malloc(sizeof *stream);
  if (stream != NULL)
    SHA1_Init(&stream->state);
  return stream;
}

void chash_sha1_stream_destroy(chash_sha1_stream *stream) { free(stream); }

void chash_sha1_stream_update(chash_sha1_stream *stream, const void *bytes, size_t length) {
  SHA1_Update(&stream->state, bytes, length);
}

void chash_sha1_stream_update_zeros(chash_sha1_stream *stream, size_t length) {
  static const uint8_t zeros[16384];
  for (; length > sizeof zeros; length -= sizeof zeros)
    SHA1_Update(&stream->state, zeros, sizeof zeros);
  SHA1_Update(&stream->state, zeros, length);
}

void chash_sha1_stream_finish(chash_sha1_stream *stream, void *digest) {
  SHA1_Final(digest, &stream->state);
  SHA1_Init(&stream->state);
}
