"""The RBM with the manners of scikit-learn, and likelihoods that are what they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minigen import nn, optim
from minigen.data import train_valid_split
from minigen.distributions.likelihood import Likelihood
from minigen.training import History, Loss, fit

from .ais import base_logits
from .contrastive_divergence import Contrast, ContrastiveDivergence, PersistentCD
from .monitors import LogZ, log_partition, warn_hidden_units, watch
from .parallel_tempering import ParallelTempering
from .rbm import RBM

METHODS = ("cd", "pcd", "fpcd", "pt")
WATCHED_EXACTLY = 16
"""Units of the smaller side up to which log Z is enumerated after every epoch; above it AIS is quicker."""


class BinaryRBM:
    """p(v) = sum_h exp(v'Wh + b'v + c'h) / Z, fitted to rows of zeros and ones; scikit-learn's interface, without it.

    n_components: hidden units. method: "cd" (contrastive divergence), "pcd" (persistent chains), "fpcd" (with fast
    weights, of rate fast_rate or else learning_rate) or "pt" (parallel tempering, n_temperatures); k sweeps an update,
    n_chains chains where they persist. n_iter: passes over the data. schedule: "constant", "cosine" (down to 0) or a
    function of the update that gives the factor of learning_rate. averaging: decay of a running average of the
    parameters, 0 for none. weight_decay: of W, as half its square in the objective.

    validation_fraction: share of the rows that is kept out and watched after every epoch (`monitors.watch`); patience:
    epochs without a better log-likelihood there after which to stop, with the best parameters. ais_chains, ais_betas:
    AIS, used above 25 units on both sides (while training: above 16). random_state: as numpy.random.default_rng takes.

    Fitted: rbm_, history_, n_features_in_, components_ (n_components, d), intercept_visible_, intercept_hidden_.
    Unlike scikit-learn's BernoulliRBM, `score_samples` is log p(v) in nats, not a random pseudo-likelihood, and rows
    that are not binary are refused.
    """

    def __init__(self, n_components: int = 256, *, method: str = "pcd", k: int = 1, learning_rate: float = 0.1,
                 schedule: str | Callable[[int], float] = "constant", batch_size: int = 10, n_iter: int = 10,
                 momentum: float = 0.0, weight_decay: float = 0.0, averaging: float = 0.0, n_chains: int = 100,
                 fast_rate: float | None = None, n_temperatures: int = 11, validation_fraction: float = 0.0,
                 patience: int | None = None, ais_chains: int = 100, ais_betas: int = 1000, verbose: bool = False,
                 random_state: Any = 0):
        self.n_components, self.method, self.k = n_components, method, k
        self.learning_rate, self.schedule, self.batch_size, self.n_iter = learning_rate, schedule, batch_size, n_iter
        self.momentum, self.weight_decay, self.averaging = momentum, weight_decay, averaging
        self.n_chains, self.fast_rate, self.n_temperatures = n_chains, fast_rate, n_temperatures
        self.validation_fraction, self.patience = validation_fraction, patience
        self.ais_chains, self.ais_betas = ais_chains, ais_betas
        self.verbose, self.random_state = verbose, random_state

    # --------------------------------------------------------------------------------------------- parameters

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """{argument of the constructor: its value}; deep has no effect, as no argument is an estimator."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> BinaryRBM:
        """Changes arguments of the constructor; ValueError for a name that it does not have."""
        for name, value in params.items():
            if name not in self._names():
                raise ValueError(f"BinaryRBM: no parameter {name!r}; there are {', '.join(self._names())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        told = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not defaults[k].default]
        return f"BinaryRBM({', '.join(told)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags  # here, as only scikit-learn asks

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), transformer_tags=TransformerTags())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")

    # ------------------------------------------------------------------------------------------------ fitting

    def fit(self, X: Any, y: Any = None, *, valid: Any = None,
            callback: Callable[[dict], Any] | None = None) -> BinaryRBM:
        """Raises mean log p(v) by the method's estimate of its gradient. X: (n, d) of zeros and ones; y is ignored.

        valid: rows to watch, in place of a share of X. callback gets every record of the history: {"epoch", "train":
        {"loss"}, "valid": {"loss": -log p, and what `monitors.watch` gives}}; a bar shows the losses where verbose.
        Raises ValueError for data or parameters that make no sense; TrainingError where numbers are no longer finite,
        with rbm_ at its last good parameters. Warns (HiddenUnitWarning) of dead and saturated units.
        """
        train, rng = self._rows(X), np.random.default_rng(self.random_state)
        watched = None if valid is None else self._rows(valid, train.shape[1])
        self._check(len(train), watched)
        if watched is None and self.validation_fraction:
            train, watched = train_valid_split(train, fraction=self.validation_fraction, rng=rng)
        self._forget()
        self.n_features_in_ = train.shape[1]
        self.rbm_ = RBM(train.shape[1], self.n_components, rng=rng)
        self.rbm_.fit_to(train, rng)
        self._base, self._seed = base_logits(train), int(rng.integers(2**63))
        trainee = _Trainee(self, self._trainer(rng), train)
        optimizer = optim.SGD(trainee.parameters(), self.learning_rate, momentum=self.momentum)
        ema = optim.EMA(trainee, self.averaging) if self.averaging else None
        self.history_: History = fit(
            trainee, train, optimizer=optimizer, epochs=self.n_iter, batch_size=self.batch_size, rng=rng, valid=watched,
            patience=self.patience, schedule=self._factor(len(train)), ema=ema, progress=bool(self.verbose),
            callback=callback)
        if len(train) > 1:
            warn_hidden_units(self.rbm_, train[:10_000], stacklevel=3)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """`fit`, then `transform` of the same rows."""
        return self.fit(X, y).transform(X)

    # ---------------------------------------------------------------------------------------------- fitted use

    def transform(self, X: Any) -> np.ndarray:
        """p(h_j = 1 | v): (n, n_components)."""
        return self._fitted().hidden_probabilities(self._rows(X, self.n_features_in_))

    def log_likelihood(self, X: Any) -> Likelihood:
        """log p(v) in nats, saying whether it is exact or an estimate by AIS, with its error. X: (n, d).

        log Z is computed once, when first asked for: exact up to 25 units on one side.
        """
        rbm, rows = self._fitted(), self._rows(X, self.n_features_in_)
        if self._log_z is None:
            self._log_z = log_partition(rbm, np.random.default_rng(self._seed), base=self._base,
                                        chains=self.ais_chains, betas=self.ais_betas)
        return self._log_z.log_likelihood(rbm, rows)

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(v) in nats (n,): the values of `log_likelihood`, which also says how they were had."""
        return self.log_likelihood(X).value.copy()

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log p(v) in nats."""
        return self.log_likelihood(X).mean()

    def sample(self, n_samples: int = 1, *, sweeps: int = 1000, random_state: Any = 0) -> np.ndarray:
        """Rows after `sweeps` Gibbs sweeps from coin flips, one chain each: (n_samples, d)."""
        return self._fitted().sample(n_samples, np.random.default_rng(random_state), sweeps)

    @property
    def components_(self) -> np.ndarray:
        """W', (n_components, d)"""
        return self._fitted().W.data.T

    @property
    def intercept_visible_(self) -> np.ndarray:
        """b, (d,)"""
        return self._fitted().b.data

    @property
    def intercept_hidden_(self) -> np.ndarray:
        """c, (n_components,)"""
        return self._fitted().c.data

    # ------------------------------------------------------------------------------------------------ in detail

    def _trainer(self, rng: np.random.Generator) -> Contrast:
        rbm, k = self.rbm_, self.k
        if self.method == "cd":
            return ContrastiveDivergence(rbm, k)
        if self.method == "pt":
            betas = np.linspace(1, 0, self.n_temperatures)
            return ParallelTempering(rbm, k, chains=self.n_chains, betas=betas, rng=rng)
        rate = self.learning_rate if self.fast_rate is None else self.fast_rate
        return PersistentCD(rbm, k, chains=self.n_chains, fast_rate=rate if self.method == "fpcd" else 0.0, rng=rng)

    def _factor(self, rows: int) -> Callable[[int], float] | None:
        if self.schedule == "cosine":
            return optim.cosine(max(1, self.n_iter * -(-rows // self.batch_size)))
        return None if self.schedule == "constant" else self.schedule

    def _check(self, rows: int, watched: np.ndarray | None) -> None:
        if self.method not in METHODS:
            raise ValueError(f"BinaryRBM: method is {self.method!r}; expected one of {', '.join(METHODS)}")
        if not callable(self.schedule) and self.schedule not in ("constant", "cosine"):
            raise ValueError(f"BinaryRBM: schedule is {self.schedule!r}; expected 'constant', 'cosine' or a function")
        if not 0 <= self.weight_decay < np.inf:
            raise ValueError(f"BinaryRBM: weight_decay is {self.weight_decay!r}; expected a number of at least 0")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"BinaryRBM: validation_fraction is {self.validation_fraction!r}; expected one in [0, 1)")
        if self.patience is not None and watched is None and not self.validation_fraction:
            raise ValueError("BinaryRBM: patience needs rows to watch; give validation_fraction, or valid= to fit")
        if self.batch_size < 1:
            raise ValueError(f"BinaryRBM: batch_size is {self.batch_size!r}; expected a whole number of at least 1")

    def _rows(self, X: Any, width: int | None = None) -> np.ndarray:
        X = np.asarray(X)
        if X.ndim != 2 or not X.size or width not in (None, X.shape[1]):
            raise ValueError(f"BinaryRBM: X has shape {X.shape}; expected (n, {width or 'd'}) with at least one row")
        strange = ~((X == 0) | (X == 1))
        if strange.any():
            raise ValueError(f"BinaryRBM: X holds {X[strange][0]!s}; expected zeros and ones (minigen.data.binarise "
                             "makes them of grey levels)")
        return X.astype(np.float32)

    def _forget(self) -> None:
        self.__dict__.pop("history_", None)
        self._log_z: LogZ | None = None

    def _fitted(self) -> RBM:
        if not hasattr(self, "rbm_"):
            raise AttributeError("BinaryRBM: not fitted yet; call fit(X) first")
        return self.rbm_


class _Trainee(nn.Module):
    """Steps of a trainer, validated by -log p(v): what training stops by, and which parameters it keeps."""

    def __init__(self, settings: BinaryRBM, trainer: Contrast, train: np.ndarray):
        self.trainer, self.config = trainer, trainer.config
        self._settings, self._train = settings, train[:1000]

    def loss_and_gradients(self, v: np.ndarray, rng: np.random.Generator, into: dict[str, np.ndarray]) -> dict:
        """Those of the trainer, and the weight decay."""
        into = {name.removeprefix("trainer."): place for name, place in into.items()}
        values = self.trainer.loss_and_gradients(v, rng, into)
        if self._settings.weight_decay:
            into["model.W"] += self._settings.weight_decay * self.trainer.model.W.data
        return values

    def loss(self, v: np.ndarray, rng: np.random.Generator) -> Loss:
        """The trainer's."""
        return self.trainer.loss(v, rng)

    def validate(self, v: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        """{"loss": -mean log p(v)}, and what stands in for it."""
        rbm, settings = self.trainer.model, self._settings
        log_z = log_partition(rbm, rng, exact_up_to=WATCHED_EXACTLY, base=settings._base, chains=settings.ais_chains,
                              betas=settings.ais_betas)
        seen = watch(rbm, self._train, v, rng, log_z)
        return {"loss": -seen["log_likelihood"], **seen}
