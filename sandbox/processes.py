"""Child processes that never outlive us, even when we are killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")
LOOPBACK = "127.0.0.1"


class NotReadyError(Exception):
    """A server did not begin to answer; its text is one sentence for the person who started it."""


def start(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes],
    ends_with: signal.Signals = signal.SIGTERM,
    account: str = "-",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C in the terminal reaches us alone and we stop it in order.

    Call it from a thread that lives as long as the child should: the kernel ties the child to the thread (prctl(2)).

    Args:
        command: the program and its arguments.
        output: where standard output and error go, as for Popen.
        ends_with: what the child is sent when we die.
        account: the account to run under, "-" for our own; needs root.
        cwd: the folder to run in.
        environment: the whole environment, ours when None.
    """
    tie: list[str | Path] = [sys.executable, "-I", "-S", LAUNCH, ends_with.name, str(os.getpid()), account]
    return subprocess.Popen(  # noqa: S603 - the commands are our own
        [*tie, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=cwd,
        env=environment,
    )


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM, *, seconds: float = 20.0) -> bool:
    """Signal a child and wait for its end; kill its whole session when that takes too long.

    Args:
        process: a child made by `start`.
        number: the signal that asks it to end.
        seconds: how long to wait before killing.

    Returns:
        False when it had to be killed.
    """
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def free_port() -> int:
    """Return a loopback TCP port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on this port."""
    with socket.socket() as probe:
        # As servers do: a connection of the last run that lingers in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, *, seconds: float = 30.0
) -> None:
    """Ask `ready` again and again until it is True.

    Raises:
        NotReadyError: the process ended, or the time in seconds is over.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            message = f"{name} ended at its start with code {process.returncode}."
            raise NotReadyError(message)
        if time.monotonic() > deadline:
            message = f"{name} did not answer within {seconds:.0f} seconds."
            raise NotReadyError(message)
        time.sleep(0.03)
