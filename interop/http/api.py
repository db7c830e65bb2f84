"""The control API of `swarm daemon` as others see it: curl and python read files of a swarm by range,
schemathesis tries it against its own OpenAPI document, Prometheus' own parser reads its figures, and
clients do what clients should not."""
import hashlib
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import node
import reference
from report import Report

report = Report()
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
SCHEMATHESIS = os.path.join(CACHE, "swarmnode/schemathesis-4.32.5/bin/schemathesis")
PROMETHEUS_PYTHON = os.path.join(CACHE, "swarmnode/prometheus_client-0.26.0/bin/python3")
SEED, DAEMON = "10.99.0.1:6901", "10.99.0.2:6902"
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
SIZE = 48 << 20
SEED_OF_RANDOM = 7


class Local(http.client.HTTPConnection):
    """python's own client of HTTP, on a Unix socket."""

    def __init__(self, path, seconds=60):
        super().__init__("localhost", timeout=seconds)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(method, target, body=None, **headers):
    """Status, headers and body of one request."""
    client = Local(api)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        body = json.dumps(body)
        fields.setdefault("Content-Type", "application/json")
    client.request(method, target, body, fields)
    answer = client.getresponse()
    found = answer.status, answer.headers, answer.read()
    client.close()
    return found


def get(target):
    status, _, body = ask("GET", target)
    return json.loads(body) if status == 200 else None


def until(target, holds, seconds=60):
    end = time.monotonic() + seconds
    while True:
        found = get(target)
        if found is not None and holds(found) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def curl(*words, seconds=60):
    return subprocess.run(["curl", "-sS", "--unix-socket", api, *words], capture_output=True,
                          timeout=seconds)


class Forwarder:
    """Carries connections of a TCP port to the socket, for programs that know no Unix sockets."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.connect(self.path)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    @staticmethod
    def carry(source, target):
        """One way; the other goes on when this one is over."""
        try:
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def figures():
    """What Prometheus' own parser makes of the metrics; None where it refuses them."""
    text = ask("GET", "/metrics")[2]
    program = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(json.dumps([[f.name, f.type, f.documentation,
                   [[s.name, s.labels, s.value] for s in f.samples]] for f in families]))
