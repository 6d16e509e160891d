"""Optimisers step by step against torch, against closed forms, and at their edges."""

import importlib.util
import math

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import nn, optim

SHAPES = [(), (3,), (4, 5), (2, 3, 2), (200, 100)]  # the last is large enough for a block of its own
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch, the referee, is not here")

PAIRS = {
    "sgd": (lambda p: optim.SGD(p, 0.1), lambda t, p: t.optim.SGD(p, 0.1)),
    "momentum": (lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9)),
    "nesterov": (lambda p: optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
                 lambda t, p: t.optim.SGD(p, 0.1, momentum=0.8, nesterov=True)),
    "rmsprop": (lambda p: optim.RMSprop(p, 0.01, decay=0.95), lambda t, p: t.optim.RMSprop(p, 0.01, alpha=0.95)),
    "adam": (lambda p: optim.Adam(p, 0.01), lambda t, p: t.optim.Adam(p, 0.01)),
    "adam, other betas": (lambda p: optim.Adam(p, 0.02, betas=(0.5, 0.9), eps=1e-3),
                          lambda t, p: t.optim.Adam(p, 0.02, betas=(0.5, 0.9), eps=1e-3)),
    "adamw": (lambda p: optim.AdamW(p, 0.01, weight_decay=0.1), lambda t, p: t.optim.AdamW(p, 0.01, weight_decay=0.1)),
    "adamax": (lambda p: optim.Adamax(p, 0.01), lambda t, p: t.optim.Adamax(p, 0.01)),
}


def tensors(rng, dtype=np.float64):
    return [ad.Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True) for shape in SHAPES]


@needs_torch
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", PAIRS)
def test_every_step_is_that_of_torch(name, dtype, tolerance, rng):
    import torch

    ours = tensors(rng, dtype)
    theirs = [torch.tensor(p.numpy(), requires_grad=True) for p in ours]
    make, make_theirs = PAIRS[name]
    optimiser, referee = make(ours), make_theirs(torch, theirs)
    for step in range(20):
        factor = optim.warmup_cosine(5, 20)(step)
        for group in referee.param_groups:
            group["lr"] = optimiser.lr * factor
        for p, q in zip(ours, theirs):
            g = rng.normal(size=p.shape).astype(dtype)
            p.grad, q.grad = g.copy(), torch.tensor(g)
        optimiser.step(factor)
        referee.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=f"{step=}")


def minimise(make, steps, curvature=3.0):
    """theta after each step on f = curvature theta^2 / 2, from theta = 1."""
    theta = ad.Tensor([1.0], requires_grad=True)
    optimiser, path = make([theta]), []
    for _ in range(steps):
        (0.5 * curvature * theta * theta).sum().backward()
        optimiser.step()
        path.append(theta.data.item())
    return np.array(path)


