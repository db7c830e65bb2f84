"""What `make install` puts where: man pages and completions that have every command and option, read by the
programs that they are for, documents that the help names, and units that systemd takes and finds well closed. And
that nothing of it is left after `make uninstall`."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from report import Report
from swarm import PROGRAM, run

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
# What systemd-analyze security gives a unit at the most: 10 is open, 0 closed. A node needs the network,
# which alone is 0.5, and IP addresses of any kind, 0.2.
MOST_EXPOSED = 1.5
report = Report()


def said(*command, **keywords):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **keywords)
    return result.returncode, result.stdout + result.stderr


def install(what, **variables):
    return said(os.path.join(TOP, "Scripts/install.sh"), what,
                env=os.environ | {"PROGRAM": os.path.realpath(PROGRAM)} | variables)


def files(folder):
    return {os.path.relpath(os.path.join(at, name), folder)
            for at, _, names in os.walk(folder) for name in names}


def commands(definition, path=("swarm",)):
    """(path, arguments) of each command that people see, from the program's own definitions."""
    yield path, [each for each in definition.get("arguments", []) if each.get("shouldDisplay", True)]
    for each in definition.get("subcommands", []):
        if each.get("shouldDisplay", True) and each["commandName"] != "help":
            yield from commands(each, (*path, each["commandName"]))


def options(arguments):
    return ["--" + name["name"] if name["kind"] == "long" else "-" + name["name"]
            for each in arguments for name in each.get("names", [])]


def manuals(share, all_commands):
    """Each page is free of faults, and tells of all that the command takes."""
    pages = os.path.join(share, "man/man1")
    report.equal("a page for each command", sorted(os.listdir(pages)),
                 sorted("-".join(path) + ".1" for path, _ in all_commands))
    status, words = said("mandoc", "-Tlint", "-Wwarning",
                         *(os.path.join(pages, each) for each in os.listdir(pages)))
    report.check("mandoc finds no fault", status == 0, words[:500])
    plain = os.environ | {"MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8",
                          "MANPAGER": "cat"}
    for path, arguments in all_commands:
        name = "-".join(path)
        shown = subprocess.run(["man", "--warnings", "-l", os.path.join(pages, name + ".1")], env=plain,
                               capture_output=True, text=True, check=False)
        # What roff has to say of a page it says on standard error.
        report.check(f"man shows {name}", shown.returncode == 0 and not shown.stderr, shown.stderr)
        words = shown.stdout
        missing = [each for each in options(arguments)
                   if not re.search(rf"(^|\s){each}(,|\s|$)", words, re.M)]
        missing += [each["valueName"] for each in arguments
                    if each["kind"] == "positional" and each["valueName"] not in words]
        abstracts = " ".join(words.split())
        missing += [each["abstract"] for each in arguments if each.get("abstract")
                    and " ".join(each["abstract"].split()) not in abstracts]
        report.check(f"the page of {name} has everything", not missing, missing)


