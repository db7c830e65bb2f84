"""We download from aria2 and seed to it: v1 and hybrid."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
from clients import Aria2
from v1_client import BothWays

BothWays(Aria2).run()
