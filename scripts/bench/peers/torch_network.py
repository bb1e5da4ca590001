"""The network of the PyTorch peers, with PyTorch's dropout or a faster one."""
import torch
from torch import nn

from common import CLASSES, DROPOUT, HIDDEN, INPUT_DROPOUT, INPUTS


class FastDropout(nn.Dropout):
    """PyTorch draws masks on one thread; this takes eight of them from each random number, at rates of 256ths."""

    def forward(self, x):
        if not self.training:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-2**63, None)
        is_kept = words.view(torch.uint8)[:x.numel()].view_as(x) >= round(256 * self.p)
        return x * (is_kept / (1 - self.p))


def network(fast_dropout):
    drop = FastDropout if fast_dropout else nn.Dropout
    return nn.Sequential(drop(INPUT_DROPOUT), nn.Linear(INPUTS, HIDDEN), nn.ReLU(), drop(DROPOUT), nn.Linear(HIDDEN, CLASSES))
