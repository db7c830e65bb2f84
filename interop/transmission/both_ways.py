"""We download from transmission and seed to it: v1. transmission 3.00 takes no hybrids, whoever made
them: it cannot parse them. It makes no empty files.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
from clients import Transmission
from v1_client import BothWays

BothWays(Transmission, kinds=("v1",)).run()
