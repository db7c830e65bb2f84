"""Man pages and shell completions, made from the program's own definitions of its commands.

    Scripts/manual.py PROGRAM FOLDER

Writes FOLDER/man/man1/swarm.1, swarm-COMMAND.1 and so on, and FOLDER/bash-completion/completions/swarm,
FOLDER/zsh/site-functions/_swarm and FOLDER/fish/vendor_completions.d/swarm.fish: below PREFIX/share that is
where they are looked for. What exit statuses mean is taken from docs/operations.md. SOURCE_DATE_EPOCH is the pages' date, else the program's own.
"""
import json
import os
import re
import subprocess
import sys
import time

COMPLETIONS = {"bash": "bash-completion/completions/swarm", "zsh": "zsh/site-functions/_swarm",
               "fish": "fish/vendor_completions.d/swarm.fish"}

# Where exit statuses are told, for every command.
OPERATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs/operations.md")

# What holds for every command besides, and is told by no definition of one.
COMMON = """
.SH ENVIRONMENT
.TP
.B NO_COLOR
If it is set and not empty, terminals get no colour either.
.TP
.B TERM
Where it is
.BR dumb ,
terminals get plain lines without colour.
.TP
.B UV_THREADPOOL_SIZE
Threads for disks and hashing. Without it, one more than there are processors.
.TP
.B XDG_DATA_HOME
The state folder is
.I swarm
in it, else
.IR ~/.local/share/swarm .
.TP
.B XDG_RUNTIME_DIR
The sockets of the daemon lie in
.I swarm
in it, else in
.I sockets
in the state folder.
.SH FILES
.TP
.I ~/.local/share/swarm
The state folder: keys, versions, what was verified. Its place is
.IR $XDG_DATA_HOME/swarm ,
or that of
.BR \-\-state .
All of it but
.I keys
can be made again.
.TP
.I keys
In the state folder: the secrets of the datasets that are published here, which only you can read. Without its
secret no further version of a dataset can be published.
.TP
.IR api.sock ", " nbd.sock
The sockets of the daemon: its control API, and block devices.
"""


