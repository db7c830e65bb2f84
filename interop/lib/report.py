"""Counts checks and prints those that fail."""
import sys
import time


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.started = time.monotonic()

    def check(self, name, holds, detail=""):
        """One check; says so at once when it fails."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {name}" + (f": {detail}" if detail else ""), flush=True)
        return holds

    def equal(self, name, ours, theirs):
        return self.check(name, ours == theirs, f"ours {ours!r}, theirs {theirs!r}")

    def note(self, text):
        print(f"   {text}", flush=True)

    def finish(self):
        """Prints the closing line and ends the program."""
        self.note(f"{time.monotonic() - self.started:.1f} s")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
