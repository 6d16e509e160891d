"""The estimator: that it learns, says what it measured, has scikit-learn's manners, and refuses what makes no sense."""

import pickle
import warnings

import numpy as np
import pytest

from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
from minigen.energy.estimator import METHODS, BinaryRBM
from minigen.energy.monitors import HiddenUnitWarning
from minigen.energy.parallel_tempering import ParallelTempering
from minigen.training import TrainingError

RNG = np.random.default_rng(0)
TWO = np.repeat([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], 120, axis=0)
COINS = (RNG.random((200, 6)) < 0.5).astype(int)


pytestmark = pytest.mark.filterwarnings("ignore::minigen.energy.monitors.HiddenUnitWarning")


def small(**settings):
    return BinaryRBM(**{"n_components": 8, "n_iter": 3, "n_chains": 20, **settings})


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method):
    """Two pictures: the best log-likelihood is -log 2, that of independent units -6 log 2."""
    rbm = small(method=method, n_iter=30, n_chains=100, schedule="cosine").fit(TWO)
    assert -1.5 * np.log(2) < rbm.score(TWO) <= -np.log(2) + 1e-6
    assert rbm.components_.shape == (8, 6) and rbm.intercept_visible_.shape == (6,)
    assert rbm.intercept_hidden_.shape == (8,) and rbm.n_features_in_ == 6
    assert len(rbm.history_.records) == 30


@pytest.mark.parametrize(("settings", "kind", "expected"), [
    (dict(method="cd", k=3), ContrastiveDivergence, dict(k=3)),
    (dict(method="pcd"), PersistentCD, dict(k=1, fast_rate=0.0)),
    (dict(method="fpcd"), PersistentCD, dict(fast_rate=0.1)),
    (dict(method="fpcd", fast_rate=0.02, k=2), PersistentCD, dict(fast_rate=0.02, k=2)),
    (dict(method="pt", n_temperatures=5), ParallelTempering, dict(k=1)),
])
def test_methods_are_what_they_are_called(settings, kind, expected):
    rbm = small(n_iter=0, **settings).fit(COINS)
    trainer = rbm._trainer(np.random.default_rng(0))
    assert type(trainer) is kind and {name: getattr(trainer, name) for name in expected} == expected
    if settings["method"] != "cd":
        chains = (5, 20, 8) if settings["method"] == "pt" else (20, 8)
        assert trainer.chains.shape == chains


def test_scores_are_the_normalised_likelihood():
    rbm = small().fit(COINS)
    everything = np.array([[int(b) for b in f"{i:06b}"] for i in range(64)])
    assert np.exp(rbm.score_samples(everything)).sum() == pytest.approx(1, abs=1e-6)
    likelihood = rbm.log_likelihood(COINS)
    assert likelihood.kind == "exact" and rbm.score(COINS) == pytest.approx(likelihood.mean())


def test_large_ones_are_estimated_and_say_so():
    rng = np.random.default_rng(1)
    X = (rng.random((60, 30)) < 0.3).astype(np.uint8)
    rbm = small(n_components=30, n_iter=1, ais_betas=300, ais_chains=50).fit(X)
    likelihood = rbm.log_likelihood(X)
    assert likelihood.kind == "estimate" and "AIS, 50 chains" in likelihood.method and likelihood.shared_error > 0
    np.testing.assert_array_equal(rbm.score_samples(X), likelihood.value)
    narrow = small(n_components=20, n_iter=1).fit(X)
    assert narrow.log_likelihood(X).kind == "exact"


def test_transform_and_sample():
    rbm = small().fit(COINS)
    p = rbm.transform(COINS)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-(rbm.intercept_hidden_ + COINS @ rbm.components_.T))), rtol=1e-5)
    np.testing.assert_array_equal(small().fit_transform(COINS), p)
    drawn = rbm.sample(7, sweeps=5)
    assert drawn.shape == (7, 6) and set(np.unique(drawn)) <= {0, 1}
    assert (rbm.sample(7, sweeps=5, random_state=1) != drawn).any()


