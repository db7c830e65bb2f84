"""We download from rtorrent and seed to it: v1 and hybrid."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
from clients import Rtorrent
from v1_client import BothWays

BothWays(Rtorrent).run()
