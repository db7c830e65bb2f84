"""What a machine with systemd has and a namespace lacks, for cli/documents.py: `sudo`, and of `systemctl` what starts
and stops swarm.service. The unit's own lines say with what words, as which user, with which folders and umask it
runs, and lines of drop-ins come after them; what systemd closes in besides is not set up here.

    service.py sudo|systemctl WORDS…
"""
import glob
import os
import pwd
import shutil
import signal
import sys
import time

UNITS = "/etc/systemd/system"
PID = "/run/swarm.pid"


def become(user):
    """What comes after runs as that user, with nothing of the environment but where programs are."""
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    return {"HOME": user.pw_dir, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def sudo(words):
    environment = os.environ
    if words[0] == "-u":
        environment = become(pwd.getpwnam(words[1]))
        words = words[2:]
    os.execvpe(words[0], words, environment)


def unit():
    found = {}
    for path in [f"{UNITS}/swarm.service", *sorted(glob.glob(f"{UNITS}/swarm.service.d/*.conf"))]:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith("#"):
                    found[name] = value
    return found


def own(user, path, mode):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, int(mode, 8))
    os.chown(path, user.pw_uid, user.pw_gid)


def start():
    lines = unit()
    user = pwd.getpwnam(lines["User"])
    own(user, "/var/lib/" + lines["StateDirectory"], lines["StateDirectoryMode"])
    own(user, "/run/" + lines["RuntimeDirectory"], lines["RuntimeDirectoryMode"])
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open("/tmp/swarm.service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for each in (1, 2):
            os.dup2(log, each)
        environment = become(user)
        os.umask(int(lines["UMask"], 8))
        words = lines["ExecStart"].split()
        os.execve(words[0], words, environment)
    with open(PID, "w", encoding="ascii") as file:
        file.write(str(child))


def stop():
    with open(PID, encoding="ascii") as file:
        process = int(file.read())
    os.kill(process, signal.SIGTERM)
    # Not our child: that which started it has ended.
    for _ in range(200):
        if not os.path.exists(f"/proc/{process}"):
            break
        time.sleep(0.05)
    os.remove(PID)
    shutil.rmtree("/run/" + unit()["RuntimeDirectory"])


def systemctl(words):
    what = [each for each in words if each != "--now"]
    if what == ["daemon-reload"]:
        return
    assert what[1:] == ["swarm"], words
    if what[0] in ("disable", "stop", "restart"):
        stop()
    if what[0] in ("enable", "start", "restart"):
        start()


{"sudo": sudo, "systemctl": systemctl}[sys.argv[1]](sys.argv[2:])
