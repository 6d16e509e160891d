"""What data there is: one record per dataset, with its shape, units, licence and source."""

import difflib
import math
from dataclasses import dataclass

from minigen.data.toys import TOYS


@dataclass(frozen=True)
class Record:
    """One dataset. `place`: "bundled", "fetched" (MNIST), "directory" ($MINIGEN_DATA only) or "drawn" (a toy).

    `levels` is the number of grey levels of discrete data, None for continuous; `columns` name the coordinates
    of continuous data with their units.
    """

    name: str
    place: str
    what: str
    shape: str
    licence: str
    source: str
    levels: int | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawFile:
    """A file of the full MNIST: name, shape, and SHA-256 of its raw (unpacked) bytes, header included."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of the raw file: 4 of magic, 4 per dimension, 1 per pixel or label."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


# In the order images, labels of the training part, then of the test part. The same names hold the subset.
MNIST_FILES = (
    RawFile(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    RawFile(
        "train-labels-idx1-ubyte",
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    RawFile(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    RawFile(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

MNIST_SOURCE = "LeCun, Cortes and Burges, The MNIST database of handwritten digits"
SUITE_SOURCE = "binary density-estimation suite of Larochelle and Murray 2011"

_STORED = (
    Record(
        name="digits",
        place="bundled",
        what="handwritten digits, test part of the UCI set; test: the last 297 rows, the rest: train",
        shape="1500 + 297 of 8x8 uint8, 17 levels",
        licence="CC BY 4.0",
        source="Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI",
        levels=17,
    ),
    Record(
        name="faithful",
        place="bundled",
        what="eruptions of the geyser Old Faithful: duration and waiting time, minutes",
        shape="272 of 2 float64",
        licence="public domain (facts)",
        source="Azzalini and Bowman 1990",
        columns=("eruptions", "waiting"),
    ),
    Record(
        name="cities",
        place="bundled",
        what="places of cities with more than 15 000 people: longitude and latitude, degrees",
        shape="34006 of 2 float64",
        licence="CC BY 4.0",
        source="GeoNames, cities15000; the coordinates only",
        columns=("longitude", "latitude"),
    ),
    Record(
        name="earthquakes",
        place="bundled",
        what="one week of earthquakes: longitude and latitude, degrees; depth, km; magnitude",
        shape="1707 of 4 float64",
        licence="public domain",
        source="US Geological Survey",
        columns=("longitude", "latitude", "depth_km", "magnitude"),
    ),
    Record(
        name="mnist-small",
        place="bundled",
        what="the first 10 000 training and the first 2 000 test images of MNIST (the easier half of its test)",
        shape="10000 + 2000 of 28x28 uint8, 256 levels",
        licence="CC BY-SA 3.0",
        source=MNIST_SOURCE,
        levels=256,
    ),
    Record(
        name="mnist",
        place="fetched",
        what="the full MNIST",
        shape="60000 + 10000 of 28x28 uint8, 256 levels",
        licence="CC BY-SA 3.0",
        source=MNIST_SOURCE,
        levels=256,
    ),
    Record(
        name="binary_uci:dna",
        place="directory",
        what="splice junctions of genes, one-hot",
        shape="1400 + 600 + 1186 of 180 uint8, 2 levels",
        licence="none stated",
        source=f"UCI, by the {SUITE_SOURCE}",
        levels=2,
    ),
    Record(
        name="binary_uci:mushrooms",
        place="directory",
        what="attributes of mushrooms, one-hot",
        shape="2000 + 500 + 5624 of 112 uint8, 2 levels",
        licence="none stated",
        source=f"UCI, by the {SUITE_SOURCE}",
        levels=2,
    ),
    Record(
        name="binary_uci:nips",
        place="directory",
        what="words that occur in papers of NIPS 0-12",
        shape="400 + 100 + 1240 of 500 uint8, 2 levels",
        licence="none stated",
        source=f"Roweis, by the {SUITE_SOURCE}",
        levels=2,
    ),
)

_DRAWN = tuple(
    Record(
        name=name,
        place="drawn",
        what=draw.__doc__.splitlines()[0].rstrip("."),
        shape="n + n of 2 float64",
        licence="none needed",
        source=f"minigen.data.{draw.__name__}",
        columns=("x1", "x2"),
    )
    for name, draw in TOYS.items()
)

RECORDS: dict[str, Record] = {record.name: record for record in _STORED + _DRAWN}


def record_of(name: str) -> Record:
    """The record of a dataset; ValueError with the nearest name for one that is not there."""
    if name in RECORDS:
        return RECORDS[name]
    near = difflib.get_close_matches(str(name), RECORDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(RECORDS)}"
    raise ValueError(f"unknown dataset {name!r}; {hint}")