def completions(share, all_commands):
    """Each shell reads its file, and the file has every command and long option."""
    for shell, path, check in (
            ("bash", "bash-completion/completions/swarm", ("bash", "-n")),
            ("zsh", "zsh/site-functions/_swarm", ("zsh", "-n")),
            ("fish", "fish/vendor_completions.d/swarm.fish", ("fish", "--no-execute"))):
        path = os.path.join(share, path)
        status, words = said(*check, path)
        report.check(f"{shell} reads its completions", status == 0 and not words, words[:300])
        with open(path, encoding="utf-8") as file:
            text = file.read()
        missing = [(way, each) for way, arguments in all_commands for each in options(arguments)
                   if each.startswith("--")
                   and not re.search(rf"(-l '|--){each[2:]}(?![\w-])", text)]
        missing += [way for way, _ in all_commands
                    if not re.search(rf"(?<![\w-]){way[-1]}(?![\w-])", text)]
        report.check(f"{shell}'s completions have everything", not missing, missing)
    # What a person sees who presses Tab.
    asks = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMP_LINE="${*:2}"; ' \
        'COMP_POINT=${#COMP_LINE}; _swarm swarm "${!#}" x; echo "${COMPREPLY[*]}"'
    for words, expected in ((("swarm", "se"), ["seed"]), (("swarm", "join", "--onc"), ["--once"]),
                            (("swarm", "key", "ex"), ["export"])):
        _, answer = said("bash", "-c", asks, "bash",
                         os.path.join(share, "bash-completion/completions/swarm"), *words)
        report.equal(f"bash completes {' '.join(words)}", answer.split(), expected)


def documents(share, definition):
    """Those that the program's help names are there, and those that they lead to."""
    folder = os.path.join(share, "doc/swarm")
    there = set(os.listdir(folder))
    named = set(re.findall(r"docs/([a-z-]+\.md)", json.dumps(definition)))
    report.check("the help names documents", len(named) > 2, named)
    for each in there:
        with open(os.path.join(folder, each), encoding="utf-8") as file:
            named |= set(re.findall(r"\]\(([a-z-]+\.md)", file.read()))
    report.equal("all of them are there", named - there, set())


def units(lib):
    """systemd takes both units, and rates the service closed."""
    for kind, flags in (("system", ()), ("user", ("--user",))):
        unit = os.path.join(lib, "systemd", kind, "swarm.service")
        # Without the pages: it would look for them where man does.
        status, words = said("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *flags,
                             unit, env=os.environ | {"XDG_RUNTIME_DIR": lib})
        report.check(f"systemd takes the {kind} unit", status == 0 and "swarm" not in words,
                     words[:500])
    unit = os.path.join(lib, "systemd/system/swarm.service")
    status, words = said("systemd-analyze", "security", "--offline=yes", "--no-pager",
                         f"--threshold={int(MOST_EXPOSED * 10)}", unit)
    rated = re.search(r"Overall exposure level for swarm.service: ([\d.]+)", words)
    report.check(f"the unit's exposure is at most {MOST_EXPOSED}", status == 0 and rated, words[-300:])
    if rated:
        report.note(f"systemd-analyze security: {rated[1]}")
    # That these checks can fail: the same unit without what closes it, and with a word nobody knows.
    with open(unit, encoding="utf-8") as file:
        text = file.read()
    opened = os.path.join(lib, "swarm.service")
    with open(opened, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^(Protect|Private|System|Capab).*\n", "", text, flags=re.M))
    status, _ = said("systemd-analyze", "security", "--offline=yes", "--no-pager",
                     f"--threshold={int(MOST_EXPOSED * 10)}", opened)
    report.check("an open unit is found open", status != 0)
    with open(opened, "w", encoding="utf-8") as file:
        file.write(text.replace("ExecStart=", "ExecStart=/nowhere"))
    status, _ = said("systemd-analyze", "verify", "--man=no", opened)
    report.check("a unit of a program that is not there is refused", status != 0)
    os.remove(opened)


with tempfile.TemporaryDirectory(prefix="swarm-install-") as scratch:
    definition = json.loads(run("--experimental-dump-help").stdout)["command"]
    ALL = list(commands(definition))
    report.check("the program has commands", len(ALL) > 15, len(ALL))
    prefix = os.path.join(scratch, "usr")
    status, words = install("install", PREFIX=prefix)
    report.check("it installs", status == 0, words)
    status, words = said(os.path.join(prefix, "bin/swarm"), "--version")
    report.equal("the program runs", (status, words), (0, run("--version").stdout.decode()))
    manuals(os.path.join(prefix, "share"), ALL)
    completions(os.path.join(prefix, "share"), ALL)
    documents(os.path.join(prefix, "share"), definition)
    units(os.path.join(prefix, "lib"))

    # As one who makes a package.
    staged = os.path.join(scratch, "stage")
    status, words = install("install", DESTDIR=staged, PREFIX="/usr")
    report.check("it installs to DESTDIR", status == 0, words)
    report.equal("the same files", files(os.path.join(staged, "usr")), files(prefix))
    with open(os.path.join(staged, "usr/lib/systemd/system/swarm.service"), encoding="utf-8") as unit:
        report.check("units name the place without DESTDIR",
                     "ExecStart=/usr/bin/swarm daemon" in unit.read())

    other = os.path.join(prefix, "share/man/man1/other.1")
    with open(other, "w", encoding="utf-8") as file:
        file.write("another program's")
    for folder, variables in ((prefix, {"PREFIX": prefix}),
                              (os.path.join(staged, "usr"), {"DESTDIR": staged, "PREFIX": "/usr"})):
        status, words = install("uninstall", **variables)
        report.check("it uninstalls", status == 0, words)
        report.equal("and leaves nothing of ours", files(folder),
                     {"share/man/man1/other.1"} if folder == prefix else set())
    report.check("nor folders", not os.path.exists(os.path.join(staged, "usr")))
    report.equal("a PREFIX that is no path is refused", install("install", PREFIX="usr")[0], 2)
    report.equal("a program that is not there is named",
                 install("install", PREFIX=prefix, PROGRAM="/nowhere")[0], 1)
report.finish()
