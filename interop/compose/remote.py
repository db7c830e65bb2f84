"""A program in another container, as if it ran here: what it writes, signals and its status pass through
(agent.py).

    remote.py SOCKET HOME PROGRAM [ARGUMENT…]
"""
import json
import os
import signal
import socket
import sys
import threading

place, home, *command = sys.argv[1:]
link = socket.socket(socket.AF_UNIX)
link.connect(place)
lock = threading.Lock()


def say(fields):
    with lock:
        link.sendall(json.dumps(fields).encode() + b"\n")


say({"command": command, "cwd": home, "env": {"HOME": home}})
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, lambda number, _: say({"signal": number}))
status = 125  # the agent is gone
for line in link.makefile("rb"):
    answer = json.loads(line)
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        if name in answer:
            stream.buffer.write(answer[name].encode("latin-1"))
            stream.buffer.flush()
    if "status" in answer:
        status = answer["status"]
        break
sys.stdout.flush()
# A program that a signal ended ends this one in the same way.
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
