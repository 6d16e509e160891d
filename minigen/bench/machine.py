"""The machine and the versions that a measurement depends on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "numba", "torch", "jax", "autograd", "scikit-learn")
VECTOR_SETS = {"sse4_2": "SSE4.2", "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "asimd": "NEON"}

BUSY = 0.3  # of the cores: more load than this before the bench begins disturbs it


def describe() -> dict:
    """Processor, vector instruction sets where the system tells them, cores, versions, BLAS variable, load before."""
    vendor, model, flags = _processor()
    return {"processor": model, "vendor": vendor,
            "vector_sets": [name for flag, name in VECTOR_SETS.items() if flag in flags],
            "cores": _cores(), "system": platform.system(), "python": platform.python_version(),
            "versions": {name: _version(name) for name in PACKAGES},
            "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}


def lines(machine: dict, threads: int) -> list[str]:
    """The same in words, with what it means for the ratios."""
    sets = ", ".join(machine["vector_sets"]) or "not told by this system"
    told = [f"{machine['processor']}, {machine['cores']} cores; threads of every peer: {threads}; vector sets: {sets}",
            ", ".join(f"{name} {number or 'not installed'}" for name, number in machine["versions"].items())]
    found = machine["OPENBLAS_CORETYPE"]
    told.append("Setting A: OPENBLAS_CORETYPE=Haswell, B: without it; it is "
                f"{'not set' if found is None else found} in this environment, which decides neither")
    if (machine["load"] or 0) > machine["cores"] * BUSY:
        told.append(f"The machine is busy or just was (load {machine['load']:.1f}): threads that wait for each other "
                    "suffer most from that, and the ratios mean little.")
    if threads > machine["cores"]:
        told.append(f"{threads} threads share {machine['cores']} cores: they wait for each other.")
    if "AVX-512" in machine["vector_sets"]:
        if machine["vendor"] == "GenuineIntel":
            told.append("Setting A holds NumPy to AVX2 while torch's own library uses AVX-512 on this processor: "
                        "under A the ratios to torch are to our disadvantage; B is the even match.")
        else:
            told.append("Setting A holds NumPy to AVX2, as torch's own library holds itself on processors not by "
                        "Intel; under B NumPy uses AVX-512.")
    return told


def _processor() -> tuple[str, str, set[str]]:
    """Vendor, model and flags, of the first processor that Linux lists."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        text = ""
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    return (told.get("vendor_id", ""), told.get("model name") or platform.processor() or platform.machine(),
            set((told.get("flags") or told.get("Features") or "").split()))


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