def test_same_seed_same_bits():
    ends = [small(method="pcd", random_state=seed).fit(COINS).components_ for seed in (3, 3, 4)]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert (ends[0] != ends[2]).any()


def test_what_is_watched_and_shown(capsys):
    seen = []
    rbm = small(validation_fraction=0.25, verbose=True).fit(TWO, callback=seen.append)
    assert seen == rbm.history_.records and len(seen) == 3
    assert seen[0]["step"] == 18  # 180 of 240 rows in batches of 10: what is watched is not trained on
    assert set(seen[0]["valid"]) == {"loss", "log_likelihood", "pseudo_log_likelihood", "reconstruction_error",
                                     "free_energy_gap"}
    assert seen[-1]["valid"]["loss"] == -seen[-1]["valid"]["log_likelihood"]
    assert "valid" in capsys.readouterr().out
    small(n_iter=1).fit(TWO)
    assert capsys.readouterr().out == ""


def test_the_watched_likelihood_is_the_exact_one():
    """Held-out rows of two batches: log Z is computed after the epoch's last step, not before it."""
    valid = COINS[:15]
    rbm = small(n_iter=2).fit(COINS, valid=valid)
    assert rbm.history_.records[-1]["valid"]["log_likelihood"] == pytest.approx(rbm.score(valid), abs=1e-4)


def test_patience_keeps_the_best_parameters():
    """Twelve rows and a large rate: it over-fits and stops; what is kept is the best epoch's."""
    rng = np.random.default_rng(2)
    train, valid = ((rng.random((n, 6)) < 0.5).astype(int) for n in (12, 300))
    rbm = small(n_components=12, n_iter=200, learning_rate=0.5, batch_size=4, patience=4).fit(train, valid=valid)
    curve = rbm.history_.curve("valid")
    assert rbm.history_.stopped == "patience" and len(curve) < 200
    assert -rbm.score(valid) == pytest.approx(curve.min(), abs=1e-4)
    assert curve.min() < curve[-1] - 1e-3


def test_weight_decay_shrinks_and_averaging_smooths():
    free, decayed = (small(weight_decay=w, n_iter=20).fit(TWO) for w in (0.0, 0.1))
    assert np.linalg.norm(decayed.components_) < 0.7 * np.linalg.norm(free.components_)
    last, averaged = (small(averaging=a, n_iter=20).fit(TWO) for a in (0.0, 0.99))
    assert (last.components_ != averaged.components_).any()
    assert averaged.score(TWO) > -2


@pytest.mark.parametrize("schedule", ["cosine", lambda t: 0.0])
def test_schedules(schedule):
    rbm = small(schedule=schedule).fit(TWO)
    moved = np.abs(rbm.components_ - small(n_iter=0).fit(TWO).components_).max()
    assert (moved > 1e-3) == (schedule == "cosine")


def test_dead_units_are_told_of():
    with pytest.warns(HiddenUnitWarning, match="8 of 8 hidden units are dead") as caught:
        small(n_iter=0).fit(TWO[:, :1])
    assert caught[0].filename == __file__


def test_a_fitted_one_survives_pickling():
    rbm = small().fit(COINS)
    rbm.score(COINS)
    again = pickle.loads(pickle.dumps(rbm))
    np.testing.assert_array_equal(again.score_samples(COINS), rbm.score_samples(COINS))


def test_fitting_again_forgets():
    rbm = small(n_iter=20).fit(TWO)
    rbm.score(TWO)
    again = rbm.fit(COINS)
    assert again is rbm
    np.testing.assert_array_equal(rbm.score_samples(COINS), small(n_iter=20).fit(COINS).score_samples(COINS))


def test_parameters():
    rbm = small(method="cd", k=3)
    assert rbm.get_params()["k"] == 3 and BinaryRBM(**rbm.get_params()).get_params() == rbm.get_params()
    assert rbm.set_params(k=2, n_iter=5) is rbm and rbm.k == 2
    assert repr(rbm) == "BinaryRBM(n_components=8, method='cd', k=2, n_iter=5, n_chains=20)"
    with pytest.raises(ValueError, match="no parameter 'steps'; there are n_components, method"):
        rbm.set_params(steps=1)


