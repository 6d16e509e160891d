"""What the loop does to a model, and what it refuses to do."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim
from minigen.training import History, Loss, TrainingError, fit


class Mean(nn.Module):
    """|| mu - x ||^2 / 2, whose best mu is the mean of the data and whose gradient is mu - mean(batch)."""

    def __init__(self, d=2, start=0.0):
        self.config = {"d": d}
        self.mu = ad.Tensor(np.full(d, start), requires_grad=True)

    def loss(self, x, rng):
        return Loss(0.5 * ad.mean(ad.sum((self.mu - x) ** 2, axis=-1)), {})


def test_full_batches_follow_the_closed_form(rng):
    x, model = rng.normal(size=(30, 2)), Mean(start=5.0)
    fit(model, x, optimizer=optim.SGD(model.parameters(), 0.3), epochs=12, batch_size=30, rng=rng, progress=False)
    np.testing.assert_allclose(model.mu.data, x.mean(0) + 0.7**12 * (5 - x.mean(0)), rtol=1e-12)


def test_a_batch_larger_than_the_data_is_one_batch(rng):
    x, model = rng.normal(size=(7, 2)), Mean()
    history = fit(model, x, optimizer=optim.SGD(model.parameters(), 1.0), epochs=2, batch_size=100, rng=rng,
                  progress=False)
    assert [r["step"] for r in history.records] == [1, 2]
    np.testing.assert_allclose(model.mu.data, x.mean(0), rtol=1e-12)


def test_every_row_is_seen_once_per_epoch_in_another_order(rng):
    seen = []

    class Watch(Mean):
        def loss(self, x, rng):
            seen.append(x[:, 0].copy())
            return super().loss(x, rng)

    x, model = np.arange(22.0).reshape(11, 2), Watch()
    fit(model, x, optimizer=optim.SGD(model.parameters(), 0.1), epochs=2, batch_size=4, rng=rng, progress=False)
    assert [len(b) for b in seen] == [4, 4, 3] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(x[:, 0]) and list(first) != list(second)


def test_the_recorded_loss_is_the_mean_over_data_not_over_batches(rng):
    class Fixed(Mean):
        def loss(self, x, rng):
            return Loss(ad.mean(self.mu * 0) + float(x.mean()), {"twice": 2 * float(x.mean())})

    x, model = rng.normal(size=(11, 1)), Fixed(1)
    history = fit(model, x, optimizer=optim.SGD(model.parameters(), 0.1), epochs=2, batch_size=4, rng=rng,
                  valid=x[:5], progress=False)
    record, second = history.records
    assert record["train"] == pytest.approx(second["train"], rel=1e-12)
    assert record["train"]["loss"] == pytest.approx(x.mean(), rel=1e-12)
    assert record["train"]["twice"] == pytest.approx(2 * x.mean(), rel=1e-12)
    assert record["valid"]["loss"] == pytest.approx(x[:5].mean(), rel=1e-12)


def test_tuples_are_cut_alike(rng):
    class Pair(Mean):
        def loss(self, batch, rng):
            x, y = batch
            assert np.array_equal(x[:, 0], y)
            return super().loss(x, rng)

    x, model = rng.normal(size=(9, 2)), Pair()
    history = fit(model, (x, x[:, 0]), optimizer=optim.SGD(model.parameters(), 0.1), epochs=1, batch_size=4, rng=rng,
                  valid=(x[:3], x[:3, 0]), progress=False)
    assert history.curve("valid").shape == (1,)


def test_clip_schedule_and_average_reach_the_step(rng):
    x = rng.normal(size=(8, 2)) + 100
    model = Mean()
    ema = optim.EMA(model, 0.5)
    factors = [1.0, 0.5, 0.25]
    path = [np.zeros(2)]
    fit(model, x, optimizer=optim.SGD(model.parameters(), 0.1), epochs=3, batch_size=8, rng=rng, clip=1.0,
        schedule=lambda t: factors[t], ema=ema, progress=False)
    average = path[0]
    for t, factor in enumerate(factors, 1):
        g = path[-1] - x.mean(0)
        path.append(path[-1] - 0.1 * factor * g / np.linalg.norm(g))
        d = min(0.5, (1 + t) / (10 + t))
        average = d * average + (1 - d) * path[-1]
    np.testing.assert_allclose(model.mu.data, average, rtol=1e-12)


def test_validation_does_not_disturb_the_training(setting):
    with_valid, without = setting(), setting(valid=None)
    with_valid.fit()
    without.fit()
    ours, theirs = with_valid.bits(), without.bits()
    ours.pop("calls"), theirs.pop("calls")
    assert ours == theirs
    assert with_valid.options["rng"].random() == without.options["rng"].random()


def test_validation_has_the_same_noise_in_every_epoch(setting):
    run = setting(epochs=3)
    run.options["optimizer"].lr = 1e-300
    assert len(set(run.fit().curve("valid"))) == 1


def test_same_seed_same_bits(setting, timeless):
    one, two = setting(), setting()
    assert timeless(one.fit()) == timeless(two.fit()) and one.bits() == two.bits()


def test_early_stopping_waits_for_patience_and_gives_the_best_back(rng):
    losses = [5.0, 3.0, 4.0, 3.5, 3.2, 2.0]

    class Told(Mean):
        def loss(self, x, rng):
            if not ad.is_recording():
                return Loss(ad.Tensor(losses[round(self.mu.data.item()) - 1]))
            return Loss(-ad.sum(self.mu))

    model = Told(1)
    history = fit(model, np.zeros((3, 1)), optimizer=optim.SGD(model.parameters(), 1.0), epochs=6, batch_size=3,
                  rng=rng, valid=np.zeros((2, 1)), patience=3, progress=False)
    assert history.stopped == "patience" and history.best_epoch == 2 and len(history.records) == 5
    assert model.mu.data.item() == 2.0
    np.testing.assert_array_equal(history.curve("valid"), losses[:5])


def test_no_epochs_change_nothing(setting):
    run = setting(epochs=0)
    before = run.bits()
    history = run.fit()
    assert run.bits() == before and history.records == [] and repr(history) == "History(no epochs)"


def test_the_callback_sees_every_record(setting):
    told = []
    history = setting().fit(callback=told.append)
    assert told == history.records and [r["epoch"] for r in told] == [1, 2, 3, 4]


def test_history_answers_by_name_and_says_what_there_is(setting):
    history = setting().fit()
    assert isinstance(history, History) and history.curve("train", "per_pixel").shape == (4,)
    assert "epoch 4, step 20" in repr(history)
    with pytest.raises(KeyError, match="valid/kl was not recorded; there are train/loss, train/per_pixel, valid/loss"):
        history.curve("valid", "kl")


# ------------------------------------------------------------------------------------------------- not finite


class Fragile(Mean):
    """A loss, a part of it, or a validation loss that is not finite from training step `at` on."""

    def __init__(self, kind, at):
        super().__init__()
        self.kind, self.at, self.count = kind, at, 0

    def loss(self, x, rng):
        training = ad.is_recording()
        self.count += training
        loss = super().loss(x, rng)
        if self.count < self.at or training == (self.kind == "valid"):
            return loss
        if self.kind == "part":
            return Loss(loss.total, {"kl": float("nan")})
        return Loss(loss.total * (np.inf if self.kind == "loss" else np.nan))


@pytest.mark.parametrize("kind, message, parameter", [
    ("loss", "the loss is not finite (loss inf), nor is the gradient of mu", "mu"),
    ("part", "the loss is not finite (loss ", None),
    ("valid", "the validation loss is not finite (loss nan)", None),
])
@pytest.mark.parametrize("keep", [True, False])
def test_a_loss_that_is_not_finite_stops_the_run(kind, message, parameter, keep, rng, tmp_path):
    x, model = rng.normal(size=(12, 2)), Fragile(kind, at=6)
    good = {}
    with pytest.raises(TrainingError) as error:
        fit(model, x, optimizer=optim.SGD(model.parameters(), 0.1), epochs=9, batch_size=6, rng=rng, valid=x,
            out=tmp_path / "run" if keep else None, progress=False,
            callback=lambda record: good.update({record["step"]: model.mu.numpy()}))
    stop, text = error.value, str(error.value)
    assert stop.step == 6 and stop.parameter == parameter and not np.isfinite(stop.value)
    assert "stopped at step 6, epoch 3: " in text and message in text and "parameters of step 4 again" in text
    np.testing.assert_array_equal(model.mu.data, good[4])
    if keep:
        assert stop.checkpoint == tmp_path / "run" / "checkpoint.npz" and str(stop.checkpoint) in text
        with np.load(stop.checkpoint) as held:
            np.testing.assert_array_equal(held["model/mu"], good[4])
        assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    else:
        assert stop.checkpoint is None and "no checkpoint, as out is None" in text


def test_a_gradient_that_is_not_finite_stops_the_run_and_is_named(rng):
    class Steep(nn.Module):
        """|| mu - x ||^2 / 2 + sqrt(scale): at scale 0 a finite loss with an infinite slope."""

        def __init__(self):
            self.inner = Mean()
            self.scale = ad.Tensor([4.0], requires_grad=True)

        def loss(self, x, rng):
            return Loss(self.inner.loss(x, rng).total + ad.sum(ad.sqrt(self.scale)))

    model, good = Steep(), []

    def to_the_edge(record):
        good.append(model.state_dict())
        if record["epoch"] == 2:
            model.scale.data[...] = 0

    message = "step 3, epoch 3: the gradient of scale holds inf; .* of step 2 again"
    with pytest.raises(TrainingError, match=message) as e:
        fit(model, np.ones((4, 2)), optimizer=optim.SGD(model.parameters(), 0.1), epochs=5, batch_size=4, rng=rng,
            progress=False, callback=to_the_edge)
    assert (e.value.parameter, e.value.value, e.value.step) == ("scale", np.inf, 3)
    assert all(np.array_equal(array, good[1][name]) for name, array in model.state_dict().items())


# -------------------------------------------------------------------------------------------------------- doors


def good(model=None, train=None, **change):
    model = Mean() if model is None else model
    parameters = (model if isinstance(model, Mean) else Mean()).parameters()
    options = dict(optimizer=optim.SGD(parameters, 0.1), epochs=1, batch_size=2, rng=np.random.default_rng(0),
                   progress=False)
    return fit(model, np.zeros((3, 2)) if train is None else train, **(options | change))


def test_the_good_call_is_good():
    assert len(good().records) == 1


class NoLoss(Mean):
    def loss(self, x, rng):
        return 3.0


class Vector(Mean):
    def loss(self, x, rng):
        return Loss(self.mu * 1)


class Unwritable(Mean):
    def __init__(self):
        super().__init__()
        self.config = {"net": object()}


@pytest.mark.parametrize("change, kind, message", [
    (dict(model=nn.Module()), TypeError, "fit: model is Module; expected a Module with loss(batch, rng)"),
    (dict(model=3), TypeError, "fit: model is int"),
    (dict(optimizer="adam"), TypeError, "fit: optimizer is str; expected one of minigen.optim"),
    (dict(optimizer=optim.SGD(Mean().parameters(), 0.1)), ValueError, "a Tensor that is no parameter of model"),
    (dict(epochs=-1), ValueError, "fit: epochs is -1; expected a whole number of at least 0"),
    (dict(epochs=1.5), ValueError, "fit: epochs is 1.5"),
    (dict(batch_size=0), ValueError, "fit: batch_size is 0; expected a whole number of at least 1"),
    (dict(rng=0), TypeError, "fit: rng is 0; expected a numpy.random.Generator"),
    (dict(train=np.zeros((0, 2))), ValueError, "fit: train has shape (0, 2); expected at least one row"),
    (dict(train=np.float64(3)), ValueError, "fit: train has shape ()"),
    (dict(train=()), ValueError, "fit: train has shape []"),
    (dict(train=(np.zeros((3, 2)), np.zeros(2))), ValueError, "equally many in each array"),
    (dict(train=np.array([["a", "b"]])), TypeError, "fit: train has dtype <U1; expected real numbers"),
    (dict(train=np.array([[0.0, 1.0], [np.nan, np.inf]])), ValueError, "train holds 2 nan or inf, the first in row 1"),
    (dict(valid=np.array([[0.0, np.inf]])), ValueError, "fit: valid holds 1 nan or inf"),
    (dict(valid=np.zeros((3, 5))), ValueError, "a row of valid has shape (5,); expected that of a row of train, (2,)"),
    (dict(patience=2), ValueError, "fit: patience is given without valid"),
    (dict(patience=0, valid=np.zeros((3, 2))), ValueError, "fit: patience is 0; expected a whole number of at least 1"),
    (dict(clip=0), ValueError, "fit: clip is 0; expected a positive number or None"),
    (dict(clip="1"), ValueError, "fit: clip is '1'"),
    (dict(schedule=0.5), TypeError, "fit: schedule is 0.5; expected a function or None"),
    (dict(callback="print"), TypeError, "fit: callback is 'print'; expected a function or None"),
    (dict(ema=0.9), TypeError, "fit: ema must be an optim.EMA of the model that is trained"),
    (dict(ema=optim.EMA(Mean())), TypeError, "fit: ema must be an optim.EMA of the model that is trained"),
    (dict(save_steps=0), ValueError, "fit: save_steps is 0"),
    (dict(save_seconds=-1), ValueError, "fit: save_seconds is -1"),
    (dict(resume=True), ValueError, "fit: resume is True without out"),
    (dict(out=__file__), ValueError, "which is a file; expected a folder"),
    (dict(model=NoLoss()), TypeError, "fit: NoLoss.loss gave 3.0; expected a Loss whose total is a number"),
    (dict(model=Vector()), TypeError, "fit: Vector.loss gave Loss(total=Tensor("),
    (dict(model=Unwritable()), TypeError, "fit: model.config cannot be written as JSON"),
])
def test_bad_input_is_refused_in_one_sentence(change, kind, message):
    with pytest.raises(kind) as error:
        good(**change)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_huge_but_finite_data_are_data():
    class Blind(Mean):
        def loss(self, x, rng):
            return Loss(ad.sum(self.mu * self.mu))

    assert good(model=Blind(), train=np.full((3, 2), 1e308)).curve().tolist() == [0.0]


@pytest.fixture
def rng():
    return np.random.default_rng(0)
