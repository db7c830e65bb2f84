"""`swarm doctor` on a machine of its own, on which one thing after the other is made wrong: each is named with
what to do, and nothing else is. What it prints is as docs/json.md has it."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import isolate

isolate.isolated()
import lan
import swarm
from report import Report

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKS = ["ports", "mapping", "dht", "local_network", "clock", "disk", "limits"]
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
report = Report()


def doctor(*options, prefix=(), **variables):
    """Its status, and (verdict, text and advice) of each check."""
    result = subprocess.run(
        [*prefix, swarm.PROGRAM, "doctor", "--json", "--state", os.path.join(scratch, "state"), *options],
        capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"HOME": scratch, "XDG_RUNTIME_DIR": os.path.join(scratch, "run")} | variables)
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        report.check(f"doctor {options}: JSON", False, f"{result.stdout[:200]} {result.stderr[:300]}")
        return result.returncode, {each: ("", "") for each in CHECKS}
    report.equal(f"doctor {options}: checks", [each["check"] for each in answer["checks"]], CHECKS)
    report.equal(f"doctor {options}: its status is what it says", result.returncode, 0 if answer["fine"] else 1)
    return result.returncode, {each["check"]: (each["verdict"], f"{each['text']}; {each['advice']}")
                               for each in answer["checks"]}


def is_wrong(name, found, check, verdict, words):
    """One check, and no other, is as it should not be."""
    wrong = {each: what for each, (what, _) in found.items() if what not in ("fine", "skipped")}
    report.equal(f"{name}: what is wrong", wrong, {check: verdict})
    report.check(f"{name}: says it", words in found[check][1], found[check][1])


def documented():
    with open(os.path.join(HERE, "../../docs/json.md"), encoding="utf-8") as file:
        text = file.read().split("## `swarm doctor --json`\n")[1].split("\n## ")[0]
    return re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?`) \|", text, re.M)))


with tempfile.TemporaryDirectory(prefix="swarm-doctor-") as scratch:
    os.mkdir(os.path.join(scratch, "run"), 0o700)
    os.chmod(scratch, 0o755)
    status, found = doctor(*ALONE)
    report.equal("all is well", (status, {each for each, _ in found.values()}), (0, {"fine", "skipped"}))
    plain = subprocess.run([swarm.PROGRAM, "doctor", "--state", os.path.join(scratch, "state"), *ALONE],
                           capture_output=True, text=True, check=False)
    report.check("a line for each check", len(plain.stdout.splitlines()) == len(CHECKS)
                 and plain.stdout.startswith("ok       ports: "), plain.stdout)
    answer, _ = swarm.run_json("doctor", "--state", os.path.join(scratch, "state"), *ALONE)
    report.equal("keys as documented", list(answer) + list(answer["checks"][0]), documented())

    # The network.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, found = doctor(*ALONE, "--listen", f"127.0.0.1:{port}")
        is_wrong("a port in use", found, "ports", "fault", "another program has the port")
    _, found = doctor("--no-dht", "--no-lan", "--timeout", "3")
    is_wrong("no router", found, "mapping", "warning", "forward TCP and UDP port")
    began = time.monotonic()
    _, found = doctor("--no-lan", "--no-mapping", "--dht-node", "10.99.0.9:6881", "--timeout", "3")
    is_wrong("nobody in the DHT", found, "dht", "fault", "UDP port")
    report.check("it ends when it was told to", time.monotonic() - began < 20)
    lan.ip("link", "add", "room", "type", "bridge")
    lan.ip("link", "set", "room", "up")
    lan.ip("addr", "add", "10.98.0.1/24", "dev", "room")
    _, found = doctor("--no-dht", "--no-mapping")
    report.check("a local network", found["local_network"][0] == "fine" and "room" in
                 found["local_network"][1], found["local_network"])

    # A daemon is asked, and is a node of the DHT for another one.
    daemon = subprocess.Popen(
        [swarm.PROGRAM, "daemon", "--state", os.path.join(scratch, "daemon"), "--sockets",
         os.path.join(scratch, "sockets"), "--listen", "10.99.0.2:6881", "--no-lan", "--no-mapping",
         "--dht-node", "10.99.0.3:6881"], stderr=subprocess.DEVNULL)
    try:
        place = os.path.join(scratch, "sockets/api.sock")
        deadline = time.monotonic() + 20
        while not os.path.exists(place) and time.monotonic() < deadline:
            time.sleep(0.1)
        _, found = doctor("--sockets", os.path.join(scratch, "sockets"))
        report.check("the daemon is asked", "the daemon listens at 10.99.0.2:6881" in found["ports"][1],
                     found["ports"])
        _, found = doctor("--no-lan", "--no-mapping", "--listen", "10.99.0.3:6881", "--dht-node",
                          "10.99.0.2:6881")
        is_wrong("a DHT of two", found, "dht", "warning", "few")
    finally:
        daemon.terminate()
        report.equal("the daemon ends", daemon.wait(30), 0)

    # The machine.
    small = os.path.join(scratch, "small")
    isolate.mount_tmpfs(small, 32 << 20)
    _, found = doctor(*ALONE, "--state", small)
    is_wrong("a full disk", found, "disk", "fault", "make room")
    isolate.resize_tmpfs(small, 512 << 20)
    _, found = doctor(*ALONE, "--state", small)
    is_wrong("a small disk", found, "disk", "warning", "make room")
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    _, found = doctor(*ALONE, "--state", os.path.join(small, "x"))
    report.check("a disk that cannot be written to", found["disk"][0] == "fault"
                 and "--state" in found["disk"][1], found["disk"])
    subprocess.run(["umount", small], check=True)
    _, found = doctor(*ALONE, prefix=("prlimit", "--nofile=300:300"))
    is_wrong("few descriptors", found, "limits", "warning", "LimitNOFILE")
    libraries = subprocess.run(["find", "/usr/lib", "-name", "libfaketime.so.1"], capture_output=True,
                               text=True, check=True).stdout.split()
    # Where the library keeps what its programs share.
    isolate.mount_tmpfs("/dev/shm", 1 << 20)
    for days, name, words in ((-20000, "a clock that was never set", "timedatectl"),
                              (-2, "a clock that went back", "was written to at")):
        if not report.check(f"{name}: it can be changed", libraries):
            continue
        # The first program that the library is loaded into does not see its arguments in /proc, where Swift
        # looks for them: nice is that.
        _, found = doctor(*ALONE, prefix=(
            "env", f"LD_PRELOAD={libraries[0]}", f"FAKETIME={days}d", "NO_FAKE_STAT=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "nice", "-n", "0"))
        is_wrong(name, found, "clock", "fault", words)
report.finish()
