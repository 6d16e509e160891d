"""Convolution and pooling: the sum written out, the three readings of one trilinear form, and jax."""

import itertools
import tracemalloc

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff import fast
from minigen.autodiff.convolution import Geometry, overlap_add, windows
from minigen.autodiff.patches import AT_ONCE
from minigen.autodiff.rules import RULES

jax = pytest.importorskip("jax", reason="jax is the referee of values and gradients")


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def written_out(x, w, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """y[n, o, r, c] = sum_{i, a, b} x[n, i, r s + a d - p, c s + b d - p] w[o, i, a, b]: one product per pixel of w."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    rows, columns = ((n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, w.shape[2:], stride))
    y = np.zeros((len(x), len(w), rows, columns))
    out, c = len(w) // groups, w.shape[1]
    for k, a, b in itertools.product(range(groups), range(w.shape[2]), range(w.shape[3])):
        down, across = slice(a * dh, a * dh + rows * sh, sh), slice(b * dw, b * dw + columns * sw, sw)
        seen, group = x[:, k * c:(k + 1) * c, down, across][:, :, :rows, :columns], slice(k * out, (k + 1) * out)
        y[:, group] += np.tensordot(seen, w[group, :, a, b], (1, 1)).transpose(0, 3, 1, 2)
    return y


GEOMETRIES = list(itertools.product([(1, 1), (2, 3)], [(0, 0), (2, 1)], [(1, 1), (2, 1)], [1, 2, 4], [(3, 2), (1, 1)]))


@pytest.mark.parametrize("stride, padding, dilation, groups, kernel", GEOMETRIES)
def test_the_three_readings_of_the_trilinear_form(stride, padding, dilation, groups, kernel):
    """<z, conv2d(x, w)> = <x, conv2d_transpose(z, w)> = <w, conv2d_weight(x, z)>, and conv2d is the sum."""
    x, w = normal(2, 4, 7, 8), normal(8, 4 // groups, *kernel)
    geometry = Geometry(stride, padding, dilation, groups)
    y = ad.conv2d(x, w, stride, padding, dilation, groups)
    assert np.allclose(y, written_out(x, w, *geometry), rtol=1e-12, atol=1e-12)
    z = normal(*y.shape, seed=1)
    form = np.vdot(z, y)
    assert np.isclose(np.vdot(x, RULES["conv2d_transpose"].forward(z, w, geometry, (7, 8))), form, rtol=1e-11)
    assert np.isclose(np.vdot(w, RULES["conv2d_weight"].forward(x, z, geometry, kernel)), form, rtol=1e-11)


def test_batches_that_are_cut_into_several_products():
    x, w = normal(131, 64, 6, 6), normal(8, 64, 5, 5)  # 64 images of 4 patches of 1600 numbers at once
    geometry = Geometry((1, 1), (0, 0), (1, 1), 1)
    y = ad.conv2d(x, w)
    assert np.allclose(y, written_out(x, w), rtol=1e-11, atol=1e-11)
    z = normal(*y.shape, seed=1)
    back = RULES["conv2d_transpose"].forward(z, w, geometry, (6, 6))
    for n in (0, 63, 64, 130):
        assert np.isclose(np.vdot(back[n], x[n]), np.vdot(z[n], y[n]), rtol=1e-10)
    assert np.isclose(np.vdot(w, RULES["conv2d_weight"].forward(x, z, geometry, (5, 5))), np.vdot(z, y), rtol=1e-10)


def their_conv2d(x, w, stride, padding, dilation, groups):
    return jax.lax.conv_general_dilated(x, w, stride, [(p, p) for p in padding], rhs_dilation=dilation,
                                        feature_group_count=groups)


@pytest.mark.parametrize("stride, padding, dilation, groups, kernel", [
    ((1, 1), (0, 0), (1, 1), 1, (3, 3)), ((2, 2), (1, 1), (1, 1), 1, (4, 4)), ((1, 2), (0, 1), (2, 1), 2, (2, 3)),
    ((3, 1), (2, 0), (1, 2), 4, (3, 1)),
])
def test_conv2d(stride, padding, dilation, groups, kernel, agrees_with_jax):
    how = stride, padding, dilation, groups
    assert agrees_with_jax(lambda x, w: ad.conv2d(x, w, *how), lambda x, w: their_conv2d(x, w, *how),
                           normal(2, 4, 7, 8), normal(8, 4 // groups, *kernel))


@pytest.mark.parametrize("stride, padding, output_padding, dilation, groups, size", [
    ((1, 1), (0, 0), (0, 0), (1, 1), 1, (6, 7)), ((2, 2), (1, 1), (1, 0), (1, 1), 1, (8, 9)),
    ((3, 1), (0, 1), (2, 0), (2, 1), 2, (16, 5)),
])
def test_conv2d_transpose(stride, padding, output_padding, dilation, groups, size, agrees_with_jax):
    """Against what jax finds to be the adjoint of its own convolution of images of `size`."""
    def reference(x, w):
        image = jax.numpy.zeros((2, 3 * groups, *size), x.dtype)
        return jax.vjp(lambda u: their_conv2d(u, w, stride, padding, dilation, groups), image)[1](x)[0]

    assert agrees_with_jax(lambda x, w: ad.conv2d_transpose(x, w, stride, padding, output_padding, dilation, groups),
                           reference, normal(2, 4, 4, 5), normal(4, 3, 3, 3))


@pytest.mark.parametrize("kernel, stride, padding", [((2, 2), (2, 2), (0, 0)), ((3, 2), (2, 1), (1, 1))])
def test_pooling(kernel, stride, padding, agrees_with_jax):
    def windows(x, start, f):
        border = ((0, 0), (0, 0), *((p, p) for p in padding))
        return jax.lax.reduce_window(x, start, f, (1, 1, *kernel), (1, 1, *stride), border)

    x = normal(2, 3, 7, 8) - 5  # below the zeros of the padding
    assert agrees_with_jax(lambda x: ad.max_pool2d(x, kernel, stride, padding),
                           lambda x: windows(x, -np.inf, jax.lax.max), x)
    assert agrees_with_jax(lambda x: ad.avg_pool2d(x, kernel, stride, padding),
                           lambda x: windows(x, 0.0, jax.lax.add) / np.prod(kernel), x)


def test_windows_and_overlap_add_are_adjoint():
    geometry = Geometry((2, 1), (0, 0), (1, 2), 1)
    x = normal(2, 3, 7, 8)
    y, back = ad.vjp(lambda x: windows(x, (3, 2), geometry), x)
    assert y[2, 1, 0, 1, 1, 3] == x[0, 1, 2 + 2, 3 + 2]
    g = normal(*y.shape)
    image, forth = ad.vjp(lambda g: overlap_add(g, geometry, (7, 8)), g)
    assert np.array_equal(back(g)[0], image) and np.array_equal(forth(x)[0], y)
    assert np.isclose(np.vdot(y, g), np.vdot(x, image), rtol=1e-12)


def test_pixels_that_tie_for_the_maximum_share_the_cotangent():
    x = np.array([[[[2.0, 1.0, 0.0], [2.0, 0.0, 2.0]]]])
    g = ad.grad(lambda x: ad.sum(ad.max_pool2d(x, 2, 1) * np.array([[[[1.0, 10.0]]]])))(x)
    assert np.array_equal(g, [[[[0.5, 0, 0], [0.5, 0, 10]]]])


def test_ints_stand_for_pairs_and_pools_step_by_their_kernel():
    x, w = normal(2, 3, 8, 8), normal(5, 3, 3, 3)
    assert np.array_equal(ad.conv2d(x, w, 2, 1, 1), ad.conv2d(x, w, (2, 2), [1, 1], (1, 1)))
    z = normal(2, 5, 4, 4)
    assert np.array_equal(ad.conv2d_transpose(z, w, 2, 1, 1), ad.conv2d_transpose(z, w, (2, 2), (1, 1), (1, 1)))
    for pool in (ad.avg_pool2d, ad.max_pool2d):
        assert np.array_equal(pool(x, 2), pool(x, (2, 2), (2, 2), (0, 0)))


@pytest.mark.parametrize("f", [
    lambda x, w: ad.conv2d(x, w, 2, 1), lambda x, w: ad.conv2d_transpose(x, np.swapaxes(w, 0, 1), 2, 1),
    lambda x, w: ad.avg_pool2d(x, 2), lambda x, w: ad.max_pool2d(x, 2, padding=1),
], ids=["conv2d", "conv2d_transpose", "avg_pool2d", "max_pool2d"])
def test_strided_and_empty_batches(f):
    x, w = normal(8, 6, 2, 3), normal(4, 3, 3, 3).T  # axes out of order, runs backwards
    x, w = x.transpose(2, 3, 0, 1)[:, ::-1], np.ascontiguousarray(w.transpose(3, 2, 1, 0))[:, :, ::-1]
    assert np.allclose(f(x, w), f(x.copy(), w.copy()), rtol=1e-14, atol=1e-14)
    assert f(x[:0], w).shape == (0, *f(x, w).shape[1:])


IMAGE, KERNEL = np.ones((1, 2, 5, 5)), np.ones((2, 2, 3, 3))


@pytest.mark.parametrize("f, message", [
    (lambda: ad.conv2d(IMAGE[0], KERNEL), r"conv2d: x has shape \(2, 5, 5\); expected \(batch, channels"),
    (lambda: ad.conv2d(IMAGE, KERNEL[0]), r"conv2d: w has shape \(2, 3, 3\); expected four axes"),
    (lambda: ad.conv2d(IMAGE, KERNEL[:0]), r"conv2d: w has shape \(0, 2, 3, 3\)"),
    (lambda: ad.conv2d(IMAGE, KERNEL[:, :1]), "conv2d: x has 2 channels; expected 1"),
    (lambda: ad.conv2d(IMAGE, np.ones((3, 1, 3, 3)), groups=2), "conv2d: groups is 2; expected a divisor of 3"),
    (lambda: ad.conv2d(IMAGE, KERNEL, groups=0), "conv2d: groups is 0"),
    (lambda: ad.conv2d(IMAGE, np.ones((2, 2, 6, 3))), r"conv2d: kernel \(6, 3\) spans \(6, 3\) pixels"),
    (lambda: ad.conv2d(IMAGE, KERNEL, dilation=(1, 3)), r"conv2d: kernel \(3, 3\) spans \(3, 7\) pixels"),
    (lambda: ad.conv2d(IMAGE, KERNEL, stride=0), "conv2d: stride is 0; expected an int >= 1"),
    (lambda: ad.conv2d(IMAGE, KERNEL, padding=-1), "conv2d: padding is -1; expected an int >= 0"),
    (lambda: ad.conv2d(IMAGE, KERNEL, dilation=(1, 1, 1)), r"conv2d: dilation is \(1, 1, 1\)"),
    (lambda: ad.conv2d(IMAGE, KERNEL, stride=1.5), "conv2d: stride is 1.5"),
    (lambda: ad.conv2d_transpose(IMAGE, KERNEL[:1]), "conv2d_transpose: x has 2 channels; expected 1"),
    (lambda: ad.conv2d_transpose(IMAGE, KERNEL, 2, output_padding=2), r"output_padding is \(2, 2\); expected less"),
    (lambda: ad.conv2d_transpose(IMAGE[..., :1], KERNEL, padding=(0, 2)), r"padding \(0, 2\) leaves .* \(7, -1\)"),
    (lambda: ad.max_pool2d(IMAGE, 6), r"max_pool2d: kernel \(6, 6\) spans"),
    (lambda: ad.max_pool2d(IMAGE, 2, padding=2), r"max_pool2d: padding is \(2, 2\); expected at most half of kernel"),
    (lambda: ad.avg_pool2d(IMAGE[0], 2), r"avg_pool2d: x has shape \(2, 5, 5\)"),
    (lambda: ad.avg_pool2d(IMAGE, 0), "avg_pool2d: kernel is 0"),
])
def test_refusals_name_the_argument(f, message):
    with pytest.raises(ValueError, match=message):
        f()


FORMS = {
    "conv2d": lambda x, w, z, geometry: (x, w, geometry, None, None),
    "conv2d with bias": lambda x, w, z, geometry: (x, w, geometry, normal(8, 1, 1).astype(x.dtype), "tanh"),
    "conv2d_transpose": lambda x, w, z, geometry: (z, w, geometry, x.shape[2:], None, None),
    "conv2d_transpose with bias": lambda x, w, z, geometry: (z, w, geometry, x.shape[2:],
                                                             normal(4, 1, 1).astype(x.dtype), "relu"),
    "conv2d_weight": lambda x, w, z, geometry: (x, z, geometry, w.shape[2:]),
}
LAID = [Geometry((2, 2), (1, 1), (1, 1), 1), Geometry((1, 2), (0, 2), (2, 1), 2), Geometry((2, 1), (0, 0), (1, 3), 4)]


def arguments(form, geometry, seed=0, n=3):
    """What the rule of that form takes, in float32, and the rule."""
    x, w = normal(n, 4, 9, 8, seed=seed), normal(8, 4 // geometry.groups, 3, 2, seed=seed)
    z = normal(n, 8, *geometry.positions((9, 8), (3, 2)), seed=seed)
    return RULES[form.split()[0]], FORMS[form](*(a.astype(np.float32) for a in (x, w, z)), geometry)


@pytest.fixture
def kernels(monkeypatch):
    """The compiled kernels serve in this test; their names as they are called."""
    from minigen.kernels import fused, patches

    called = []

    def counted(room, name):
        return lambda *arrays: (called.append(name), getattr(room, name)(*arrays))[1]

    names = {"im2col": patches, "col2im": patches, "bias_tanh": fused, "bias_relu": fused, "tanh_cotangent": fused}
    for name, room in names.items():
        monkeypatch.setitem(fast.FAST, name, counted(room, name))
    return called


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("geometry", LAID)
def test_kernels_serve_and_agree_with_numpy(form, geometry, kernels, monkeypatch):
    rule, values = arguments(form, geometry)
    quick = rule.forward(*values)
    assert "col2im" in kernels if "transpose" in form else "im2col" in kernels
    for name in list(fast.FAST):
        monkeypatch.delitem(fast.FAST, name)
    np.testing.assert_allclose(quick, rule.forward(*values), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("geometry", LAID)
def test_writing_into_a_buffer_is_the_forward_with_workspaces_that_are_kept(form, geometry):
    scratch, kept = {}, []
    for seed in range(3):  # other numbers in the same shapes: nothing of an earlier call may remain
        rule, values = arguments(form, geometry, seed)
        y = rule.forward(*values)
        out = np.full(y.shape, np.nan, np.float32)
        rule.into(out, scratch, *values)
        assert np.array_equal(out, y)
        kept.append({name: id(workspace) for name, workspace in scratch.items()})
    assert kept[0] == kept[1] == kept[2]


@pytest.mark.parametrize("form", ["conv2d with bias", "conv2d_transpose with bias", "conv2d_weight"])
def test_writing_into_a_buffer_allocates_no_arrays(form, kernels):
    """The smallest workspace is of 9 kB here; views and slices take some hundred bytes."""
    rule, values = arguments(form, LAID[0], n=40)
    out, scratch = np.empty(rule.forward(*values).shape, np.float32), {}
    rule.into(out, scratch, *values)
    tracemalloc.start()
    try:
        rule.into(out, scratch, *values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6000


def test_memory_of_patches_is_bounded_however_large_the_batch():
    x, w = normal(300, 8, 16, 16).astype(np.float32), normal(8, 8, 5, 5).astype(np.float32)
    tracemalloc.start()
    try:
        y = ad.conv2d(x, w, padding=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes + 4 * 4 * AT_ONCE  # all patches would be 25 times x, 61 MB


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize("f", [lambda x, w, **more: ad.conv2d(x, w, 2, 1, **more),
                               lambda x, w, **more: ad.conv2d_transpose(x, w, 2, 1, **more)])
def test_bias_and_activation_in_the_node_are_their_composition(f, activation, kernels):
    x, w, b = (normal(*shape).astype(np.float32) for shape in ((3, 2, 6, 6), (2, 2, 4, 4), (2, 1, 1)))
    for i, (ours, theirs) in enumerate(zip(
            ad.grad(lambda *a: ad.sum(ad.square(f(a[0], a[1], b=a[2], activation=activation))), (0, 1, 2))(x, w, b),
            ad.grad(lambda *a: ad.sum(ad.square(getattr(ad, activation)(f(*a[:2]) + a[2]))), (0, 1, 2))(x, w, b))):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=f"argument {i}")
    assert activation == "gelu" or {"bias_tanh", "tanh_cotangent"} <= set(kernels)


def test_bias_and_activation_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"conv2d: b has shape \(2,\); expected \(2, 1, 1\)"):
        ad.conv2d(IMAGE, KERNEL, b=np.ones(2))
    with pytest.raises(ValueError, match="conv2d_transpose: activation is 'x'; expected None or one of relu"):
        ad.conv2d_transpose(IMAGE, KERNEL, activation="x")