"""
    done = subprocess.run([PROMETHEUS_PYTHON, "-c", program], input=text, capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def figure(name, families):
    return sum(value for _, _, _, samples in families for sample, _, value in samples if sample == name)


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


def read_by_range():
    big = f"{dataset}/files/big.bin"
    status, headers, body = ask("HEAD", big)
    report.check("HEAD tells length and tag and fetches nothing", status == 200 and body == b""
                 and headers["Content-Length"] == str(SIZE) and headers["Accept-Ranges"] == "bytes",
                 (status, headers))
    tag = headers["ETag"]
    report.check("nothing was fetched", get(dataset)["transfer"]["downloaded"] == 0)
    part = curl("-r", "1000000-1004095", f"http://localhost{big}")
    report.check("curl reads a range", part.stdout == content[1_000_000:1_004_096], part.stderr)
    tail = curl("-r", "-10", "-D", "-", f"http://localhost{big}")
    report.check("and the end", tail.stdout.endswith(content[-10:]) and b" 206 " in tail.stdout)
    numbers = random.Random(SEED_OF_RANDOM)
    client, right = Local(api), 0
    for _ in range(40):
        start = numbers.randrange(SIZE - 20_000)
        end = start + numbers.randrange(1, 20_000)
        client.request("GET", big, headers={"Range": f"bytes={start}-{end - 1}", "If-Range": tag})
        answer = client.getresponse()
        right += answer.status == 206 and answer.read() == content[start:end]
    client.close()
    report.equal("python reads 40 ranges on one connection", right, 40)
    came = get(dataset)["transfer"]["downloaded"]
    report.note(f"{came >> 10} KiB came for ranges of 400 KiB of {SIZE >> 20} MiB")
    report.check("a sparse dataset fetches little", came < SIZE // 4, came)
    report.equal("what the client has is not sent", ask("GET", big, If_None_Match=tag)[0], 304)
    report.equal("another file than If-Match wants", ask("GET", big, If_Match='"x"')[0], 412)
    status, headers, _ = ask("GET", big, Range=f"bytes={SIZE}-")
    report.check("a range behind the end", status == 416
                 and headers["Content-Range"] == f"bytes */{SIZE}", (status, headers))
    started = time.monotonic()
    whole = curl(f"http://localhost{big}", seconds=120)
    report.note(f"all of it by curl: {(time.monotonic() - started):.1f} s")
    report.check("curl reads all of it", hashlib.sha256(whole.stdout).digest() ==
                 hashlib.sha256(content).digest(), (len(whole.stdout), whole.stderr))
    again = curl("-C", "1000000", f"http://localhost{big}")
    report.check("and goes on in the middle", again.stdout == content[1_000_000:])
    odd = next(each for each in get(f"{dataset}/files")["files"] if "odd" in each["path"])
    found = curl(f"http://localhost{odd['url']}")
    report.check("a name of odd bytes, by its url", found.stdout == b"odd\n", (odd, found))
    up = curl("--path-as-is", "-o", "/dev/null", "-w", "%{http_code}",
              f"http://localhost{dataset}/files/../../../etc/passwd")
    report.equal("no way up", up.stdout, b"400")


def resources():
    listed = get("/v1/datasets")["datasets"]
    report.check("the dataset is listed", [each["id"] for each in listed] == [key], listed)
    report.check("by a part of its id", get(f"/v1/datasets/{key[:10]}")["id"] == key)
    report.equal("but not to be removed so", ask("DELETE", f"/v1/datasets/{key[:10]}")[0], 409)
    report.equal("added twice", ask("POST", "/v1/datasets", {"link": key})[0], 409)
    versions = get(f"{dataset}/versions")["versions"]
    report.check("its version", [each["version"] for each in versions] == [1], versions)
    peers = get(f"{dataset}/peers")["peers"]
    report.check("its peer", [each["address"] for each in peers] == [SEED], peers)
    taken = ask("POST", f"{dataset}/prefetch", {"path": "big.bin", "ranges": [
        {"offset": 0, "length": 65536}, {"offset": SIZE - 1, "length": 100}]})
    report.check("prefetch", taken[0] == 202 and json.loads(taken[2])["bytes"] == 65537, taken)
    status, headers, made = ask("POST", "/v1/exports",
                                {"dataset": key, "path": "big.bin", "name": "disk/a"})
    report.check("an export", status == 201 and json.loads(made)["size"] == SIZE, made)
    name = json.loads(made)["name"]
    report.equal("and its socket", json.loads(made)["socket"], f"{sockets}/nbd.sock")
    info = subprocess.run(["nbdinfo", "--size", f"nbd+unix:///{name}?socket={sockets}/nbd.sock"],
                          capture_output=True)
    report.equal("which nbdinfo finds", info.stdout.strip(), str(SIZE).encode())
    report.equal("taken away by its Location", ask("DELETE", headers["Location"])[0], 204)
    report.check("and gone", get("/v1/exports")["exports"] == [])
    report.equal("a page of a browser", ask("GET", "/v1/node", Origin="http://localhost")[0], 403)
    report.equal("a host of somebody", ask("GET", "/v1/node", Host="evil.example")[0], 403)
    long = ask("POST", "/v1/datasets", {"link": "x" * (3 << 20)})
    report.check("a body that is too long is refused when it has come", long[0] == 413, long[:2])
    status, headers, body = ask("GET", "/v1/nothing")
    report.check("a problem document", status == 404 and json.loads(body)["status"] == 404
                 and headers["Content-Type"] == "application/problem+json", body)


def events():
    listener = subprocess.Popen(
        ["curl", "-sSN", "--unix-socket", api, "http://localhost/v1/events"],
        stdout=subprocess.PIPE)
    lines = []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        line = listener.stdout.readline().decode()
        lines.append(line)
        if line.startswith("data: "):
            break
    told = json.loads(lines[-1][6:]) if lines[-1].startswith("data: ") else {}
    report.check("events come", "event" in told and told.get("id") == key, lines)
    before = processor_seconds(daemon.pid)
    time.sleep(3)
    used = processor_seconds(daemon.pid) - before
    report.note(f"a listener and nothing to do: {used / 3 * 100:.1f} % of a core")
    report.check("the node rests while somebody listens", used < 1.0, used)
    listener.kill()
    listener.wait()


def bad_clients():
    """What clients do wrong costs them their answer, and the node little."""
    before = resident(daemon.pid)
    lazy = []
    for _ in range(16):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(api)
        client.sendall(f"GET {dataset}/files/big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        lazy.append(client)
    time.sleep(3)
    grown = resident(daemon.pid) - before
    report.note(f"16 clients that ask for {SIZE >> 20} MiB and take none: {grown >> 20} MiB more")
    report.check("who does not take costs little", grown < 64 << 20, grown)
    report.check("and others go on", get("/v1/node") is not None)
    for client in lazy:
        client.close()
    numbers = random.Random(SEED_OF_RANDOM)
    for number in range(200):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(5)
        client.connect(api)
        request = (f"GET {dataset}/files/big.bin HTTP/1.1\r\nHost: localhost\r\n"
                   f"Range: bytes={numbers.randrange(SIZE)}-\r\n\r\n").encode()
        try:
            if number % 4 == 0:
                request = numbers.randbytes(numbers.randrange(1, 400))
            elif number % 4 == 1:
                request = request[:numbers.randrange(1, len(request))]
            client.sendall(request)
            if number % 4 == 3:
                client.recv(numbers.randrange(1, 100_000))
        except OSError:
            pass
        client.close()
    report.check("200 clients that break off or send garbage: the node lives",
                 get("/v1/node") is not None and daemon.is_alive(), daemon.said())
    crowd = []
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(api)
        crowd.append(client)
    time.sleep(0.5)
    for client in crowd:
        client.close()
    time.sleep(0.5)
    report.check("a crowd of clients that say nothing leaves", get("/v1/node") is not None)
    end = time.monotonic() + 20
    while figure("swarm_stalled_reads", figures() or []) and time.monotonic() < end:
        time.sleep(0.2)
    report.check("no read is left behind", figure("swarm_stalled_reads", figures() or []) == 0)


def prometheus():
    families = figures()
    if not report.check("Prometheus' parser reads the figures", families is not None):
        return
    names = [family[0] for family in families]
    report.check("each name once, and ours", len(names) == len(set(names))
                 and all(name.startswith("swarm_") for name in names), names)
    report.check("each with its meaning and kind", all(
        family[1] in ("counter", "gauge") and family[2] for family in families), families)
    transfer = get(dataset)["transfer"]
    report.equal("bytes that came", figure("swarm_downloaded_bytes_total", families),
                 float(transfer["downloaded"]))
    report.equal("one dataset", figure("swarm_datasets", families), 1.0)


def documents():
    """The pages of docs/ say what this daemon says."""
    said = {"api.md": reference.api(get("/v1/openapi.json")),
            "operations.md": reference.figures(ask("GET", "/metrics")[2].decode())}
    for name, right in said.items():
        found = (reference.stands(name) or "").split("\n")
        wanted = right.strip("\n").split("\n")
        other = [each for each in zip(found, wanted) if each[0] != each[1]][:1]
        report.check(f"docs/{name} is as interop/lib/reference.py makes it", found == wanted,
                     (len(found), len(wanted), other))


def schemathesis(forwarder):
    """Requests of all kinds, right and wrong, held against the document. In two runs: with ids that it
    makes up, and with those of the dataset that is there."""
    address = f"http://127.0.0.1:{forwarder.port}"
    shared = """
