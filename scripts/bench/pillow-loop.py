"""Decodes a folder of pictures as a script would: a loop of Pillow's in each of two processes. python pillow-loop.py FOLDER"""
import json
import os
import sys
import time
from multiprocessing import Pool

from PIL import Image

PROCESSES = 2


def decode(paths):
    pixels = bytearray()
    for path in paths:
        with Image.open(path) as image:
            pixels += image.tobytes()
    return bytes(pixels)


if __name__ == "__main__":
    began = time.perf_counter()
    folder = sys.argv[1]
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    paths = [os.path.join(folder, name) for name in names]
    share = -(-len(paths) // PROCESSES)
    with Pool(PROCESSES) as pool:
        parts = pool.map(decode, [paths[i : i + share] for i in range(0, len(paths), share)])
    pixels = b"".join(parts)
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": len(pixels)}))
