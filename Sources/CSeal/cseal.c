#include "cseal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { TAG_BYTES = 16 };

// Looked up once: a look-up by name takes longer than to seal a block. Never freed.
static EVP_CIPHER *cipher;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void) { cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL); }

bool cseal_available(void) {
  pthread_once(&once, fetch);
  return cipher != NULL;
}

bool cseal_seal(const uint8_t *key, const uint8_t *nonce, uint8_t *bytes, size_t count) {
  // What libcrypto counts by int is at most a Noise message here.
  if (count > INT32_MAX || !cseal_available()) return false;
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  int written = 0;
  bool sealed = context != NULL && EVP_EncryptInit_ex2(context, cipher, key, nonce, NULL) == 1 &&
                EVP_EncryptUpdate(context, bytes, &written, bytes, (int)count) == 1 &&
                (size_t)written == count &&
                EVP_EncryptFinal_ex(context, bytes + count, &written) == 1 && written == 0 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, bytes + count) == 1;
  // Wipes the key.
  EVP_CIPHER_CTX_free(context);
  if (!sealed) OPENSSL_cleanse(bytes, count + TAG_BYTES);
  return sealed;
}

bool cseal_open(const uint8_t *key, const uint8_t *nonce, uint8_t *bytes, size_t count) {
  if (count > INT32_MAX || !cseal_available()) return false;
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  int written = 0;
  bool opened =
      context != NULL && EVP_DecryptInit_ex2(context, cipher, key, nonce, NULL) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, bytes + count) == 1 &&
      EVP_DecryptUpdate(context, bytes, &written, bytes, (int)count) == 1 &&
      (size_t)written == count &&
      EVP_DecryptFinal_ex(context, bytes + count, &written) == 1;
  EVP_CIPHER_CTX_free(context);
  if (!opened) OPENSSL_cleanse(bytes, count);
  return opened;
}