def test_sgd_on_a_quadratic_is_a_geometric_sequence():
    path = minimise(lambda p: optim.SGD(p, 0.1), 30)
    np.testing.assert_allclose(path, (1 - 0.1 * 3.0) ** np.arange(1, 31), rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_on_a_quadratic_follows_its_characteristic_roots(nesterov):
    lr, mu, a = 0.1, 0.5, 3.0
    path = minimise(lambda p: optim.SGD(p, lr, momentum=mu, nesterov=nesterov), 25)
    # (theta, m) -> A (theta, m): m' = mu m + a theta, theta' = theta - lr m' or theta - lr (a theta + mu m')
    A = np.array([[1 - lr * a * (1 + mu if nesterov else 1), -lr * mu * (mu if nesterov else 1)], [a, mu]])
    roots, V = np.linalg.eig(A)
    c = np.linalg.solve(V, [1.0, 0.0])
    t = np.arange(1, 26)[:, None]
    np.testing.assert_allclose(path, ((roots**t) * c * V[0]).sum(-1).real, rtol=1e-11, atol=1e-15)


def test_the_first_step_of_adam_is_the_sign_of_the_gradient_softened_by_eps(rng):
    for make in (optim.Adam, optim.Adamax):
        p, g = rng.normal(size=50), rng.normal(size=50)
        theta = ad.Tensor(p, requires_grad=True)
        theta.grad = g.copy()
        make([theta], 0.01).step()
        np.testing.assert_allclose(theta.data, p - 0.01 * g / (np.abs(g) + 1e-8), rtol=1e-12)


def test_under_a_constant_gradient_adam_moves_lr_each_step_and_adamw_shrinks_besides():
    theta, decayed = (ad.Tensor([5.0], requires_grad=True) for _ in range(2))
    adam, adamw = optim.Adam([theta], 0.01, eps=1e-30), optim.AdamW([decayed], 0.01, eps=1e-30, weight_decay=0.1)
    for _ in range(40):
        theta.grad, decayed.grad = np.array([2.0]), np.array([2.0])
        adam.step()
        adamw.step()
    assert theta.data.item() == pytest.approx(5 - 40 * 0.01, rel=1e-12)
    q = 1 - 0.01 * 0.1
    assert decayed.data.item() == pytest.approx(5 * q**40 - 0.01 * (1 - q**40) / (1 - q), rel=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_a_step_does_not_depend_on_how_parameters_lie_in_memory(name, rng, monkeypatch):
    start, grads = tensors(rng), [[rng.normal(size=s) for s in SHAPES] for _ in range(3)]
    results = []
    for small in (0, 1 << 14, 1 << 30):
        monkeypatch.setattr("minigen.optim.base.SMALL", small)
        copies = [ad.Tensor(np.asfortranarray(p.data) if p.ndim == 2 else p.data, requires_grad=True) for p in start]
        optimiser = PAIRS[name][0](copies)
        for step in grads:
            for p, g in zip(copies, step):
                p.grad = np.asfortranarray(g) if g.ndim == 2 else g.copy()
            optimiser.step()
        results.append([p.numpy() for p in copies])
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_allclose(a, b, rtol=1e-14)


def test_a_parameter_without_gradient_stays_and_its_moments_too(rng):
    ours, fewer = tensors(np.random.default_rng(1)), tensors(np.random.default_rng(1))[:2]
    with_all, with_two = optim.Adam(ours, 0.1), optim.Adam(fewer, 0.1)
    before = [p.numpy() for p in ours]
    for _ in range(3):
        for p, q in zip(ours, fewer):
            p.grad = rng.normal(size=p.shape)
            q.grad = p.grad.copy()
        with_all.step()
        with_two.step()
    for p, q in zip(ours, fewer):
        np.testing.assert_array_equal(p.data, q.data)
    for p, old in zip(ours[2:], before[2:]):
        np.testing.assert_array_equal(p.data, old)
    assert not with_all.state_dict()["m.3"].any() and with_all.state_dict()["m.1"].any()


def test_gradients_are_used_up_so_that_a_stale_one_cannot_be_applied_twice(rng):
    theta = ad.Tensor([1.0, 2.0], requires_grad=True)
    optimiser = optim.SGD([theta], 0.1)
    (theta * theta).sum().backward()
    assert optimiser.step() == pytest.approx(math.sqrt(4 + 16)), "a step returns the norm of the gradient"
    assert theta.grad is None
    with pytest.raises(RuntimeError, match="no parameter has a gradient; call backward"):
        optimiser.step()


def test_a_shared_parameter_is_updated_once():
    theta = ad.Tensor([1.0], requires_grad=True)
    optimiser = optim.SGD([theta, theta], 0.1)
    theta.grad = np.array([1.0])
    assert optimiser.step() == pytest.approx(1.0), "its gradient counts once in the norm"
    assert theta.data.item() == pytest.approx(0.9)


@pytest.mark.parametrize("name", PAIRS)
def test_state_goes_round_and_the_path_goes_on_bit_for_bit(name, rng):
    grads = [[rng.normal(size=s).astype(np.float32) for s in SHAPES] for _ in range(6)]

    def advance(optimiser, parameters, steps):
        for step in steps:
            for p, g in zip(parameters, step):
                p.grad = g.copy()
            optimiser.step()

    make = PAIRS[name][0]
    whole = tensors(np.random.default_rng(1), np.float32)
    advance(make(whole), whole, grads)
    first = tensors(np.random.default_rng(1), np.float32)
    optimiser = make(first)
    advance(optimiser, first, grads[:3])
    second = [ad.Tensor(p.data, requires_grad=True) for p in first]
    resumed = make(second)
    resumed.load_state_dict(optimiser.state_dict())
    advance(resumed, second, grads[3:])
    assert all(p.data.tobytes() == q.data.tobytes() for p, q in zip(whole, second))


def test_a_state_that_does_not_fit_is_refused(rng):
    optimiser = optim.Adam(tensors(rng))
    state = optimiser.state_dict()
    state["m.1"] = np.zeros(7)
    state["strange"] = state.pop("v.0")
    with pytest.raises(ValueError, match=r"Adam: .*v\.0 is missing; strange is unexpected; m\.1 has shape \(7,\), "
                                         r"expected \(3,\)"):
        optimiser.load_state_dict(state)


def test_a_data_that_was_replaced_is_taken_back_in():
    theta, other = ad.Tensor([1.0, 2.0], requires_grad=True), ad.Tensor([0.0], requires_grad=True)
    optimiser = optim.SGD([theta, other], 0.1)
    theta.data = np.array([5.0, 6.0])
    theta.grad, other.grad = np.ones(2), np.ones(1)
    optimiser.step()
    np.testing.assert_allclose(theta.data, [4.9, 5.9])
    theta.data = np.zeros(2, np.float32)
    theta.grad = np.ones(2, np.float32)
    with pytest.raises(RuntimeError, match="make a new optimiser"):
        optimiser.step()


def test_a_step_under_a_living_tape_is_refused():
    theta = ad.Tensor([1.0, 2.0], requires_grad=True)
    optimiser = optim.SGD([theta], 0.1)
    alive = theta * 3
    theta.grad = np.ones(2)
    with pytest.raises(RuntimeError, match="a living tape holds a parameter"):
        optimiser.step()
    assert alive.shape == (2,) and np.array_equal(theta.data, [1, 2])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_refused_before_anything_is_written(bad, rng):
    parameters = tensors(rng)
    optimiser = optim.Adam(parameters)
    before = [p.numpy() for p in parameters]
    for p in parameters:
        p.grad = np.ones(p.shape)
    parameters[2].grad[1, 3] = bad
    with pytest.raises(optim.NonFiniteGradient, match=rf"parameter 2, .* holds {bad} at \(1, 3\)") as error:
        optimiser.step()
    assert error.value.parameter is parameters[2] and not math.isfinite(error.value.value)
    assert all(np.array_equal(p.data, old) for p, old in zip(parameters, before)) and optimiser.steps == 0
    assert not optimiser.state_dict()["m.0"].any()


def test_a_huge_but_finite_float32_gradient_is_a_gradient():
    theta = ad.Tensor(np.zeros(2, np.float32), requires_grad=True)
    theta.grad = np.array([3e30, 4e30], np.float32)
    assert optim.Adam([theta], 0.1).step(max_norm=1.0) == pytest.approx(5e30)
    assert np.isfinite(theta.data).all() and theta.data[0] < 0


# ---------------------------------------------------------------------------------------------------- clipping


def test_clipping_by_norm_keeps_the_direction_and_sets_the_length(rng):
    parameters = tensors(rng)
    grads = [rng.normal(size=s) for s in SHAPES]
    norm = math.sqrt(sum((g * g).sum() for g in grads))
    for limit in (0.5, 2 * norm):
        for p, g in zip(parameters, grads):
            p.grad = np.array(g)
        assert optim.clip_grad_norm(parameters, limit) == pytest.approx(norm, rel=1e-12)
        assert optim.grad_norm(parameters) == pytest.approx(min(limit, norm), rel=1e-12)
        for p, g in zip(parameters, grads):
            np.testing.assert_allclose(p.grad, g * min(1, limit / norm), rtol=1e-12)


def test_a_step_with_max_norm_is_clipping_and_then_a_step(rng):
    grads = [rng.normal(size=s) for s in SHAPES]
    one, two = tensors(np.random.default_rng(1)), tensors(np.random.default_rng(1))
    for p, q, g in zip(one, two, grads):
        p.grad, q.grad = np.array(g), np.array(g)
    norm = optim.SGD(one, 0.1).step(max_norm=0.3)
    assert optim.clip_grad_norm(two, 0.3) == pytest.approx(norm)
    optim.SGD(two, 0.1).step()
    assert all(np.allclose(p.data, q.data, rtol=1e-14) for p, q in zip(one, two))


def test_clipping_by_value_limits_each_number():
    theta = ad.Tensor(np.zeros(4), requires_grad=True)
    theta.grad = np.array([-3.0, -0.5, 0.2, 7.0])
    optim.clip_grad_value([theta], 1.0)
    np.testing.assert_array_equal(theta.grad, [-1, -0.5, 0.2, 1])


def test_clipping_refuses_a_norm_that_is_not_finite():
    theta = ad.Tensor(np.zeros(2), requires_grad=True)
    theta.grad = np.array([1.0, np.nan])
    with pytest.raises(FloatingPointError, match="the norm of the gradient is nan"):
        optim.clip_grad_norm([theta], 1.0)


# --------------------------------------------------------------------------------------------------- schedules


def test_schedules_are_their_formulas():
    t = range(60)
    assert {optim.constant()(s) for s in t} == {1.0}
    np.testing.assert_allclose([optim.warmup(4)(s) for s in range(6)], [0.25, 0.5, 0.75, 1, 1, 1])
    fall = [0.1 + 0.9 * (1 + math.cos(math.pi * s / 50)) / 2 for s in range(50)] + [0.1] * 10
    np.testing.assert_allclose([optim.cosine(50, floor=0.1)(s) for s in t], fall, rtol=1e-12)
    both = [*np.arange(1, 11) / 10, *((1 + np.cos(np.pi * np.arange(40) / 40)) / 2), *[0] * 10]
    np.testing.assert_allclose([optim.warmup_cosine(10, 50)(s) for s in t], both, atol=1e-15)
    np.testing.assert_allclose([optim.step_decay(20, 0.5)(s) for s in t], [1.0] * 20 + [0.5] * 20 + [0.25] * 20)
    np.testing.assert_allclose([optim.exponential_decay(10)(s) for s in (0, 10, 20, 5)], [1, 0.5, 0.25, 0.5**0.5])


@needs_torch
def test_cosine_and_step_decay_are_those_of_torch():
    import torch

    schedules = torch.optim.lr_scheduler
    for make, ours in [(lambda o: schedules.CosineAnnealingLR(o, 30, eta_min=0.2), optim.cosine(30, 0.2)),
                       (lambda o: schedules.StepLR(o, 7, 0.3), optim.step_decay(7, 0.3))]:
        referee = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
        schedule = make(referee)
        for t in range(30):
            assert ours(t) == pytest.approx(referee.param_groups[0]["lr"], rel=1e-9)
            referee.step()
            schedule.step()


# ---------------------------------------------------------------------------------------------------- averages


def test_the_average_is_its_recursion_and_swaps_in_and_out(rng):
    model = nn.Linear(3, 2, rng=rng, dtype=np.float64)
    ema = optim.EMA(model, decay=0.7)
    expected = model.W.numpy()
    for t in range(1, 40):
        model.W.data += rng.normal(size=(3, 2))
        ema.update()
        d = min(0.7, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * model.W.data
    own = model.W.numpy()
    with ema.swapped_in() as inside:
        assert inside is model
        np.testing.assert_allclose(model.W.data, expected, rtol=1e-12)
    np.testing.assert_array_equal(model.W.data, own)
    with pytest.raises(KeyError), ema.swapped_in():
        raise KeyError("whatever happens inside, the model gets its own weights back")
    np.testing.assert_array_equal(model.W.data, own)


def test_the_average_of_a_constant_is_that_constant(rng):
    model = nn.Linear(30, 20, rng=rng)
    ema = optim.EMA(model, 0.99)
    for _ in range(50):
        ema.update()
    assert ema.state_dict()["average.W"].tobytes() == model.W.data.tobytes()


def test_the_state_of_an_average_goes_round(rng):
    one, two = nn.Linear(3, 2, rng=rng), nn.Linear(3, 2, rng=rng)
    a, b = optim.EMA(one, 0.9), optim.EMA(two, 0.9)
    a.update()
    b.load_state_dict(a.state_dict())
    assert b.updates == 1 and np.array_equal(b.state_dict()["average.W"], a.state_dict()["average.W"])
    with pytest.raises(ValueError, match=r"EMA: the state holds \['updates'\]; expected \['average.W', 'average.b'"):
        b.load_state_dict({"updates": np.array(3)})


# ------------------------------------------------------------------------------------------------------- doors

LEAF = ad.Tensor([1.0], requires_grad=True)


@pytest.mark.parametrize("make, kind, message", [
    (lambda: optim.Adam([]), ValueError, "Adam: parameters is empty"),
    (lambda: optim.Adam(LEAF), TypeError, "Adam: parameters is Tensor; expected a list of Tensors"),
    (lambda: optim.Adam(nn.Module()), TypeError, "as model.parameters()"),
    (lambda: optim.Adam([np.zeros(3)]), TypeError, "Adam: parameters[0] is array([0., 0., 0.]); expected a Tensor"),
    (lambda: optim.Adam([ad.Tensor([1.0])]), TypeError, "expected a Tensor with requires_grad=True"),
    (lambda: optim.Adam([LEAF * 2]), TypeError, "expected a Tensor with requires_grad=True"),
    (lambda: optim.Adam([LEAF], 0), ValueError, "Adam: lr is 0; expected a positive number"),
    (lambda: optim.SGD([LEAF], -0.1), ValueError, "SGD: lr is -0.1"),
    (lambda: optim.SGD([LEAF], "fast"), ValueError, "SGD: lr is 'fast'"),
    (lambda: optim.SGD([LEAF], np.nan), ValueError, "SGD: lr is nan"),
    (lambda: optim.SGD([LEAF], 0.1, momentum=1), ValueError, "SGD: momentum is 1; expected a number in [0, 1)"),
    (lambda: optim.SGD([LEAF], 0.1, nesterov=True), ValueError, "SGD: nesterov is True and momentum 0"),
    (lambda: optim.RMSprop([LEAF], decay=-1), ValueError, "RMSprop: decay is -1"),
    (lambda: optim.Adam([LEAF], betas=0.9), ValueError, "Adam: betas is 0.9; expected two numbers"),
    (lambda: optim.AdamW([LEAF], betas=(0.9, 1.0)), ValueError, "AdamW: betas[1] is 1.0"),
    (lambda: optim.AdamW([LEAF], weight_decay=-0.1), ValueError, "AdamW: weight_decay is -0.1"),
    (lambda: optim.Adamax([LEAF], eps=0), ValueError, "Adamax: eps is 0"),
    (lambda: optim.clip_grad_norm([LEAF], 0), ValueError, "clip_grad_norm: max_norm is 0"),
    (lambda: optim.clip_grad_value([LEAF], -1), ValueError, "clip_grad_value: limit is -1"),
    (lambda: optim.cosine(0), ValueError, "cosine: the number of steps is 0"),
    (lambda: optim.cosine(10, floor=2), ValueError, "cosine: floor is 2"),
    (lambda: optim.warmup_cosine(10, 10), ValueError, "warmup_cosine: warm is 10"),
    (lambda: optim.step_decay(5, 0), ValueError, "step_decay: factor is 0"),
    (lambda: optim.EMA(nn.Module(), 1.0), ValueError, "EMA: decay is 1.0; expected a number in [0, 1)"),
])
def test_bad_input_is_refused_in_one_sentence(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("options, message", [
    (dict(factor=np.nan), "SGD.step: lr is 0.1 and factor nan; expected numbers of at least 0"),
    (dict(factor=-1), "factor -1"),
    (dict(factor=np.inf), "factor inf"),
    (dict(max_norm=0), "SGD.step: max_norm is 0; expected a positive number"),
])
def test_a_step_of_no_sensible_size_is_refused_before_anything_is_written(options, message):
    theta = ad.Tensor([1.0], requires_grad=True)
    theta.grad = np.ones(1)
    with pytest.raises(ValueError) as error:
        optim.SGD([theta], 0.1).step(**options)
    assert message in str(error.value) and theta.data.item() == 1.0


def test_a_gradient_of_another_shape_is_refused():
    theta = ad.Tensor(np.zeros((2, 3)), requires_grad=True)
    theta.grad = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"a gradient has shape \(3, 2\); expected that of its parameter, \(2, 3\)"):
        optim.SGD([theta], 0.1).step()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
