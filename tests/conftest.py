"""A running `minigen lab`, as a student starts it, for the tests that need one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

# One thread for every worker of `pytest -n`; it must be said before NumPy is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # they take longer than all that tests compute
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in background jobs of scripts; tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)

START = """
import pathlib, sys
from minigen import lab, resources
resources.PACKAGE = pathlib.Path(sys.argv[1])
lab.open_lab(sys.argv[2], browser=False, port=int(sys.argv[3]))
"""


class RunningLab:
    """JupyterLab on a student's copy in `folder`, started by `open_lab` in a process of its own."""

    token = "letmein"

    def __init__(self, folder: Path, home: Path, package: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = {**os.environ, "JUPYTER_TOKEN": self.token, "PYTHONPATH": os.pathsep.join(sys.path)}
        env |= {f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        self.log = home / "lab.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(package), folder.name, str(self.port)],
                cwd=folder.parent, env=env, stdout=log, stderr=subprocess.STDOUT,
            )

    def url(self, path: str) -> str:
        """Address of a path on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(self, path: str) -> str:
        """The server's answer, as soon as it gives one."""
        request = urllib.request.Request(self.url(path), headers={"Authorization": f"token {self.token}"})
        for _ in range(300):
            assert self.process.poll() is None, self.log.read_text()
            try:
                return urllib.request.urlopen(request, timeout=5).read().decode()
            except urllib.error.HTTPError:
                raise
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"JupyterLab did not answer in 30 s: {self.log.read_text()}")

    def stop(self) -> None:
        """End the server; it ends its kernels."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start_lab(tmp_path):
    """start_lab(folder, package) -> RunningLab; the user's own Jupyter settings are out of sight."""
    home = tmp_path / "jupyter"
    tracker = home / "CONFIG/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))  # every cell is in the page, seen or not
    expose = {"LabApp": {"expose_app_in_browser": True}}  # the page hands its commands to the test
    (home / "CONFIG" / "jupyter_lab_config.json").write_text(json.dumps(expose))
    running = []

    def start(folder: Path, package: Path) -> RunningLab:
        running.append(RunningLab(folder, home, package))
        return running[-1]

    yield start
    for server in running:
        server.stop()
