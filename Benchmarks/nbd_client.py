"""Reads a block device as the benches need it, and prints one JSON object of what it took.

nbd_client.py random SOCKET EXPORT COUNT DEPTH SEED SECONDS   4 KiB here and there, each in another block
                                                              of 16 KiB; ends after so many seconds
nbd_client.py replay SOCKET EXPORT TRACE                      the reads of `swarm trace --json`, one after
                                                              the other, with its pauses between them

Waits until there is a socket. Needs python3-libnbd.
"""
import json
import random
import sys
import time

import nbd

BLOCK = 16384
PATIENCE = 60  # seconds until there must be a socket


def connected(path, export):
    deadline = time.monotonic() + PATIENCE
    while True:
        client = nbd.NBD()
        client.set_export_name(export)
        try:
            client.connect_unix(path)
            return client
        except nbd.Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def say(**figures):
    print(json.dumps(figures), flush=True)


def cold(client, count, depth, seed, seconds):
    """So many reads, `depth` of them at once; the milliseconds of each in the order of their ends."""
    chance = random.Random(seed)
    blocks = client.get_size() // BLOCK
    places = [block * BLOCK + 4096 * chance.randrange(BLOCK // 4096)
              for block in chance.sample(range(blocks), min(count, blocks))]
    times, waiting = [], 0
    ends = time.monotonic() + seconds
    first = None

    def begin(place):
        began = time.monotonic()

        def end(error):
            nonlocal waiting, first
            waiting -= 1
            if error.value:
                raise OSError(error.value, "a read failed")
            first = first or time.monotonic()
            times.append((time.monotonic() - began) * 1000)
            return 1

        client.aio_pread(nbd.Buffer(4096), place, end)

    while True:
        while waiting < depth and places and time.monotonic() < ends:
            waiting += 1
            begin(places.pop())
        if waiting == 0:
            break
        client.poll(-1)
    say(first=first, times=times)


def replay(client, path):
    with open(path, encoding="utf-8") as file:
        reads = json.load(file)["reads"]
    began = time.monotonic()
    waited, longest, before = 0.0, 0.0, 0
    for each in reads:
        time.sleep(max(0, each["milliseconds"] - before) / 1000)
        before = each["milliseconds"]
        at = time.monotonic()
        client.pread(each["length"], each["offset"])
        took = time.monotonic() - at
        waited += took
        longest = max(longest, took)
    say(began=began, seconds=time.monotonic() - began, waited=waited, longest=longest,
        reads=len(reads), bytes=sum(each["length"] for each in reads))


def main():
    what, path, export, *words = sys.argv[1:]
    client = connected(path, export)
    if what == "random":
        count, depth, seed, seconds = map(int, words)
        cold(client, count, depth, seed, seconds)
    else:
        replay(client, words[0])


main()
