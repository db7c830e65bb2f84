/// Datagrams with the interface they came by and leave by: ancillary data, which is macros that Swift
/// does not import, and recvmmsg(2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// An address and port. `family` is 4 or 6; of IPv4 the first 4 bytes count.
struct cdatagram_place {
  uint8_t address[16];
  uint16_t port;
  uint8_t family;
};

/// What is known of a datagram beside its bytes.
struct cdatagram_head {
  struct cdatagram_place source;
  /// Number of the interface it came by; 0 where the system does not tell.
  uint32_t interface;
  /// Whether it was sent to a group; false where the system does not tell.
  bool was_multicast;
  /// Bytes; 0 also for one that was longer than there was room, of which nothing is kept.
  uint32_t length;
};

/// A non-blocking UDP socket bound to `place`. `shared` lets other programs bind to the same port
/// that let us, too. Returns a descriptor, or -1 with errno.
int cdatagram_open(const struct cdatagram_place *place, bool shared);

/// Makes it fit for multicasts: hop limit of all it sends, own multicasts come back, and nothing
/// comes for groups that only others joined. False with errno.
bool cdatagram_prepare_multicast(int descriptor, uint8_t family, int hops);

/// Joins or leaves a group on an interface. False with errno.
bool cdatagram_membership(
    int descriptor, const struct cdatagram_place *group, uint32_t interface, bool joins);

/// Receives up to `count` datagrams, each into its `size` bytes of `buffer`. Returns how many came, or
/// -1 with errno.
int cdatagram_receive(
    int descriptor, void *buffer, size_t size, struct cdatagram_head *heads, int count);

/// Sends to a place, through an interface unless it is 0, and then from the address of `source` unless
/// that is NULL. Returns 0, or errno.
int cdatagram_send(
    int descriptor, const void *bytes, size_t length, const struct cdatagram_place *place,
    uint32_t interface, const struct cdatagram_place *source);

/// A non-blocking socket that can be read when links, addresses or routes have changed. -1 with errno.
int cdatagram_watch_network(void);

/// Reads all that is there, and forgets it.
void cdatagram_drain(int descriptor);
