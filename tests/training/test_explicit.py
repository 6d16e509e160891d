"""Models that compute their own gradients, and models that validate themselves."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim
from minigen.training import Loss, TrainingError, fit


class Mean(nn.Module):
    """|| mu - x ||^2 / 2 on the tape."""

    def __init__(self):
        self.config = {}
        self.mu, self.kept = (ad.Tensor(np.full(2, 5.0), requires_grad=True) for _ in range(2))

    def loss(self, x, rng):
        return Loss(0.5 * ad.mean(ad.sum((self.mu - x) ** 2, axis=-1)), {})


class Explicit(Mean):
    """The same by its closed form."""

    def loss_and_gradients(self, x, rng, into):
        into["mu"][...] = self.mu.data - x.mean(0)
        into["kept"][...] = 1.0
        return {"loss": 0.5 * ((self.mu.data - x) ** 2).sum(-1).mean()}


def run(model, rng_seed=0, **more):
    rng = np.random.default_rng(rng_seed)
    x = rng.normal(size=(40, 2))
    history = fit(model, x, optimizer=optim.SGD([model.mu], 0.3), epochs=80, batch_size=10, rng=rng, progress=False,
                  **more)
    return model.mu.data.copy(), history.curve()


def test_closed_gradients_and_the_tape_take_the_same_path():
    """320 updates, past the one from which a tape would be replayed; a parameter that is not trained stays."""
    explicit = Explicit()
    for a, b in zip(run(explicit), run(Mean())):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_array_equal(explicit.kept.data, 5.0)


def test_a_bad_gradient_stops_the_run_with_the_last_good_parameters():
    class Bad(Explicit):
        def loss_and_gradients(self, x, rng, into):
            value = super().loss_and_gradients(x, rng, into)
            into["mu"][1] = np.nan
            return value

    with pytest.raises(TrainingError, match="gradient of mu holds nan.*step 0 again"):
        run(Bad())


def test_a_model_that_validates_itself_decides_what_is_best():
    class Own(Explicit):
        def validate(self, x, rng):
            assert x.shape == (7, 2) and not ad.is_recording()
            self.calls = getattr(self, "calls", 0) + 1
            return {"loss": abs(self.calls - 3.0), "calls": self.calls}

    model = Own()
    rng = np.random.default_rng(0)
    history = fit(model, rng.normal(size=(40, 2)), valid=np.zeros((7, 2)), optimizer=optim.SGD([model.mu], 0.3),
                  epochs=20, batch_size=10, rng=rng, patience=4, progress=False)
    assert history.best_epoch == 3 and history.stopped == "patience"
    np.testing.assert_array_equal(history.curve("valid", "calls"), np.arange(1, 8))
