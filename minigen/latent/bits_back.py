"""The communication view of a VAE (S1:352), executed: images are sent as bits whose number is -ELBO / log 2.

A latent z costs log 1/p(z) bits to send, but the choice of z ~ q(z|x) is free: the sender lets bits that have to be
sent anyway choose it, and the receiver reads them back. What is left per image is
E_q[log q(z|x) - log p(x|z) - log p(z)] = -ELBO.

The coder is asymmetric numeral systems (Duda 2009) on one whole number: a stack, so what was pushed last pops first.
Townsend et al. 2019, "Practical lossless compression with latent variables using bits back coding".
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from minigen import autodiff as ad
from minigen.nn.checking import generator, whole

LATENT_BITS = 10  # z is one of 2^10 buckets of equal prior mass
COUNT_BITS = 24  # probabilities are counts out of 2^24


class Stack:
    """A message as one whole number m. Pushing a symbol of probability n / 2^k multiplies m by about 2^k / n.

    (m, symbol) <-> m' is one to one on the whole numbers from 0, so nothing is ever lost, also near 0.
    """

    def __init__(self, message: int):
        self.message = whole(message, "message", "Stack", least=0)

    @classmethod
    def of_random_bits(cls, bits: int, rng: np.random.Generator) -> Stack:
        """A message of that many random bits: the other data from which the first image borrows."""
        noise = int.from_bytes(rng.bytes(-(-bits // 8)), "big") & ((1 << bits) - 1)
        return cls(1 << bits | noise)

    def push(self, start: int, count: int, bits: int) -> None:
        """Add the symbol that owns the numbers start .. start + count - 1 below 2^bits."""
        whole, rest = divmod(self.message, count)
        self.message = (whole << bits) + start + rest

    def peek(self, bits: int) -> int:
        """A number below 2^bits: the symbol on top is the one that owns it."""
        return self.message & ((1 << bits) - 1)

    def pop(self, start: int, count: int, bits: int) -> None:
        """Take off the symbol on top; what `push` with the same arguments undoes."""
        self.message = count * (self.message >> bits) + self.peek(bits) - start

    @property
    def bits(self) -> int:
        """Length of the message in bits."""
        return self.message.bit_length()


class Counts:
    """A distribution over 0 .. n - 1 as whole counts out of 2^COUNT_BITS, every symbol owning at least one.

    cumulative: (n + 1,) probabilities from 0 to 1, rising; a dip of rounding is levelled. Raises ValueError for NaN.
    """

    def __init__(self, cumulative: np.ndarray):
        if np.isnan(cumulative).any():
            raise ValueError("Counts: cumulative holds nan; are the parameters of the model finite?")
        n = len(cumulative) - 1
        cumulative = np.maximum.accumulate(cumulative)
        spare = (1 << COUNT_BITS) - n
        self.edges = np.floor(np.asarray(cumulative, np.float64) * spare).astype(np.int64) + np.arange(n + 1)
        self.edges[0], self.edges[-1] = 0, 1 << COUNT_BITS

    def push(self, stack: Stack, symbol: int) -> None:
        """Add a symbol to the message."""
        start, end = int(self.edges[symbol]), int(self.edges[symbol + 1])
        stack.push(start, end - start, COUNT_BITS)

    def pop(self, stack: Stack) -> int:
        """Take a symbol off the message."""
        symbol = int(np.searchsorted(self.edges, stack.peek(COUNT_BITS), side="right")) - 1
        start, end = int(self.edges[symbol]), int(self.edges[symbol + 1])
        stack.pop(start, end - start, COUNT_BITS)
        return symbol


_STANDARD = NormalDist()
EDGES = np.array([-np.inf, *map(_STANDARD.inv_cdf, np.arange(1, 1 << LATENT_BITS) / (1 << LATENT_BITS)), np.inf])
CENTRES = np.array([*map(_STANDARD.inv_cdf, (np.arange(1 << LATENT_BITS) + 0.5) / (1 << LATENT_BITS))])


@dataclass(frozen=True)
class Coded:
    """Images as a message. initial_bits: length of the other data; checksum: CRC-32 of the images.

    Raises ValueError for what no `encode` writes: fewer bits than images (decoding would not end), negative numbers.
    """

    message: int
    n_images: int
    initial_bits: int
    checksum: int

    def __post_init__(self) -> None:
        for name in ("message", "n_images", "initial_bits", "checksum"):
            whole(getattr(self, name), name, "Coded", least=0)
        if self.n_images > self.message.bit_length():
            raise ValueError(f"Coded: n_images is {self.n_images} in a message of {self.message.bit_length()} bits; "
                             "expected at least one bit an image")

    @property
    def added_bits(self) -> int:
        """Bits by which the images lengthened the message."""
        return self.message.bit_length() - self.initial_bits


def encode(model: Any, images: np.ndarray, rng: np.random.Generator, initial_bits: int = 4096) -> Coded:
    """Send binary images with a VAE that has a Bernoulli decoder. images: (n, D) of zeros and ones.

    rng draws the initial_bits of other data. Where they are too few to choose every z (about 24 bits each), the code
    is still exact but the z are no longer draws from q. Time grows with the square of the length: thousands of images.
    """
    _require_bernoulli(model, "encode")
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != model.n_visible or not np.isin(images, (0, 1)).all():
        raise ValueError(f"encode: images must be (n, {model.n_visible}) of zeros and ones, got shape {images.shape}"
                         + (f" with values in [{images.min()}, {images.max()}]" if images.size else ""))
    stack = Stack.of_random_bits(whole(initial_bits, "initial_bits", "encode", least=0), generator(rng, "encode"))
    start = stack.bits
    for x in images.astype(model.dtype):
        buckets = [q.pop(stack) for q in _posterior(model, x)]
        for pixel, p in zip(x, _pixels(model, buckets)):
            p.push(stack, int(pixel))
        for bucket in buckets:
            stack.push(bucket, 1, LATENT_BITS)
    return Coded(stack.message, len(images), start, _checksum(images))


def decode(model: Any, coded: Coded) -> tuple[np.ndarray, Stack]:
    """Receive: the images, (n, D), and the message that the first image had borrowed from, whole again.

    Raises ValueError where the images do not fit their checksum: another model, or a damaged message.
    """
    _require_bernoulli(model, "decode")
    stack, images = Stack(coded.message), np.empty((coded.n_images, model.n_visible), model.dtype)
    for n in reversed(range(coded.n_images)):
        buckets = [_pop_bucket(stack) for _ in range(model.n_latent)][::-1]
        images[n] = [p.pop(stack) for p in reversed(_pixels(model, buckets))][::-1]
        for q, bucket in reversed(list(zip(_posterior(model, images[n]), buckets))):
            q.push(stack, bucket)
    if _checksum(images) != coded.checksum:
        raise ValueError(f"decode: the {coded.n_images} images do not fit their checksum; expected the model that "
                         "encoded them and an undamaged message")
    return images, stack


def _require_bernoulli(model: Any, who: str) -> None:
    if getattr(model, "config", {}).get("likelihood") != "bernoulli":
        raise ValueError(f"{who}: model is {type(model).__name__}; expected a VAE with a bernoulli likelihood")


def _checksum(images: np.ndarray) -> int:
    return zlib.crc32(images.astype(np.uint8).tobytes())


def _pop_bucket(stack: Stack) -> int:
    bucket = stack.peek(LATENT_BITS)
    stack.pop(bucket, 1, LATENT_BITS)
    return bucket


def _posterior(model: Any, x: np.ndarray) -> list[Counts]:
    """q(z_j | x) of every bucket. One image at a time: sender and receiver must get the same floats bit by bit."""
    with ad.no_grad():
        mu, log_sigma = (ad.value(part)[0].astype(np.float64) for part in model.encode(x[None]))
    cumulative = 0.5 * (1 + ad.erf((EDGES - mu[:, None]) / (np.exp(log_sigma)[:, None] * np.sqrt(2))))
    return [Counts(row) for row in cumulative]


def _pixels(model: Any, buckets: Sequence[int]) -> list[Counts]:
    """p(x_i | z) of every pixel, z the centres of the buckets."""
    p = model.decode(CENTRES[list(buckets)][None].astype(model.dtype))[0].astype(np.float64)
    return [Counts(np.array([0, 1 - one, 1])) for one in p]
