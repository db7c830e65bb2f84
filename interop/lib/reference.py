"""The parts of docs/ that are made of what a daemon says of itself: the reference of the API of its OpenAPI
document, the list of figures of /metrics. interop/http/api.py holds the documents against a running daemon.

    interop/lib/reference.py OPENAPI.json METRICS.txt      writes both parts anew, from what curl has fetched
"""
import json
import os
import re
import sys

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs")
PARTS = {"api.md": "reference", "operations.md": "figures"}


def bounds(part):
    return f"<!-- {part}: made by interop/lib/reference.py -->\n", f"<!-- end of {part} -->\n"


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def kind(schema):
    """What a value is, in words."""
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    of = schema.get("type", "")
    if of == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if of == "object" and "properties" in schema:
        inner = (f"`{name}`: {kind(each)}" for name, each in schema["properties"].items())
        return "object of " + "; ".join(inner)
    return {"string": "text", "boolean": "true or false", "integer": "integer"}.get(of, of)


def rows(schema):
    required = schema.get("required", [])
    asked = schema.get("additionalProperties") is False
    yield "| key | value | what |"
    yield "|---|---|---|"
    for name, each in schema.get("properties", {}).items():
        note = each.get("description", "")
        if asked and name in required:
            note += ("; " if note else "") + "must be there"
        yield f"| `{name}` | {cell(kind(each))} | {cell(note)} |"


def parameter(each):
    note = each.get("description", "")
    if each["required"] and each["in"] != "path":
        note += ", must be there"
    return f"| `{each['name']}` | {each['in']} | {cell(kind(each['schema']))} | {cell(note)} |"


def api(document):
    """Markdown: each request with what it takes and answers, then each object."""
    lines = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += [f"### `{method.upper()} {path}`", "", operation["summary"] + ".", ""]
            takes = [parameter(each) for each in operation.get("parameters", [])]
            if takes:
                lines += ["| parameter | in | value | what |", "|---|---|---|---|", *takes, ""]
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]
                lines += ["Body: " + ", ".join(f"{kind(each.get('schema', {}))} (`{media}`)"
                                               for media, each in content.items()) + ".", ""]
            lines += ["| status | what | body |", "|---|---|---|"]
            for status, answer in operation["responses"].items():
                if status == "default":
                    continue
                content = ", ".join(f"{cell(kind(each.get('schema', {})))} (`{media}`)".strip()
                                    for media, each in answer.get("content", {}).items())
                lines.append(f"| {status} | {cell(answer['description'])} | {content} |")
            lines.append("")
    for name, schema in document["components"]["schemas"].items():
        lines += [f"### {name}", "", *rows(schema), ""]
    return "\n".join(lines).replace("|  |", "| |")


def figures(text):
    """Markdown: each figure of Prometheus' text format."""
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    kinds = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.M))
    lines = ["| figure | kind | what |", "|---|---|---|"]
    lines += [f"| `{name}` | {kinds.get(name, '')} | {cell(note)} |" for name, note in helps.items()]
    return "\n".join(lines) + "\n"


def stands(name):
    """What a document of docs/ has in that part; None where it has none."""
    begin, end = bounds(PARTS[name])
    with open(os.path.join(DOCS, name), encoding="utf-8") as file:
        text = file.read()
    if begin not in text or end not in text:
        return None
    return text.split(begin, 1)[1].split(end, 1)[0].strip("\n")


def write(name, part):
    path = os.path.join(DOCS, name)
    begin, end = bounds(PARTS[name])
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(begin, 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + "\n" + part.strip("\n") + "\n\n" + end + rest.split(end, 1)[1])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        write("api.md", api(json.load(file)))
    with open(sys.argv[2], encoding="utf-8") as file:
        write("operations.md", figures(file.read()))


if __name__ == "__main__":
    main()
