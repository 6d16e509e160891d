"""A replayed run is the eager run: the same losses to rounding, the same errors, the same bits after a resume."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim
from minigen.kernels.stream import Stream
from minigen.latent.vae import VAE
from minigen.nn import Module
from minigen.record import RecordError
from minigen.record import compile as compilation
from minigen.training import Loss, TrainingError, fit, loop
from minigen.training.replay import Replay

from ..record.conftest import interpreted
from .conftest import Setting

NEVER = 10**9
COMPILED = compilation.compiled


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Generated loops are run by Python: the arrays here are tiny."""
    monkeypatch.setattr(compilation, "compiled", interpreted)


class Denoiser(nn.Module):
    """weight * || f(x + noise) - x ||^2, which can be recorded."""

    def __init__(self, seed=1, dtype=np.float32):
        self.config = {"seed": seed}
        self.net = nn.MLP([4, 8, 4], rng=np.random.default_rng(seed), dtype=dtype)
        self.weight = 1.0

    def loss(self, batch, rng):
        x = batch[0] if isinstance(batch, tuple) else batch
        y = self.net(x + np.float32(0.1) * rng.standard_normal(x.shape, dtype=x.dtype))
        error = ad.sum((y - x) ** 2, axis=-1)
        scale = batch[1] if isinstance(batch, tuple) else self.weight
        return Loss(ad.mean(error * scale), {"per_pixel": ad.value(error).mean() / 4})


class Run(Setting):
    """A run of a model that can be recorded."""

    def __init__(self, model=Denoiser, labels=False, **options):
        super().__init__(model(), labels, **options)
        self.rng = self.options["rng"]


@pytest.fixture
def replay_from(monkeypatch):
    """replay_from(update) sets the update from which on steps are replayed."""
    return lambda update: monkeypatch.setattr(loop, "REPLAY_FROM", update)


@pytest.fixture
def replayed(monkeypatch):
    """How many steps were replayed."""
    steps, call = [], Replay.__call__

    def counted(self, *args):
        found = call(self, *args)
        steps.append(found["loss"])
        return found

    monkeypatch.setattr(Replay, "__call__", counted)
    return steps