@pytest.mark.parametrize("lr", [1e9, 1e38])
def test_an_absurd_learning_rate_keeps_the_last_good_parameters(lr):
    rbm = small(learning_rate=lr, n_iter=200, method="cd")
    with pytest.raises(TrainingError, match="its parameters of step"):
        rbm.fit(TWO)
    assert np.isfinite(rbm.components_).all() and np.isfinite(rbm.score(TWO))


@pytest.mark.parametrize(("X", "words"), [
    (COINS / 2, "0.5; expected zeros and ones .minigen.data.binarise"),
    (np.where(COINS, np.nan, 0.0), "nan; expected zeros and ones"),
    (np.zeros((0, 6)), r"\(0, 6\); expected \(n, d\) with at least one row"),
    (np.zeros(6), r"\(6,\); expected \(n, d\)"),
    (np.zeros((3, 0)), r"\(3, 0\); expected \(n, d\)"),
    ([["a", "b"]], "a; expected zeros and ones"),
    (2 * COINS, "2; expected zeros and ones"),
])
def test_rows_that_no_rbm_makes(X, words):
    with pytest.raises(ValueError, match=words):
        small().fit(X)


@pytest.mark.parametrize("method", ["transform", "score_samples", "score", "log_likelihood"])
def test_rows_of_another_width(method):
    with pytest.raises(ValueError, match=r"\(200, 5\); expected \(n, 6\)"):
        getattr(small(n_iter=1).fit(TWO), method)(COINS[:, :5])


@pytest.mark.parametrize("use", [lambda r: r.transform(COINS), lambda r: r.sample(), lambda r: r.score(COINS),
                                 lambda r: r.components_])
def test_not_fitted(use):
    with pytest.raises(AttributeError, match=r"not fitted yet; call fit\(X\) first"):
        use(small())


@pytest.mark.parametrize(("settings", "words"), [
    (dict(n_components=0), "must be positive"),
    (dict(method="sml"), "method is 'sml'; expected one of cd, pcd, fpcd, pt"),
    (dict(k=0), "k is 0"),
    (dict(learning_rate=0), "lr is 0"),
    (dict(schedule="linear"), "schedule is 'linear'"),
    (dict(batch_size=0), "batch_size is 0"),
    (dict(n_iter=-1), "epochs is -1"),
    (dict(momentum=1), "momentum is 1"),
    (dict(weight_decay=-1), "weight_decay is -1"),
    (dict(averaging=1.0), "decay is 1.0"),
    (dict(n_chains=0), "chains is 0"),
    (dict(method="fpcd", fast_rate=-1), "fast_rate is -1"),
    (dict(validation_fraction=1.0), "validation_fraction is 1.0"),
    (dict(patience=3), "patience needs rows to watch"),
    (dict(patience=0, validation_fraction=0.5), "patience is 0"),
])
def test_bad_settings_are_one_clear_error(settings, words):
    with pytest.raises(ValueError, match=words):
        small(**settings).fit(COINS)


# ------------------------------------------------------------------------------------------------- scikit-learn

def sklearn():
    return pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def test_clone_pipeline_and_grid_search():
    sklearn()
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.validation import check_is_fitted

    rbm = small(schedule=lambda t: 1.0, k=2)
    twin = clone(rbm)
    assert twin is not rbm and twin.get_params() == rbm.get_params()
    pipe = make_pipeline(small(n_iter=10), LogisticRegression(C=100)).fit(TWO, TWO[:, 0])
    assert pipe.score(TWO, TWO[:, 0]) > 0.9
    check_is_fitted(pipe)
    search = GridSearchCV(small(n_iter=10), {"learning_rate": [1e-5, 0.1]}, cv=3).fit(TWO[RNG.permutation(240)])
    assert search.best_params_ == {"learning_rate": 0.1}
    assert search.best_score_ == pytest.approx(search.cv_results_["mean_test_score"].max())


def test_not_fitted_for_scikit_learn():
    sklearn()
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    with pytest.raises(NotFittedError):
        check_is_fitted(small())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HiddenUnitWarning)
        check_is_fitted(small(n_iter=1).fit(COINS))
