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
static void multi_buffer(chash_context *context, chash_algorithm algorithm, const uint8_t *base,
                         size_t stride, size_t length, size_t count, uint8_t *digests) {
  const size_t size = digest_size(algorithm);
  IMB_MGR *manager = context->manager;
  for (size_t i = 0; i < count; i++) {
    IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
    memset(job, 0, sizeof *job);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = algorithm == CHASH_SHA1 ? IMB_AUTH_SHA_1 : IMB_AUTH_SHA_256;
    job->src = base + i * stride;
    job->msg_len_to_hash_in_bytes = length;
    job->auth_tag_output = digests + i * size;
    job->auth_tag_output_len_in_bytes = size;
    IMB_SUBMIT_JOB_NOCHECK(manager);
  }
  while (IMB_FLUSH_JOB(manager) != NULL) {
  }
}
#endif

void chash_strided(chash_context *context, chash_algorithm algorithm, const void *base,
                   size_t stride, size_t length, size_t count, void *digests) {
#ifdef HAVE_MULTI_BUFFER
  // Few messages leave most lanes idle; the one-message path is then the faster one.
  if (context->engine == CHASH_MULTI_BUFFER && count >= 4) {
    multi_buffer(context, algorithm, base, stride, length, count, digests);
    return;
  }
#endif
  const size_t size = digest_size(algorithm);
  for (size_t i = 0; i < count; i++) {
    const uint8_t *message = (const uint8_t *)base + i * stride;
    uint8_t *digest = (uint8_t *)digests + i * size;
    if (algorithm == CHASH_SHA1)
      chash_sha1(message, length, digest);
    else
      chash_sha256(message, length, digest);
  }
}

void chash_run_perform(void *argument) {
  const chash_run *run = argument;
  const size_t whole = run->byte_count / run->message_length;
  const size_t rest = run->byte_count % run->message_length;
  chash_strided(run->context, run->algorithm, run->bytes, run->message_length, run->message_length,
                whole, run->digests);
  if (rest > 0) {
    const uint8_t *message = (const uint8_t *)run->bytes + whole * run->message_length;
    uint8_t *digest = (uint8_t *)run->digests + whole * digest_size(run->algorithm);
    if (run->algorithm == CHASH_SHA1)
      chash_sha1(message, rest, digest);
    else
      chash_sha256(message, rest, digest);
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

void chash_sha1_stream_finish(chash_sha1_stream *stream, void *digest) {
  SHA1_Final(digest, &stream->state);
  SHA1_Init(&stream->state);
}
