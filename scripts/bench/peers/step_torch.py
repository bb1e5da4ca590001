"""The fine-tune step and the inference of 60,000 images in PyTorch: as usually written, or tuned."""
import torch
from torch.nn.functional import cross_entropy

from common import ALPHA, INFERRED, INFERRED_BATCH, LABELLED, PSEUDO, RATE, arguments, images, inference, labels, milliseconds, report
from torch_network import network

args = arguments(__doc__, threads="of PyTorch's operations", tuned="one pass over all rows, and fast dropout")
torch.set_num_threads(args.threads)
torch.manual_seed(1)
model = network(args.tuned)
optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
x, y = torch.from_numpy(images(LABELLED, 1)), torch.from_numpy(labels(LABELLED, 2))
x_pseudo, y_pseudo = torch.from_numpy(images(PSEUDO, 3)), torch.from_numpy(labels(PSEUDO, 4))


def logits():
    if args.tuned:
        return model(torch.cat([x, x_pseudo])).split([LABELLED, PSEUDO])
    return model(x), model(x_pseudo)


def step():
    optimizer.zero_grad(set_to_none=True)
    of_labelled, of_pseudo = logits()
    loss = cross_entropy(of_labelled, y) + ALPHA * cross_entropy(of_pseudo, y_pseudo)
    loss.backward()
    optimizer.step()
    return loss.item()


steps = milliseconds(args, step)
model.eval()
everything = None if args.no_infer else torch.from_numpy(images(INFERRED, 5))
with torch.inference_mode():
    seconds = inference(args, lambda: everything.split(INFERRED_BATCH), lambda batch: model(batch).argmax(1))
report(peer="torch", threads=args.threads, tuned=args.tuned, **steps, infer_60k_s=seconds, version=torch.__version__)
