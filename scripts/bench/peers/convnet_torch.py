"""A step of a convolutional network in PyTorch, channels last: python convnet_torch.py NETWORK ROWS THREADS STEPS WARMUP"""
import json
import sys
import time

import torch
from torch.nn import Conv2d, CrossEntropyLoss, Flatten, Linear, MaxPool2d, ReLU, Sequential

network = sys.argv[1]
rows, threads, steps, warmup = map(int, sys.argv[2:6])
torch.set_num_threads(threads)

PEERS = [Conv2d(1, 32, 3), ReLU(), Conv2d(32, 32, 3), ReLU(), MaxPool2d(2),
         Conv2d(32, 64, 3), ReLU(), Conv2d(64, 64, 3), ReLU(), MaxPool2d(2),
         Flatten(), Linear(64 * 4 * 4, 128), ReLU(), Linear(128, 10)]
CONVNET = [Conv2d(1, 24, 5), ReLU(), MaxPool2d(2), Conv2d(24, 48, 3), ReLU(), MaxPool2d(2),
           Conv2d(48, 96, 3), ReLU(), Flatten(), Linear(96 * 3 * 3, 10)]
model = Sequential(*(CONVNET if network == "convnet" else PEERS)).to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(model.parameters())
loss_of = CrossEntropyLoss()
x = torch.rand(rows, 1, 28, 28) * (torch.rand(rows, 1, 28, 28) < 0.19)
x = x.to(memory_format=torch.channels_last)
y = torch.arange(rows) % 10
times, cpu = [], []
for _ in range(warmup + steps):
    began, before = time.perf_counter(), time.process_time()
    optimizer.zero_grad(set_to_none=True)
    loss_of(model(x), y).backward()
    optimizer.step()
    times.append(1e3 * (time.perf_counter() - began))
    cpu.append(1e3 * (time.process_time() - before))
times, cpu = sorted(times[warmup:]), sorted(cpu[warmup:])
print(json.dumps({"ms_median": times[len(times) // 2], "ms_min": times[0], "cpu_ms": cpu[len(cpu) // 2],
                  "version": torch.__version__}))
