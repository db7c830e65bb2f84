"""v1 torrents of single files, and of a folder with one file, against mktorrent's."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import v1_files

v1_files.compare(lambda path, output, exponent: [
    "mktorrent", "-d", "-l", str(exponent), "-o", output, path])