VARIANTS = {
    "plain": {},
    "average, clip, schedule, patience": dict(ema=True, clip=0.5, schedule=optim.warmup_cosine(5, 20), patience=3),
    "tuples": dict(labels=True),
    "batches of one size": dict(batch_size=41),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_replayed_run_is_the_eager_run(variant, replay_from, replayed):
    replay_from(NEVER)
    eager, one = Run(**VARIANTS[variant]), Run(**VARIANTS[variant])
    expected = eager.fit()
    assert not replayed
    replay_from(0)
    found = one.fit()
    assert len(replayed) == found.records[-1]["step"] >= 4 and found.not_replayed is None
    for split in ("train", "valid"):
        for name in ("loss", "per_pixel"):
            np.testing.assert_allclose(found.curve(split, name), expected.curve(split, name), rtol=2e-5)
    for name, array in one.model.state_dict().items():
        np.testing.assert_allclose(array, eager.model.state_dict()[name], rtol=1e-3, atol=2e-5)
    assert one.rng.random() == eager.rng.random()  # as many draws
    assert all(p.grad is None for p in one.model.parameters())


def test_in_float64_the_runs_agree_to_rounding(replay_from, replayed):
    found = []
    for start in (NEVER, 0):
        replay_from(start)
        run = Run(lambda: Denoiser(dtype=np.float64))
        run.train = run.train.astype(np.float64)
        found.append(run.fit(valid=None).curve())
    np.testing.assert_allclose(*found, rtol=1e-11)
    assert len(replayed) == 20


def test_single_steps_agree_to_float32(replay_from, replayed):
    """20 updates, one per epoch, so that every loss is seen."""
    curves = []
    for start in (NEVER, 0):
        replay_from(start)
        curves.append(Run(batch_size=41, epochs=20, valid=None).fit().curve())
    np.testing.assert_allclose(*curves, rtol=5e-6)
    assert len(replayed) == 20


@pytest.mark.parametrize("net, generator", [
    ({"hidden": (16,)}, lambda: Stream(np.random.default_rng(5))), ({"net": "conv"}, lambda: np.random.default_rng(5))])
def test_compiled_steps_of_a_vae_agree_to_float32(net, generator, replay_from, replayed, monkeypatch):
    monkeypatch.setattr(compilation, "compiled", COMPILED)
    x, curves = np.random.default_rng(0).random((100, 64)).round().astype(np.float32), []
    for start in (NEVER, 0):
        replay_from(start)
        model = VAE(64, 4, rng=np.random.default_rng(1), **net)
        history = fit(model, x, optimizer=optim.Adam(model.parameters(), 1e-3), epochs=4, batch_size=40,
                      rng=generator(), progress=False)
        curves.append([history.curve("train", name) for name in ("loss", "reconstruction", "kl")])
    np.testing.assert_allclose(*curves, rtol=2e-5)
    assert history.not_replayed is None and len(replayed) == 12


class Killed(BaseException):
    """What SIGKILL would do."""


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_killed_and_resumed_across_the_change_gives_the_same_bits(epoch, replay_from, replayed, tmp_path):
    replay_from(7)  # inside the second epoch

    def kill(record):
        if record["epoch"] == epoch:
            raise Killed

    whole = Run(ema=True)
    expected = whole.fit(out=tmp_path / "whole", save_steps=3)
    assert len(replayed) == 20 - 7
    with pytest.raises(Killed):
        Run(ema=True).fit(out=tmp_path / "run", callback=kill, save_steps=3)
    resumed = Run(ema=True)
    found = resumed.fit(out=tmp_path / "run", resume=True, save_steps=3)
    assert resumed.bits() == whole.bits() and resumed.rng.random() == whole.rng.random()
    for one, other in zip(found.records, expected.records, strict=True):
        assert one["train"] == other["train"] and one["valid"] == other["valid"]


# ------------------------------------------------------------------------------------------ cannot be recorded


class Looks(Denoiser):
    """Losses that no program can repeat; each counts its calls, so that a call too many is seen."""

    way = None

    def __init__(self):
        super().__init__()
        self.calls, self.rows = ad.Tensor(np.zeros(1, np.int64)), 0

    def loss(self, x, rng):
        loss = super().loss(x, rng)
        return self.ways[self.way](self, loss, x)

    def _float(self, loss, x):
        return Loss(loss.total, {"per_pixel": float(ad.value(loss.total)) / 4})

    def _item(self, loss, x):
        return Loss(loss.total, {"per_pixel": loss.total.item() / 4})

    def _branch(self, loss, x):
        return loss if ad.value(loss.total) > 3 else Loss(loss.total * 2, loss.parts)

    def _attribute(self, loss, x):
        self.rows = self.rows + len(x)
        return loss

    def _state(self, loss, x):
        self.calls.data += 1
        return Loss(loss.total * (1 / (1 + float(self.calls.data[0]))), loss.parts)

    def _text(self, loss, x):
        return Loss(loss.total, loss.parts | {"per_pixel": len(f"{x[0, 0]:.3f}")})

    def _method(self, loss, x):
        return Loss(loss.total, {"per_pixel": x.cumprod()[0]})

    ways = {"float": _float, "item": _item, "branch": _branch, "attribute": _attribute, "state": _state, "text": _text,
            "method": _method}


SENTENCES = {
    "float": "float() takes the number of a recorded array", "item": "takes the number of a recorded array",
    "branch": "an if, and or while on a recorded array", "attribute": "Eager.loss sets an attribute of a module",
    "state": "a change in place would reach an array", "text": "TypeError while Eager.loss was recorded: unsupported",
    "method": "x.cumprod has no recorded form",
}


@pytest.mark.parametrize("way", SENTENCES)
def test_what_cannot_be_recorded_trains_eagerly_and_says_why(way, replay_from, replayed):
    kind = type("Eager", (Looks,), {"way": way})
    bits = []
    for start in (NEVER, 3):
        replay_from(start)
        run = Run(kind, valid=None)
        history = run.fit()
        bits.append((run.bits(), run.model.rows, run.rng.random(), history.curve().tolist()))
    assert bits[0] == bits[1] and not replayed
    assert SENTENCES[way] in history.not_replayed and history.not_replayed.startswith("record: ")


def test_an_error_of_the_loss_is_told_as_without_replay(replay_from):
    class Failing(Denoiser):
        def loss(self, x, rng):
            if x.shape[0] < 10:
                raise KeyError("the last batch")
            return super().loss(x, rng)

    replay_from(0)
    with pytest.raises(KeyError, match="the last batch"):
        Run(Failing).fit()

    class NoLoss(Denoiser):
        def loss(self, x, rng):
            return super().loss(x, rng).total

    with pytest.raises(TypeError, match="fit: NoLoss.loss gave Tensor.*expected a Loss"):
        Run(NoLoss).fit()


# ------------------------------------------------------------------------------------------------- not finite


class Steep(Denoiser):
    """The loss and the square root of a scale: at 0 a finite loss with an infinite slope."""

    def __init__(self):
        super().__init__()
        self.scale = ad.Tensor(np.full(1, 4.0, np.float32), requires_grad=True)

    def loss(self, x, rng):
        return Loss(super().loss(x, rng).total + ad.sum(ad.sqrt(self.scale)))


@pytest.mark.parametrize("number, told", [
    (0.0, "the gradient of scale holds inf"),
    (np.nan, "the loss is not finite (loss nan), nor is the gradient of scale"),
    (np.inf, "the loss is not finite (loss inf)"),
])
def test_what_is_not_finite_stops_the_run_with_the_same_words(number, told, replay_from, replayed):
    texts = []
    for start in (NEVER, 0):
        replay_from(start)
        run = Run(Steep, valid=None)

        def to_the_edge(record, run=run):
            if record["epoch"] == 2:
                run.model.scale.data[...] = number

        with pytest.raises(TrainingError, match="training stopped at step 11, epoch 3") as error:
            run.fit(callback=to_the_edge)
        texts.append((str(error.value), error.value.parameter, error.value.step, repr(error.value.value)))
        assert all(p.grad is None for p in run.model.parameters())
        assert all(np.isfinite(array).all() for array in run.model.state_dict().values())
    assert texts[0] == texts[1] and told in texts[0][0] and len(replayed) == 11


# --------------------------------------------------------------------------------------- changes between steps


def set_weight(run):
    run.model.weight = 3.0


def set_inside(run):
    run.model.net.layers[0].b.data = run.model.net.layers[0].b.data + np.float32(1)


def halve_the_rate(run):
    run.options["optimizer"].lr /= 2


def load(run):
    run.model.load_state_dict(Denoiser(seed=5).state_dict())


@pytest.mark.parametrize("change", [set_weight, set_inside, halve_the_rate, load])
def test_a_change_between_epochs_is_seen(change, replay_from, replayed):
    curves = []
    for start in (NEVER, 0):
        replay_from(start)
        run = Run(valid=None)
        history = run.fit(callback=lambda record, run=run: change(run) if record["epoch"] == 2 else None)
        curves.append(history.curve())
    assert history.not_replayed is None and len(replayed) == 20
    np.testing.assert_allclose(*curves, rtol=2e-5)
    unchanged = Run(valid=None).fit().curve()
    assert np.allclose(unchanged[:2], curves[0][:2], rtol=2e-5)
    assert not np.allclose(unchanged[2:], curves[0][2:], rtol=1e-2)


# ------------------------------------------------------------------------------------------------ Replay itself


def made(model=None):
    """A replay of a model, and batches for it."""
    model = model or Denoiser()
    optimizer = optim.Adam(model.parameters(), 0.02)
    return model, optimizer, Replay(model.loss, optimizer, model)


def test_gradients_lie_where_the_optimiser_reads_them():
    model, optimizer, replay = made()
    x, places = np.ones((3, 4), np.float32), optimizer.gradients()
    values = replay(x, np.random.default_rng(0))
    assert list(values) == ["loss", "per_pixel"] and all(type(v) is float for v in values.values())
    assert all(p.grad is place for p, place in zip(optimizer.parameters, places))
    found = [p.grad.copy() for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    loss = model.loss(x, np.random.default_rng(0))
    loss.total.backward()
    for p, gradient in zip(model.parameters(), found, strict=True):
        np.testing.assert_allclose(gradient, p.grad, rtol=1e-5, atol=1e-6)
    assert values["loss"] == pytest.approx(loss.total.item(), rel=1e-6)


class Alike(nn.Module):
    """Gradients that are one value twice, a view of another, a constant, or of a parameter in double precision."""

    def __init__(self):
        rng = np.random.default_rng(0)
        for name, shape, dtype in [("a", 3, "f"), ("b", 3, "f"), ("W", (3, 4), "f"), ("v", (4, 1), "f"), ("c", 2, "f"),
                                   ("d", 3, "d")]:
            setattr(self, name, ad.Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True))

    def loss(self, x, rng):
        y = ad.tanh(x @ ad.transpose(self.W) + self.a + self.b) * ad.astype(self.d, np.float32)
        return Loss(ad.mean(ad.sum(y * y, axis=-1)) + ad.sum(self.c) + ad.sum(x @ self.v))


def test_gradients_that_cannot_be_computed_in_place_are_copied_there():
    model, optimizer, replay = made(Alike())
    for i in range(3):
        x = np.random.default_rng(i).normal(size=(5, 4)).astype(np.float32)
        for place in optimizer.gradients():
            place[...] = 99
        replay(x, np.random.default_rng(0))
        found = [p.grad.copy() for p in model.parameters()]
        for p in model.parameters():
            p.grad = None
        model.loss(x, None).total.backward()
        for p, gradient in zip(model.parameters(), found, strict=True):
            assert gradient.dtype == p.grad.dtype
            np.testing.assert_allclose(gradient, p.grad, rtol=1e-5, atol=1e-6)


def test_a_parameter_that_the_loss_does_not_reach_has_no_gradient():
    model = Steep()
    model.unused = ad.Tensor(np.ones(2, np.float32), requires_grad=True)
    model, optimizer, replay = made(model)
    replay(np.ones((3, 4), np.float32), np.random.default_rng(0))
    assert model.unused.grad is None and model.scale.grad is not None
    optimizer.step()
    assert np.array_equal(model.unused.data, [1, 1])


def test_a_parameter_that_is_not_optimised_is_left_alone():
    model = Denoiser()
    optimizer = optim.SGD(model.parameters()[:2], 0.1)
    replay = Replay(model.loss, optimizer, model)
    for _ in range(2):
        replay(np.ones((3, 4), np.float32), np.random.default_rng(0))
        optimizer.step()
    assert [p.grad for p in model.parameters()] == [None] * 4
    assert all(type(p.data) is np.ndarray for p in model.parameters())


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical"])
def test_data_outside_the_range_are_refused_in_a_replay_too(likelihood):
    classes = dict(n_classes=2) if likelihood == "categorical" else {}
    model = VAE(6, 2, (5,), likelihood=likelihood, rng=np.random.default_rng(0), **classes)
    model, optimizer, replay = made(model)
    good = np.tile(np.array([[1, 0, 0, 1, 1, 0]], np.float32), (3, 1))
    rng = np.random.default_rng(1)
    first = replay(good, rng)
    for value in (2.0, -0.5, np.nan):
        bad = good.copy()
        bad[1, 3] = value
        with pytest.raises(ValueError) as eager, np.errstate(invalid="ignore"):
            model.loss(bad, np.random.default_rng(1))
        with pytest.raises(ValueError) as found:
            replay(bad, rng)
        assert str(found.value) == str(eager.value) and str(found.value).startswith("VAE: x ")
    assert replay(good, np.random.default_rng(1)) == first and len(replay.programs) == 1


def test_a_new_batch_size_is_recorded_anew_and_attributes_drop_everything():
    model, optimizer, replay = made()
    rng = np.random.default_rng(0)
    for rows in (3, 5, 3):
        replay(np.ones((rows, 4), np.float32), rng)
    kept = list(replay.programs.values())
    assert len(kept) == 2
    other = nn.Linear(2, 2, rng=rng)  # a module somewhere else: nobody can know that the loss does not read it
    other.note = "changed"
    replay(np.ones((3, 4), np.float32), rng)
    assert len(replay.programs) == 1 and replay.programs.popitem()[1] not in kept
    assert Module.changes == replay.changes


def test_a_loss_of_two_numbers_is_no_loss():
    class Vector(Denoiser):
        def loss(self, x, rng):
            return Loss(self.net(x))

    replay = made(Vector())[2]
    with pytest.raises(RecordError, match="Vector.loss gave Loss|array2string answers str"):
        replay(np.ones((3, 4), np.float32), np.random.default_rng(0))