[checks.positive_data_acceptance]
# What a schema cannot say is 422: whether a text is a link, whether there is a folder; 503: not known yet.
expected-statuses = ["2xx", "304", "307", "404", "406", "409", "412", "416", "422", "503"]
[checks.negative_data_rejection]
# Also refused: what is too long to be looked at.
expected-statuses = ["400", "403", "404", "405", "406", "409", "411", "413", "414", "415", "422"]
[checks.not_a_server_error]
# Not known yet, as RFC 9110 has it: with Retry-After.
expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
    known = f"""
[parameters]
"path.id" = "{key}"
"path.path" = "big.bin"
"query.path" = "big.bin"
"query.version" = 1
"path.number" = 1
"""
    for name, config, more in (
            ("ids that it makes up", shared, ()),
            ("the dataset that is there", known + shared, ("--exclude-method", "DELETE"))):
        place = os.path.join(scratch, "schemathesis.toml")
        with open(place, "w") as file:
            file.write(config)
        run = subprocess.run(
            [SCHEMATHESIS, "--config-file", place, "run", f"{address}/v1/openapi.json", "--url",
             address, "--exclude-path", "/v1/events", "--max-examples", "25", "--seed",
             str(SEED_OF_RANDOM), "--checks", "all", "--no-color", "--suppress-health-check", "all",
             "--warnings", "off", "--request-timeout", "30", *more],
            capture_output=True, text=True, timeout=400, cwd=scratch, env=os.environ | {"HOME": scratch})
        passed = run.returncode == 0
        # Bodies of a megabyte are shown too.
        said = "\n".join(line[:300] for line in (run.stdout + run.stderr).splitlines())
        report.check(f"schemathesis, {name}", passed, said[-8_000:])
        for line in run.stdout.splitlines():
            if "generated" in line:
                report.note(f"{name}: {line.strip()}")
    report.check("the node lives", daemon.is_alive() and get("/v1/node") is not None, daemon.said())


