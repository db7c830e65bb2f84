#include "cnatpmp.h"

#include <errno.h>
#include <natpmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct cnatpmp_session {
  natpmp_t library;
};

cnatpmp_session *cnatpmp_open(uint32_t gateway) {
  cnatpmp_session *session = calloc(1, sizeof *session);
  if (session == NULL) return NULL;
  if (initnatpmp(&session->library, 1, gateway) == 0) return session;
  int number = errno;
  if (session->library.s >= 0) closenatpmp(&session->library);
  free(session);
  errno = number;
  return NULL;
}

void cnatpmp_close(cnatpmp_session *session) {
  closenatpmp(&session->library);
  free(session);
}

int cnatpmp_ask_address(cnatpmp_session *session) {
  return sendpublicaddressrequest(&session->library) > 0 ? 0 : -1;
}

int cnatpmp_ask_mapping(
  cnatpmp_session *session, int is_tcp, uint16_t private_port, uint16_t public_port,
  uint32_t lifetime) {
  int protocol = is_tcp ? NATPMP_PROTOCOL_TCP : NATPMP_PROTOCOL_UDP;
  int sent = sendnewportmappingrequest(
    &session->library, protocol, private_port, public_port, lifetime);
  return sent > 0 ? 0 : -1;
}

int cnatpmp_wait(cnatpmp_session *session, int milliseconds, cnatpmp_answer *answer) {
  struct timeval retry = {0, 0};
  getnatpmprequesttimeout(&session->library, &retry);
  long until_retry = retry.tv_sec * 1000L + retry.tv_usec / 1000 + 1;
  if (until_retry < 0) until_retry = 0;
  if (milliseconds > until_retry) milliseconds = (int)until_retry;
  struct pollfd watched = {.fd = session->library.s, .events = POLLIN};
  poll(&watched, 1, milliseconds);
  natpmpresp_t response;
  memset(&response, 0, sizeof response);
  int status = readnatpmpresponseorretry(&session->library, &response);
  memset(answer, 0, sizeof *answer);
  switch (status) {
  case 0: break;
  case NATPMP_TRYAGAIN: return cnatpmp_try_again;
  case NATPMP_ERR_NOGATEWAYSUPPORT: return cnatpmp_not_there;
  case NATPMP_ERR_RECVFROM: return cnatpmp_no_answer;
  case NATPMP_ERR_UNSUPPORTEDVERSION: return cnatpmp_refused_1;
  case NATPMP_ERR_NOTAUTHORIZED: return cnatpmp_refused_2;
  case NATPMP_ERR_NETWORKFAILURE: return cnatpmp_refused_3;
  case NATPMP_ERR_OUTOFRESOURCES: return cnatpmp_refused_4;
  case NATPMP_ERR_UNSUPPORTEDOPCODE: return cnatpmp_refused_5;
  default: return cnatpmp_failed;
  }
  answer->type = response.type;
  answer->epoch = response.epoch;
  if (response.type == NATPMP_RESPTYPE_PUBLICADDRESS) {
    answer->address = response.pnu.publicaddress.addr.s_addr;
  } else {
    answer->private_port = response.pnu.newportmapping.privateport;
    answer->public_port = response.pnu.newportmapping.mappedpublicport;
    answer->lifetime = response.pnu.newportmapping.lifetime;
  }
  return cnatpmp_answered;
}