def text(words):
    r"""Words as roff takes them: nothing in them is a request, and all is ASCII."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")
    escaped = escaped.replace("^", "\\(ha").replace("`", "\\(ga")
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", escaped)


def halves(discussion):
    """What is said of a command, and its examples, a line each."""
    words, _, examples = discussion.partition("\n\nExamples:\n")
    return words, [line.strip() for line in examples.split("\n") if line.strip()]


def paragraphs(words):
    """A discussion: paragraphs, and lines that are indented, as they stand."""
    lines = []
    for part in words.strip("\n").split("\n\n"):
        if part.startswith(" "):
            lines += [".PP", ".EX", *(text(line) or "\\&" for line in part.split("\n")), ".EE"]
        else:
            lines += [".PP", *(text(line) for line in part.split("\n"))]
    return lines


def exit_statuses():
    """The section on exit statuses, of the table in docs/operations.md."""
    with open(OPERATIONS, encoding="utf-8") as file:
        section = file.read().split("\n## Exit statuses\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.M)
    lines = [".SH EXIT STATUS"]
    for status, meaning in rows:
        if status != "status":
            words = text(meaning.replace("`", "")[:1].upper() + meaning.replace("`", "")[1:])
            lines += [".TP", f"\\fB{text(status.replace('`', ''))}\\fR", words + "."]
    return lines


def name_of(name):
    return ("-" if name["kind"] == "short" else "--") + name["name"]


def shown(argument):
    """A positional argument as a synopsis has it."""
    words = f"\\fI{text(argument.get('valueName', ''))}\\fR"
    if argument.get("parsingStrategy") == "postTerminator":
        words = "\\-\\- " + words
    if argument["isRepeating"]:
        words += " ..."
    return f"[{words}]" if argument["isOptional"] else words


def described(argument):
    """An argument with what it does."""
    value = f"\\fI{text(argument.get('valueName', ''))}\\fR"
    if argument["kind"] == "positional":
        head = value
    else:
        # Long names first, as people look for them.
        names = sorted((name_of(each) for each in argument["names"]), key=len, reverse=True)
        head = ", ".join(f"\\fB{text(each)}\\fR" for each in names)
        if argument["kind"] == "option":
            head += " " + value
    lines = [".TP", head, text(argument.get("abstract", "")) or "\\&"]
    if argument.get("discussion"):
        lines.append(text(" ".join(argument["discussion"].split())))
    if argument.get("allValues") and "(values:" not in argument.get("abstract", ""):
        lines.append(text(f"(values: {', '.join(argument['allValues'])})"))
    if argument.get("defaultValue") and "(default:" not in argument.get("abstract", ""):
        lines.append(text(f"(default: {argument['defaultValue']})"))
    return lines


def visible(command, kind):
    return [each for each in command.get(kind, []) if each.get("shouldDisplay", True)]


def page(path, command, version, date):
    """The page of a command; `path` is how it is called, as ["swarm", "key", "export"]."""
    title = "-".join(path)
    arguments = visible(command, "arguments")
    inner = [each for each in visible(command, "subcommands") if each["commandName"] != "help"]
    abstract = command.get("abstract", "").rstrip(".")
    lines = [f'.TH {text(title.upper())} 1 {date} "SwarmNode {version}" "SwarmNode"', ".SH NAME",
             f"{text(title)} \\- {text(abstract[:1].lower() + abstract[1:])}", ".SH SYNOPSIS",
             f".B {text(' '.join(path))}"]
    if inner:
        lines.append("\\fIcommand\\fR ...")
    if any(each["kind"] != "positional" for each in arguments):
        lines.append("[\\fIoptions\\fR]")
    lines += [shown(each) for each in arguments if each["kind"] == "positional"]
    discussion, examples = halves(command.get("discussion", ""))
    if discussion:
        lines.append(".SH DESCRIPTION")
        # The section's head is the first paragraph's break.
        lines += paragraphs(discussion)[1:]
    if inner:
        lines.append(".SH COMMANDS")
        for each in inner:
            lines += [".TP", f".BR {text(title + '-' + each['commandName'])} (1)",
                      text(each.get("abstract", "")) or "\\&"]
    for heading, kinds in (("ARGUMENTS", ("positional",)), ("OPTIONS", ("option", "flag"))):
        chosen = [each for each in arguments if each["kind"] in kinds]
        if chosen:
            lines.append(f".SH {heading}")
            for each in chosen:
                lines += described(each)
    lines += exit_statuses() + COMMON.strip().split("\n")
    if examples:
        lines += [".SH EXAMPLES", ".EX", *(text(line) for line in examples), ".EE"]
    others = ["-".join(path[:count]) for count in range(1, len(path))]
    others += [f"{title}-{each['commandName']}" for each in inner]
    if others:
        lines.append(".SH SEE ALSO")
        lines += [f".BR {text(each)} (1)" + ("," if each != others[-1] else "") for each in others]
    return "\n".join(lines) + "\n"


def pages(path, command, version, date):
    """(name, text) of the page of a command and of all below it."""
    found = [("-".join(path), page(path, command, version, date))]
    for each in visible(command, "subcommands"):
        if each["commandName"] != "help":
            found += pages([*path, each["commandName"]], each, version, date)
    return found


def write(path, words):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(words)
    os.chmod(path, 0o644)


def main(program, folder):
    def ask(*words):
        return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or os.path.getmtime(program))
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    definition = json.loads(ask("--experimental-dump-help"))["command"]
    for name, words in pages(["swarm"], definition, ask("--version").strip(), date):
        write(os.path.join(folder, "man/man1", name + ".1"), words)
    for shell, path in COMPLETIONS.items():
        write(os.path.join(folder, path), ask("--generate-completion-script", shell))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
