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
  IMB_MGR *manager;
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

chash_context *chash_create(chash_engine engine) {
  if (!chash_engine_available(engine))
    return NULL;
  chash_context *context = calloc(1, sizeof *context);
  if (context == NULL)
    return NULL;
  context->engine = engine;
#ifdef HAVE_MULTI_BUFFER
  if (engine == CHASH_MULTI_BUFFER) {
    context->manager = alloc_mb_mgr(0);
    if (context->manager == NULL) {
      free(context);
      return NULL;
    }
    init_mb_mgr_auto(context->manager, NULL);
    if (imb_get_errno(context->manager) != 0) {
      chash_destroy(context);
      return NULL;
    }
  }
#endif
  return context;
}

void chash_destroy(chash_context *context) {
  if (context == NULL)
    return;
#ifdef HAVE_MULTI_BUFFER
  if (context->manager != NULL)
    free_mb_mgr(context->manager);
#endif
  free(context);
}

#ifdef HAVE_MULTI_BUFFER
static void submit(IMB_MGR *manager, chash_algorithm algorithm, const void *bytes, size_t length,
                   uint8_t *digest) {
  IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
  memset(job, 0, sizeof *job);
  job->cipher_mode = IMB_CIPHER_NULL;
  job->cipher_direction = IMB_DIR_ENCRYPT;
  job->chain_order = IMB_ORDER_HASH_CIPHER;
  job->hash_alg = algorithm == CHASH_SHA1 ? IMB_AUTH_SHA_1 : IMB_AUTH_SHA_256;
  job->src = bytes;
  job->msg_len_to_hash_in_bytes = length;
  job->auth_tag_output = digest;
  job->auth_tag_output_len_in_bytes = digest_size(algorithm);
  IMB_SUBMIT_JOB_NOCHECK(manager);
}

static void flush(IMB_MGR *manager) {
  while (IMB_FLUSH_JOB(manager) != NULL) {
  }
}
#endif

void chash_strided(chash_context *context, chash_algorithm algorithm, const void *base,
                   size_t stride, size_t length, size_t count, void *digests) {
  const size_t size = digest_size(algorithm);
#ifdef HAVE_MULTI_BUFFER
  // Few messages leave most lanes idle; the one-message path is then the faster one.
  if (context->engine == CHASH_MULTI_BUFFER && count >= 4) {
    for (size_t i = 0; i < count; i++)
      submit(context->manager, algorithm, (const uint8_t *)base + i * stride, length,
             (uint8_t *)digests + i * size);
    flush(context->manager);
    return;
  }
#endif
  for (size_t i = 0; i < count; i++)
    one(algorithm, (const uint8_t *)base + i * stride, length, (uint8_t *)digests + i * size);
}

void chash_scattered(chash_context *context, chash_algorithm algorithm,
                     const chash_message *messages, size_t count, void *digests) {
  const size_t size = digest_size(algorithm);
#ifdef HAVE_MULTI_BUFFER
  if (context->engine == CHASH_MULTI_BUFFER && count >= 4) {
    for (size_t i = 0; i < count; i++)
      submit(context->manager, algorithm, messages[i].bytes, messages[i].length,
             (uint8_t *)digests + i * size);
    flush(context->manager);
    return;
  }
#endif
  for (size_t i = 0; i < count; i++)
    one(algorithm, messages[i].bytes, messages[i].length, (uint8_t *)digests + i * size);
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
  if (context->engine == CHASH_MULTI_BUFFER)
    init_mb_mgr_auto(context->manager, NULL);
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
