// libnatpmp without its header: that one brings the system's socket headers with it, and in an
// optimised build the first module that has them takes them away from Swift files which import
// Glibc alone. CUV does so already; those who need sockets import it.
#ifndef CNATPMP_H
#define CNATPMP_H

#include <stdint.h>

/// A session with one router.
typedef struct cnatpmp_session cnatpmp_session;

/// What a router answers. `type` is one of `cnatpmp_type`.
typedef struct {
  uint16_t type;
  uint32_t epoch;
  /// In network byte order; of an answer about the address.
  uint32_t address;
  /// Of an answer about a mapping.
  uint16_t private_port, public_port;
  uint32_t lifetime;
} cnatpmp_answer;

enum cnatpmp_type { cnatpmp_type_address = 0, cnatpmp_type_udp = 1, cnatpmp_type_tcp = 2 };

/// What `cnatpmp_wait` returns.
enum cnatpmp_status {
  cnatpmp_answered = 0,
  /// Nothing yet.
  cnatpmp_try_again,
  cnatpmp_no_answer,
  cnatpmp_not_there,
  /// The router refuses: its result codes 1 to 5 (RFC 6886, section 3.5).
  cnatpmp_refused_1,
  cnatpmp_refused_2,
  cnatpmp_refused_3,
  cnatpmp_refused_4,
  cnatpmp_refused_5,
  /// Anything else.
  cnatpmp_failed
};

/// A session with the router at that address, in network byte order; null with `errno` set.
cnatpmp_session *cnatpmp_open(uint32_t gateway);
void cnatpmp_close(cnatpmp_session *session);

/// Ask; 0 when the system could send it.
int cnatpmp_ask_address(cnatpmp_session *session);
int cnatpmp_ask_mapping(
  cnatpmp_session *session, int is_tcp, uint16_t private_port, uint16_t public_port,
  uint32_t lifetime);

/// Waits for the answer for at most so many milliseconds, or until the library asks again.
int cnatpmp_wait(cnatpmp_session *session, int milliseconds, cnatpmp_answer *answer);

#endif
