/* Hosts far from each other: carries IPv4 packets between network namespaces, late and at a bounded
   rate, since not every kernel has netem.

     wan MILLISECONDS MBIT NAMESPACE…

   In each namespace there is an interface wan0, which this makes; host I has 10.98.0.I. A packet is
   on its way for so long, after it has left by its sender's line and before it comes by its receiver's,
   both of so many megabits a second (0: no bound). What would wait for a line longer than BUFFER_MS is
   dropped, as a router does. Prints "ready" when all interfaces are there; ends with its input. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 32, LARGEST = 1600, BUFFER_MS = 50, WAITING = 1 << 16 };

/* A packet; at is when it is done with its stage: on the way (0), or on its receiver's line (1). */
struct packet {
  uint64_t at, number;
  int stage, to, length;
  unsigned char bytes[LARGEST];
};

static struct packet *heap[WAITING], *unused;
static int waiting, hosts, lines[HOSTS];
static uint64_t delay, rate, number, lost, sends_until[HOSTS], takes_until[HOSTS];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int before(const struct packet *a, const struct packet *b) {
  return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void push(struct packet *packet) {
  int at = waiting++;
  packet->number = number++;
  for (; at > 0 && before(packet, heap[(at - 1) / 2]); at = (at - 1) / 2)
    heap[at] = heap[(at - 1) / 2];
  heap[at] = packet;
}

static struct packet *pop(void) {
  struct packet *first = heap[0], *last = heap[--waiting];
  int at = 0;
  for (int child; (child = 2 * at + 1) < waiting; at = child) {
    if (child + 1 < waiting && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return first;
}

/* When the packet is through a line that is busy until then; 0 when it would wait for too long. */
static uint64_t through(uint64_t *busy_until, uint64_t at, int length) {
  if (rate == 0) return at;
  uint64_t begins = *busy_until > at ? *busy_until : at;
  if (begins - at > (uint64_t)BUFFER_MS * 1000000) return 0;
  return *busy_until = begins + (uint64_t)length * 8000 / rate;
}

static int open_line(const char *name) {
  char path[256];
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  snprintf(path, sizeof path, "/run/netns/%s", name);
  int space = open(path, O_RDONLY | O_CLOEXEC);
  if (space < 0 || setns(space, CLONE_NEWNET) < 0) fail(path);
  int line = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  strcpy(request.ifr_name, "wan0");
  if (line < 0 || ioctl(line, TUNSETIFF, &request) < 0) fail("/dev/net/tun");
  close(space);
  return line;
}

static void take_from(int from) {
  for (int count = 0; count < 64; count++) {
    struct packet *packet = unused ? unused : malloc(sizeof *packet);
    unused = NULL;
    if (!packet) fail("memory");
    ssize_t length = read(lines[from], packet->bytes, LARGEST);
    unused = packet;
    if (length <= 0) return;
    /* IPv4 to 10.98.0.1 and so on; the address of the receiver is at byte 16. */
    int to = packet->bytes[19] - 1;
    if (length < 20 || packet->bytes[0] >> 4 != 4 || packet->bytes[16] != 10 || to < 0 ||
        to >= hosts || waiting == WAITING)
      continue;
    uint64_t sent = through(&sends_until[from], now(), (int)length);
    if (sent == 0) continue;
    unused = NULL;
    packet->at = sent + delay;
    packet->stage = 0;
    packet->to = to;
    packet->length = (int)length;
    push(packet);
  }
}

/* Hands over what is due. How long until the next, in nanoseconds; -1 without one. */
static int64_t deliver(void) {
  while (waiting > 0) {
    uint64_t time = now();
    if (heap[0]->at > time) return (int64_t)(heap[0]->at - time);
    struct packet *packet = pop();
    if (packet->stage == 0 &&
        (packet->at = through(&takes_until[packet->to], packet->at, packet->length)) != 0) {
      packet->stage = 1;
      push(packet);
      continue;
    }
    /* What the interface does not take is lost, as packets are. */
    if (packet->at != 0)
      lost += write(lines[packet->to], packet->bytes, (size_t)packet->length) < 0;
    free(packet);
  }
  return -1;
}

int main(int count, char **words) {
  if (count < 4 || count - 3 > HOSTS) return 2;
  delay = (uint64_t)(atof(words[1]) * 1e6);
  rate = (uint64_t)atoi(words[2]);
  hosts = count - 3;
  struct pollfd polled[HOSTS + 1] = {{.fd = 0, .events = POLLIN}};
  for (int host = 0; host < hosts; host++) {
    lines[host] = open_line(words[3 + host]);
    polled[host + 1] = (struct pollfd){.fd = lines[host], .events = POLLIN};
  }
  prctl(PR_SET_TIMERSLACK, 1);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int64_t left = deliver();
    struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    if (ppoll(polled, (nfds_t)hosts + 1, left < 0 ? NULL : &time, NULL) < 0) fail("ppoll");
    if (polled[0].revents) return 0;
    for (int host = 0; host < hosts; host++)
      if (polled[host + 1].revents & POLLIN) take_from(host);
  }
}
