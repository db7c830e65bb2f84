"""Compiles each file named, writing nothing: make lint's look at the Python scripts."""
import sys

failed = False
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        try:
            compile(file.read(), path, "exec")
        except SyntaxError as error:
            print(f"{path}:{error.lineno}: {error.msg}", file=sys.stderr)
            failed = True
sys.exit(failed)
