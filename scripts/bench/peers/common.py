"""What the Python peers share: the step's sizes and rows, its timing, and the line of JSON that the bench reads."""
import argparse
import json
import os
import statistics
import time

import numpy as np

INPUTS, HIDDEN, CLASSES = 784, 5000, 10
LABELLED, PSEUDO = 32, 256
INPUT_DROPOUT, DROPOUT = 0.2, 0.5
ALPHA, RATE = 3.0, 1e-3
NON_ZERO = 0.19  # the share of MNIST's pixels
INFERRED, INFERRED_BATCH = 60_000, 2_000


def arguments(doc, **flags):
    """The flags of every peer, and further ones by name and help."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--steps", type=int, default=60, help="timed steps")
    parser.add_argument("--warmup", type=int, default=10, help="steps before them")
    parser.add_argument("--no-infer", action="store_true", help="leaves the inference of 60,000 images out")
    for name, text in flags.items():
        flag = "--" + name.replace("_", "-")
        if name in ("threads", "workers"):
            parser.add_argument(flag, type=int, default=2, help=text)
        else:
            parser.add_argument(flag, action="store_true", help=text)
    return parser.parse_args()


def images(count, seed):
    random = np.random.default_rng(seed)
    values = random.random((count, INPUTS), dtype=np.float32)
    return values * (random.random((count, INPUTS), dtype=np.float32) < NON_ZERO)


def labels(count, seed):
    return np.random.default_rng(seed).integers(0, CLASSES, count)


def timed(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def milliseconds(args, step):
    """Median, least and most of the timed steps."""
    times = [1000 * timed(step) for _ in range(args.warmup + args.steps)][args.warmup:]
    found = {"median": statistics.median(times), "min": min(times), "max": max(times)}
    return {f"ms_{name}": round(value, 2) for name, value in found.items()}


def inference(args, batches, classify):
    """Seconds for all batches, the median of three passes."""
    if args.no_infer:
        return None

    def everything():
        for batch in batches():
            classify(batch)

    return round(statistics.median(timed(everything) for _ in range(3)), 3)


def report(**figures):
    print(json.dumps({**figures, "load_1m": round(os.getloadavg()[0], 2)}), flush=True)
