"""What runs in each container of docker-compose.test.yml: starts programs for scenarios.py, which sits in
another one, as they are asked for over a Unix socket in a folder that all of them share.

    agent.py NAME         serves FOLDER/agents/NAME.sock; FOLDER is COMPOSE_SHARED
    agent.py --check NAME whether that answers: the container's healthcheck

A connection is a program: its first line is JSON, {"command": […], "cwd": path or null, "env": {…}}; each further
line is {"signal": number}. Answered are {"out": …} and {"err": …} with what it writes, in Latin-1 so that bytes
stay bytes, and at last {"status": number}. Whoever goes away takes the program with him.
"""
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading

FOLDER = os.environ.get("COMPOSE_SHARED", "/shared")


def path_of(name):
    return os.path.join(FOLDER, "agents", name + ".sock")


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        lock = threading.Lock()

        def say(**fields):
            with lock:
                try:
                    self.wfile.write(json.dumps(fields).encode() + b"\n")
                except OSError:
                    pass  # who asked is gone; the end of its lines says so

        line = self.rfile.readline()
        if not line:
            return
        asked = json.loads(line)
        if asked["cwd"]:
            os.makedirs(asked["cwd"], exist_ok=True)
        try:
            process = subprocess.Popen(
                asked["command"], cwd=asked["cwd"], env=os.environ | asked["env"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            say(err=f"{error}\n")
            say(status=127)
            return

        def pump(stream, name):
            while part := stream.read1(65536):
                say(**{name: part.decode("latin-1")})

        def listen():
            for each in self.rfile:
                process.send_signal(json.loads(each)["signal"])
            if process.poll() is None:
                process.kill()
        readers = [threading.Thread(target=pump, args=each, daemon=True)
                   for each in ((process.stdout, "out"), (process.stderr, "err"))]
        threading.Thread(target=listen, daemon=True).start()
        for each in readers:
            each.start()
        for each in readers:
            each.join()
        say(status=process.wait())
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    # Many begin at once.
    request_queue_size = 32


if sys.argv[1] == "--check":
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path_of(sys.argv[2]))
else:
    os.makedirs(os.path.join(FOLDER, "agents"), exist_ok=True)
    place = path_of(sys.argv[1])
    if os.path.exists(place):
        os.remove(place)
    with Server(place, Session) as server:
        server.serve_forever()
