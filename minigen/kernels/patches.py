"""Float32 kernels that cut images into patches for a matrix product (im2col), and lay patches back (col2im).

Twins of the same name in `reference_patches.py` say the same in NumPy. image: (n, height, width channels), its border
included, channels last; columns: (n rows columns, groups kh kw c), c channels in each group. rows, kernel, stride,
dilation: pairs (vertical, horizontal). A patch is moved in runs of c, or of kw c where these lie side by side; where a
run would be short, one pixel of the kernel is moved for a whole row of positions instead.
"""

from __future__ import annotations

from .jit import jit

SHORT = 12


@jit
def im2col(image, columns, groups, c, rows, kernel, stride, dilation):
    """columns[(m, r, q), (g, a, b, k)] <- image[m, r s + a d, (q s + b d, g, k)]"""
    channels, taps, run = groups * c, kernel[1], c
    if groups == 1 and dilation[1] == 1:
        taps, run = 1, kernel[1] * c
    right, step = dilation[1] * channels, stride[1] * channels
    for m in range(image.shape[0]):
        for r in range(rows[0]):
            first = (m * rows[0] + r) * rows[1]
            if run < SHORT:
                for a in range(kernel[0]):
                    line = image[m, r * stride[0] + a * dilation[0]]
                    for b in range(kernel[1]):
                        for g in range(groups):
                            at, to = b * right + g * c, ((g * kernel[0] + a) * kernel[1] + b) * c
                            for k in range(c):
                                piece, place = line[at + k::step], columns[first:first + rows[1], to + k]
                                for q in range(rows[1]):
                                    place[q] = piece[q]
            else:
                for q in range(rows[1]):
                    for a in range(kernel[0]):
                        line = image[m, r * stride[0] + a * dilation[0]]
                        for b in range(taps):
                            for g in range(groups):
                                at, to = q * step + b * right + g * c, ((g * kernel[0] + a) * kernel[1] + b) * c
                                piece, place = line[at:at + run], columns[first + q, to:to + run]
                                for k in range(run):
                                    place[k] = piece[k]


@jit
def col2im(columns, image, groups, c, rows, kernel, stride, dilation):
    """image[m, r s + a d, (q s + b d, g, k)] += columns[(m, r, q), (g, a, b, k)]: the adjoint of im2col"""
    channels, taps, run = groups * c, kernel[1], c
    if groups == 1 and dilation[1] == 1:
        taps, run = 1, kernel[1] * c
    right, step = dilation[1] * channels, stride[1] * channels
    for m in range(image.shape[0]):
        for r in range(rows[0]):
            first = (m * rows[0] + r) * rows[1]
            if run < SHORT:
                for a in range(kernel[0]):
                    line = image[m, r * stride[0] + a * dilation[0]]
                    for b in range(kernel[1]):
                        for g in range(groups):
                            at, to = b * right + g * c, ((g * kernel[0] + a) * kernel[1] + b) * c
                            for k in range(c):
                                piece, place = columns[first:first + rows[1], to + k], line[at + k::step]
                                for q in range(rows[1]):
                                    place[q] += piece[q]
            else:
                for q in range(rows[1]):
                    for a in range(kernel[0]):
                        line = image[m, r * stride[0] + a * dilation[0]]
                        for b in range(taps):
                            for g in range(groups):
                                at, to = q * step + b * right + g * c, ((g * kernel[0] + a) * kernel[1] + b) * c
                                piece, place = columns[first + q, to:to + run], line[at:at + run]
                                for k in range(run):
                                    place[k] += piece[k]
