"""We download from aria2 and seed to it: v1. aria2 1.36 takes no hybrids, whoever made them: it
computes another infohash for them. It can need 45 seconds to find its first peer.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
from clients import Aria2
from v1_client import BothWays

BothWays(Aria2, kinds=("v1",), patience=60).run()
