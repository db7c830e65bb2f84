#define _GNU_SOURCE
#include "cdatagram.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

enum { MOST = 32 };

static socklen_t name_of(
    const struct cdatagram_place *place, uint32_t interface, struct sockaddr_storage *name) {
  memset(name, 0, sizeof *name);
  if (place->family == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *)name;
    in->sin_family = AF_INET;
    in->sin_port = htons(place->port);
    memcpy(&in->sin_addr, place->address, 4);
    return sizeof *in;
  }
  struct sockaddr_in6 *in = (struct sockaddr_in6 *)name;
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(place->port);
  memcpy(&in->sin6_addr, place->address, 16);
  if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&in->sin6_addr))
    in->sin6_scope_id = interface;
  return sizeof *in;
}

static bool set(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

static int closed(int descriptor) {
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

int cdatagram_open(const struct cdatagram_place *place, bool shared) {
  int family = place->family == 4 ? AF_INET : AF_INET6;
  int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0)
    return -1;
  bool done = family == AF_INET ? set(descriptor, IPPROTO_IP, IP_PKTINFO, 1)
                                : set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1)
          && set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  if (done && shared)
    done = set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  struct sockaddr_storage name;
  socklen_t length = name_of(place, 0, &name);
  if (!done || bind(descriptor, (struct sockaddr *)&name, length) != 0)
    return closed(descriptor);
  return descriptor;
}

bool cdatagram_prepare_multicast(int descriptor, uint8_t family, int hops) {
  if (family == 4)
    return set(descriptor, IPPROTO_IP, IP_MULTICAST_TTL, hops)
        && set(descriptor, IPPROTO_IP, IP_TTL, hops)
        && set(descriptor, IPPROTO_IP, IP_MULTICAST_LOOP, 1)
        && set(descriptor, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  // Kernels before 4.20 have no such option, and give us a little more than we want.
  set(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
  return set(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
      && set(descriptor, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops)
      && set(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
}

bool cdatagram_membership(
    int descriptor, const struct cdatagram_place *group, uint32_t interface, bool joins) {
  if (group->family == 4) {
    struct ip_mreqn request;
    memset(&request, 0, sizeof request);
    memcpy(&request.imr_multiaddr, group->address, 4);
    request.imr_ifindex = (int)interface;
    int option = joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
    return setsockopt(descriptor, IPPROTO_IP, option, &request, sizeof request) == 0;
  }
  struct ipv6_mreq request;
  memset(&request, 0, sizeof request);
  memcpy(&request.ipv6mr_multiaddr, group->address, 16);
  request.ipv6mr_interface = interface;
  int option = joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP;
  return setsockopt(descriptor, IPPROTO_IPV6, option, &request, sizeof request) == 0;
}

static void read_source(const struct sockaddr_storage *name, struct cdatagram_head *head) {
  if (name->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)name;
    head->source.family = 4;
    head->source.port = ntohs(in->sin_port);
    memcpy(head->source.address, &in->sin_addr, 4);
  } else if (name->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)name;
    head->source.family = 6;
    head->source.port = ntohs(in->sin6_port);
    memcpy(head->source.address, &in->sin6_addr, 16);
  }
}

static void read_control(struct msghdr *message, struct cdatagram_head *head) {
  for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(each), sizeof info);
      head->interface = (uint32_t)info.ipi_ifindex;
      head->was_multicast = IN_MULTICAST(ntohl(info.ipi_addr.s_addr));
    } else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(each), sizeof info);
      head->interface = info.ipi6_ifindex;
      head->was_multicast = IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
    }
  }
}

int cdatagram_receive(
    int descriptor, void *buffer, size_t size, struct cdatagram_head *heads, int count) {
  struct mmsghdr messages[MOST];
  struct iovec parts[MOST];
  struct sockaddr_storage names[MOST];
  union {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr aligned;
  } controls[MOST];
  if (count > MOST)
    count = MOST;
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < count; i++) {
    parts[i] = (struct iovec){.iov_base = (char *)buffer + (size_t)i * size, .iov_len = size};
    struct msghdr *message = &messages[i].msg_hdr;
    message->msg_name = &names[i];
    message->msg_namelen = sizeof names[i];
    message->msg_iov = &parts[i];
    message->msg_iovlen = 1;
    message->msg_control = &controls[i];
    message->msg_controllen = sizeof controls[i];
  }
  int came;
  do {
    came = recvmmsg(descriptor, messages, (unsigned)count, MSG_DONTWAIT, NULL);
  } while (came < 0 && errno == EINTR);
  for (int i = 0; i < came; i++) {
    memset(&heads[i], 0, sizeof heads[i]);
    read_source(&names[i], &heads[i]);
    read_control(&messages[i].msg_hdr, &heads[i]);
    bool is_cut = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    heads[i].length = is_cut ? 0 : messages[i].msg_len;
  }
  return came;
}

int cdatagram_send(
    int descriptor, const void *bytes, size_t length, const struct cdatagram_place *place,
    uint32_t interface, const struct cdatagram_place *source) {
  struct sockaddr_storage name;
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_name = &name;
  message.msg_namelen = name_of(place, interface, &name);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  union {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct cmsghdr aligned;
  } control;
  if (interface != 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (place->family == 4) {
      struct in_pktinfo info = {.ipi_ifindex = (int)interface};
      if (source != NULL)
        memcpy(&info.ipi_spec_dst, source->address, 4);
      head->cmsg_level = IPPROTO_IP;
      head->cmsg_type = IP_PKTINFO;
      head->cmsg_len = CMSG_LEN(sizeof info);
      memcpy(CMSG_DATA(head), &info, sizeof info);
      message.msg_controllen = CMSG_SPACE(sizeof info);
    } else {
      struct in6_pktinfo info = {.ipi6_ifindex = interface};
      if (source != NULL)
        memcpy(&info.ipi6_addr, source->address, 16);
      head->cmsg_level = IPPROTO_IPV6;
      head->cmsg_type = IPV6_PKTINFO;
      head->cmsg_len = CMSG_LEN(sizeof info);
      memcpy(CMSG_DATA(head), &info, sizeof info);
      message.msg_controllen = CMSG_SPACE(sizeof info);
    }
  }
  ssize_t sent;
  do {
    sent = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

int cdatagram_watch_network(void) {
  int descriptor =
      socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (descriptor < 0)
    return -1;
  struct sockaddr_nl name;
  memset(&name, 0, sizeof name);
  name.nl_family = AF_NETLINK;
  name.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE
      | RTMGRP_IPV6_ROUTE;
  if (bind(descriptor, (struct sockaddr *)&name, sizeof name) != 0)
    return closed(descriptor);
  return descriptor;
}

void cdatagram_drain(int descriptor) {
  char buffer[8192];
  ssize_t came;
  do {
    came = recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT);
    // ENOBUFS: more changed than the system kept; nothing is lost to those who look anew.
  } while (came > 0 || (came < 0 && (errno == EINTR || errno == ENOBUFS)));
}
