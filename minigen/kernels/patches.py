"""Float32 kernels that cut images into patches for a matrix product (im2col), and lay patches back (col2im).

Twins of the same name in `reference_patches.py` say the same in NumPy. image: (n, height, width channels), its border
included, channels last; columns: (n rows columns, groups kh kw c), c channels in each group. rows, kernel, stride,
dilation: pairs (vertical, horizontal). A patch is moved in runs of c, or of kw c where these lie side by side. Short
runs are not worth a loop: they are gathered number by number, and added for a whole row of positions at a time.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

SHORT = 16


@jit
def im2col(image, columns, groups, c, rows, kernel, stride, dilation):
    """columns[(m, r, q), (g, a, b, k)] <- image[m, r s + a d, (q s + b d, g, k)]"""
    taps, run = kernel[1], c
    if groups == 1 and dilation[1] == 1:
        taps, run = 1, kernel[1] * c
    width, right, step = image.shape[2], dilation[1] * groups * c, stride[1] * groups * c
    offsets = np.empty(groups * kernel[0] * kernel[1] * c, np.uint32)  # of each number of a patch from its first
    i = 0
    for g in range(groups):
        for a in range(kernel[0]):
            for b in range(kernel[1]):
                for k in range(c):
                    offsets[i] = a * dilation[0] * width + b * right + g * c + k
                    i += 1
    pixels = image.reshape(-1)
    for m in range(image.shape[0]):
        for r in range(rows[0]):
            for q in range(rows[1]):
                first = (m * image.shape[1] + r * stride[0]) * width + q * step
                patch, place = pixels[first:], columns[(m * rows[0] + r) * rows[1] + q]
                if run < SHORT:
                    for i in range(offsets.size):
                        place[i] = patch[offsets[i]]
                else:
                    for i in range(0, groups * kernel[0] * taps * run, run):
                        piece, there = patch[offsets[i]:], place[i:i + run]
                        for k in range(run):
                            there[k] = piece[k]


@jit
def col2im(columns, image, groups, c, rows, kernel, stride, dilation):
    """image[m, r s + a d, (q s + b d, g, k)] += columns[(m, r, q), (g, a, b, k)]: the adjoint of im2col"""
    taps, run = kernel[1], c
    if groups == 1 and dilation[1] == 1:
        taps, run = 1, kernel[1] * c
    right, step = dilation[1] * groups * c, stride[1] * groups * c
    for m in range(image.shape[0]):
        for r in range(rows[0]):
            first = (m * rows[0] + r) * rows[1]
            part = columns[first:first + rows[1]]
            for g in range(groups):
                for a in range(kernel[0]):
                    line = image[m, r * stride[0] + a * dilation[0]]
                    for b in range(taps):
                        at, to = b * right + g * c, ((g * kernel[0] + a) * kernel[1] + b) * c
                        if run < SHORT:
                            for k in range(run):
                                place = line[at + k::step]
                                for q in range(rows[1]):
                                    place[q] += part[q, to + k]
                        else:
                            for q in range(rows[1]):
                                piece, place = part[q, to:to + run], line[at + q * step:]
                                for k in range(run):
                                    place[k] += piece[k]
