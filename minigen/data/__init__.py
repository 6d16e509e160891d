"""Data: bundled sets and toys by name, readers that refuse damage, fetch, and the way from pixels to batches.

    digits = data.load("digits")                                  # digits.train: (1500, 8, 8) uint8
    x = data.binarise(digits.train, digits.levels, threshold=0.5)  # float32 0 and 1
    for batch in data.minibatches(x, 100, rng): ...

`bundled/SOURCES.md` states licence and source of everything that travels in the package.
"""

from minigen.data.catalogue import RECORDS, Record
from minigen.data.datasets import Dataset, Listed, describe, load
from minigen.data.download import fetch
from minigen.data.places import cache_folder, path
from minigen.data.readers import DataError, read_idx, read_npz, read_table
from minigen.data.toys import TOYS, checkerboard, eight_gaussians, pinwheel, rings, two_moons, two_spirals
from minigen.data.transforms import binarise, dequantise, minibatches, train_valid_split

__all__ = [
    "RECORDS",
    "TOYS",
    "DataError",
    "Dataset",
    "Listed",
    "Record",
    "binarise",
    "cache_folder",
    "checkerboard",
    "dequantise",
    "describe",
    "eight_gaussians",
    "fetch",
    "load",
    "minibatches",
    "path",
    "pinwheel",
    "read_idx",
    "read_npz",
    "read_table",
    "rings",
    "train_valid_split",
    "two_moons",
    "two_spirals",
]