with tempfile.TemporaryDirectory() as scratch:
    source = os.path.join(scratch, "data")
    os.makedirs(source)
    content = random.Random(SEED_OF_RANDOM).randbytes(SIZE)
    with open(os.path.join(source, "big.bin"), "wb") as file:
        file.write(content)
    with open(os.path.join(source, "table.csv"), "w") as file:
        file.write("a,b\n1,2\n")
    with open(os.path.join(os.fsencode(source), b"odd \xff%?#\\.txt"), "wb") as file:
        file.write(b"odd\n")
    sockets = os.path.join(scratch, "sockets")
    api = os.path.join(sockets, "api.sock")
    seed = node.seed(source, os.path.join(scratch, "seed"), SEED, *ALONE)
    started = seed.wait("started", 60)
    key = started["dataset_key"]
    dataset = f"/v1/datasets/{key}"
    with seed, node.Node("daemon", *ALONE, "--state", os.path.join(scratch, "state"), "--sockets",
                         sockets, "--listen", DAEMON) as daemon:
        report.check("the daemon starts", daemon.wait("started", 30) is not None, daemon.said())
        status, headers, added = ask("POST", "/v1/datasets",
                                     {"link": key, "sparse": True, "peers": [SEED]})
        report.check("a dataset is added by its key", status == 201
                     and headers["Location"] == dataset, added)
        found = until(dataset, lambda each: each["torrent"] is not None)
        report.check("and found", found and found["version"] == 1, found)
        read_by_range()
        resources()
        events()
        prometheus()
        documents()
        bad_clients()
        schemathesis(Forwarder(api))
        report.check("a signal ends it", daemon.stop() in node.STOPPED, daemon.said())

report.finish()
