"""As new users would, on hosts in one room with nothing configured (multicast DNS, BEP 14): issue 4's
"Done when"."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
from report import Report

report = Report()
with tempfile.TemporaryDirectory(prefix="swarm-local-") as home:
    first, second, third, fourth = hosts.on_a_bridge(4, home)
    hosts.share_and_follow(report, "in one room", first, [second, third], fourth, [], most=10)
report.finish()
