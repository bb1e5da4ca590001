"""The fine-tune step in PyTorch DistributedDataParallel over gloo: processes of one thread, each with its share of the rows."""
import os
import tempfile

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from common import ALPHA, LABELLED, PSEUDO, RATE, arguments, images, labels, milliseconds, report
from torch_network import network


def worker(rank, args, meeting):
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.workers)
    torch.manual_seed(1)
    model = DistributedDataParallel(network(args.tuned), gradient_as_bucket_view=True)
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def share(*parts):
        return torch.cat([torch.from_numpy(np.array_split(part, args.workers)[rank].copy()) for part in parts])

    x = share(images(LABELLED, 1), images(PSEUDO, 3))
    y = share(labels(LABELLED, 2), labels(PSEUDO, 4))
    # DDP averages the gradients of the workers: these weights make that the gradient of the whole loss.
    factors = [np.full(count, factor * args.workers / count, np.float32) for count, factor in ((LABELLED, 1), (PSEUDO, ALPHA))]
    weights = share(*factors)

    def step():
        optimizer.zero_grad(set_to_none=True)
        (cross_entropy(model(x), y, reduction="none") * weights).sum().backward()
        optimizer.step()

    steps = milliseconds(args, step)
    if rank == 0:
        report(peer="ddp", workers=args.workers, tuned=args.tuned, **steps, version=torch.__version__)
    dist.destroy_process_group()


if __name__ == "__main__":
    given = arguments(__doc__, workers="processes", tuned="fast dropout")
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(worker, (given, os.path.join(folder, "meeting")), given.workers)
