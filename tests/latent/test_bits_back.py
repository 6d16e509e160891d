"""Bits-back coding: exact both ways, as long as the bound says, and safe from messages that nobody wrote."""

import dataclasses

import numpy as np
import pytest

from minigen.latent.bits_back import CENTRES, COUNT_BITS, EDGES, Coded, Counts, Stack, decode, encode
from minigen.latent.vae import VAE


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    model = VAE(12, 2, hidden=(8,), activation="tanh", rng=np.random.default_rng(1))
    for parameter in model.encoder.parameters():
        parameter.data[...] *= 0.3
    state = model.state_dict()  # pixels that are mostly known, and a q of half the width of p(z)
    state["decoder.layers.1.b"] = np.random.default_rng(2).normal(0, 3, 12)
    state["encoder.layers.1.b"] = np.array([0.3, -0.3, np.log(0.5), np.log(0.5)])
    model.load_state_dict(state)
    return model


def test_a_stack_gives_back_what_was_pushed(rng):
    stack = Stack(0)
    pushed = [(int(start), int(count)) for start, count in zip(rng.integers(0, 200, 500), rng.integers(1, 56, 500))]
    for start, count in pushed:
        stack.push(start, count, 8)
    for start, count in reversed(pushed):
        assert start <= stack.peek(8) < start + count
        stack.pop(start, count, 8)
    assert stack.message == 0


def test_a_pop_that_chooses_is_undone_by_a_push_from_every_message():
    q = Counts(np.array([0.0, 0.1, 0.55, 1.0]))
    for message in [*range(2000), 2**COUNT_BITS - 1, 2**COUNT_BITS, 2**60 + 12345]:
        stack = Stack(message)
        q.push(stack, q.pop(stack))
        assert stack.message == message


def test_counts_are_the_probabilities_and_leave_none_out(rng):
    p = rng.dirichlet(np.ones(5))
    q = Counts(np.concatenate([[0], np.cumsum(p)]))
    np.testing.assert_allclose(np.diff(q.edges) / 2**COUNT_BITS, p, atol=5e-7)
    sure = Counts(np.array([0.0, 0.0, 1.0, 1.0 - 1e-16, 1.0]))  # with a dip of rounding
    assert (np.diff(sure.edges) >= 1).all() and sure.edges[-1] == 2**COUNT_BITS
    with pytest.raises(ValueError, match="nan"):
        Counts(np.array([0.0, np.nan, 1.0]))


def test_chosen_symbols_follow_their_distribution(rng):
    p = np.array([0.1, 0.6, 0.3])
    q, stack = Counts(np.concatenate([[0], np.cumsum(p)])), Stack.of_random_bits(60_000, rng)
    drawn = np.bincount([q.pop(stack) for _ in range(10_000)], minlength=3) / 10_000
    np.testing.assert_allclose(drawn, p, atol=0.02)


def test_buckets_have_equal_prior_mass():
    from math import erf
    mass = np.diff([0.5 * (1 + erf(edge / 2**0.5)) for edge in EDGES])
    np.testing.assert_allclose(mass, 1 / len(CENTRES), rtol=1e-9)
    assert ((EDGES[:-1] < CENTRES) & (CENTRES < EDGES[1:])).all()


@pytest.mark.parametrize("initial_bits", [0, 5, 64, 4096])
def test_images_and_borrowed_bits_come_back(model, rng, initial_bits):
    images = model.sample(25, rng).astype(int)
    coded = encode(model, images, np.random.default_rng(3), initial_bits)
    received, leftover = decode(model, coded)
    np.testing.assert_array_equal(received, images)
    assert leftover.message == Stack.of_random_bits(initial_bits, np.random.default_rng(3)).message
    assert leftover.bits == coded.initial_bits == initial_bits + 1


def test_the_length_is_the_bound(model, rng):
    images = model.sample(800, rng)
    coded = encode(model, images, rng)
    ideal = -model.bound(images, rng, 500).value / np.log(2)
    one_draw = np.stack([-model.log_likelihood(images, rng, 1).value for _ in range(30)]) / np.log(2)
    scatter = np.sqrt(one_draw.var(0).sum())
    assert abs(coded.added_bits - ideal.sum()) < 5 * scatter + 0.05 * len(images)
    assert scatter < 0.05 * len(images)  # so that 0.3 bits an image would be seen


def test_no_images_are_no_bits(model, rng):
    coded = encode(model, np.zeros((0, 12)), rng)
    assert coded.added_bits == 0 and decode(model, coded)[0].shape == (0, 12)


def test_another_model_or_a_damaged_message_is_refused(model, rng):
    coded = encode(model, model.sample(20, rng), rng)
    other = VAE(12, 2, hidden=(8,), rng=np.random.default_rng(9))
    with pytest.raises(ValueError, match="do not fit their checksum"):
        decode(other, coded)
    for damaged in (dict(message=coded.message ^ (1 << 7)), dict(n_images=19), dict(checksum=coded.checksum ^ 1),
                    dict(message=coded.message >> 40)):
        with pytest.raises(ValueError, match="do not fit their checksum"):
            decode(model, dataclasses.replace(coded, **damaged))


@pytest.mark.parametrize("fields", [dict(message=0, n_images=10**9), dict(message=1 << 90, n_images=92),
                                    dict(message=-5), dict(message="file"), dict(n_images=-1), dict(n_images=1.5)])
def test_messages_that_nobody_wrote_are_refused_at_once(fields):
    with pytest.raises(ValueError, match="Coded: (message|n_images) is"):
        Coded(**{"message": 1 << 64, "n_images": 3, "initial_bits": 8, "checksum": 0} | fields)


def test_bad_images_and_models_are_one_clear_error(model, rng):
    for images in (np.full((2, 12), 0.5), np.full((2, 12), np.nan), np.zeros((2, 11)), np.zeros(12)):
        with pytest.raises(ValueError, match=r"images must be \(n, 12\) of zeros and ones"):
            encode(model, images, rng)
    with pytest.raises(ValueError, match="initial_bits is -1"):
        encode(model, np.zeros((1, 12)), rng, -1)
    with pytest.raises(TypeError, match="rng is 3"):
        encode(model, np.zeros((1, 12)), 3)
    grey = VAE(12, 2, hidden=(8,), likelihood="gaussian", rng=rng)
    for act in (lambda: encode(grey, np.zeros((1, 12)), rng), lambda: decode("model", encode(model, [[0] * 12], rng))):
        with pytest.raises(ValueError, match="expected a VAE with a bernoulli likelihood"):
            act()
    broken = VAE(12, 2, hidden=(8,), rng=rng)
    broken.parameters()[0].data[...] = np.nan
    with pytest.raises(ValueError, match="nan"):
        encode(broken, np.ones((1, 12)), rng)
