"""v1 torrents of single files, and of a folder with one file, against transmission-create's."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import v1_files

v1_files.compare(lambda path, output, exponent: [
    "transmission-create", "-s", str(1 << (exponent - 10)), "-o", output, path])
