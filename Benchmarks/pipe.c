/* What a transfer costs at least, on one thread each side: sendfile; receive, SHA-256 of each
   16 KiB, write. No protocol.

     pipe send FILE ADDRESS PORT     sends the file to the first who connects
     pipe receive FILE ADDRESS PORT  prints "finished" when all is hashed and written, then waits */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 16384, BUFFER = 64 * BLOCK };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_file(const char *path, int listener) {
  int file = open(path, O_RDONLY), peer = accept(listener, NULL, NULL);
  struct stat about;
  if (file < 0 || peer < 0 || fstat(file, &about) < 0) fail(path);
  for (off_t at = 0; at < about.st_size;)
    if (sendfile(peer, file, &at, (size_t)(about.st_size - at)) <= 0) fail("sendfile");
  close(peer);
}

static void receive_file(const char *path, int peer) {
  static unsigned char buffer[BUFFER], digest[EVP_MAX_MD_SIZE];
  const EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) fail(path);
  for (;;) {
    ssize_t count = recv(peer, buffer, BUFFER, MSG_WAITALL);
    if (count < 0) fail("recv");
    if (count == 0) break;
    for (ssize_t at = 0; at < count; at += BLOCK) {
      size_t length = (size_t)(count - at < BLOCK ? count - at : BLOCK);
      if (!EVP_DigestInit_ex2(context, sha256, NULL) ||
          !EVP_DigestUpdate(context, buffer + at, length) ||
          !EVP_DigestFinal_ex(context, digest, NULL))
        exit(1);
    }
    if (write(file, buffer, (size_t)count) != count) fail("write");
  }
}

int main(int count, char **words) {
  if (count != 5) return 64;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(words[4]))};
  int one = 1, connection = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, words[3], &address.sin_addr) != 1) return 64;
  if (strcmp(words[1], "send") == 0) {
    setsockopt(connection, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(connection, (void *)&address, sizeof address) < 0 || listen(connection, 1) < 0)
      fail("listen");
    puts("started");
    fflush(stdout);
    send_file(words[2], connection);
  } else {
    if (connect(connection, (void *)&address, sizeof address) < 0) fail("connect");
    receive_file(words[2], connection);
  }
  puts("finished");
  fflush(stdout);
  pause();
}
