import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim
from minigen.training import Loss


class Denoiser(nn.Module):
    """|| f(x + noise) - x ||^2: a small model whose loss draws random numbers."""

    def __init__(self, *, rng, hidden=8, dtype=np.float32):
        self.config = {"hidden": hidden}
        self.net = nn.MLP([4, hidden, 4], rng=rng, dtype=dtype)
        self.calls = ad.Tensor(np.zeros(1, np.int64))  # state that is not trained

    def loss(self, x, rng):
        self.calls.data += 1
        y = self.net(x + rng.normal(size=x.shape).astype(x.dtype) / 10)
        error = ad.mean(ad.sum((y - x) ** 2, axis=-1))
        return Loss(error, {"per_pixel": error.item() / 4})


class Setting:
    """Everything that one run needs, made from seeds, so that two settings are two equal runs.

    labels: each row comes with a number, so that a batch is a tuple.
    """

    def __init__(self, model=None, labels=False, **options):
        self.model = model or Denoiser(rng=np.random.default_rng(1))
        x = np.random.default_rng(2).normal(size=(57, 4)).astype(np.float32)
        data = (x, 1 + x[:, 0] ** 2) if labels else x
        self.train, valid = (tuple(a[rows] for a in data) if labels else data[rows]
                             for rows in (slice(41), slice(41, None)))
        optimizer = optim.Adam(self.model.parameters(), 0.02)
        self.options = dict(optimizer=optimizer, epochs=4, batch_size=10, rng=np.random.default_rng(3), valid=valid,
                            progress=False) | options
        if self.options.pop("ema", False):
            self.options["ema"] = optim.EMA(self.model, 0.9)

    def fit(self, **more):
        from minigen.training import fit

        return fit(self.model, self.train, **(self.options | more))

    def bits(self):
        return {name: array.tobytes() for name, array in self.model.state_dict().items()}


@pytest.fixture
def setting():
    return Setting


def without_time(history):
    """The records without the wall time, the only thing that may differ between equal runs."""
    records = history if isinstance(history, list) else history.records
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


@pytest.fixture
def timeless():
    return without_time
