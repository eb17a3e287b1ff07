"""Starts the demo's processes, shows what they say, brings back what crashed, stops all of them in order."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil

from sandbox import processes
from sandbox.processes import NotReadyError

COLOURS = {"demo": 0, "web": 32, "worker": 36, "sweep": 35, "sandbox": 33, "redis": 31, "postgres": 34, "setup": 90}
CRASHES, CRASH_SECONDS = 5, 60.0
LOG_BYTES = 5_000_000


class Terminal(logging.Formatter):
    """One line with the process's name in front, in its colour when a person looks."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for the terminal."""
        name = record.name.rpartition(".")[2]
        prefix = f"{name:<8} |"
        if self.colours:
            prefix = f"\x1b[{COLOURS[name]}m{prefix}\x1b[0m"
        return f"{prefix} {record.getMessage()}"


def set_up_logs(folder: Path) -> None:
    """Show each process's lines in the terminal, and keep them in the folder, one file a process."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The terminal may be gone while we still stop everything.
    logging.raiseExceptions = False
    terminal = logging.StreamHandler(sys.stdout)
    terminal.setFormatter(Terminal())
    for name in COLOURS:
        log = logging.getLogger(f"demo.{name}")
        log.setLevel(logging.INFO)
        log.propagate = False
        log.handlers = [terminal, RotatingFileHandler(folder / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1)]


def say(sentence: str) -> None:
    """Tell the person who started the demo something."""
    logging.getLogger("demo.demo").info("%s", sentence)


@dataclass(frozen=True)
class Service:
    """A process that runs as long as the demo does."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    ends_with: signal.Signals = signal.SIGTERM
    # Seconds to end by itself before it is killed.
    patience: float = 20.0


@dataclass
class Running:
    """A service with its process, and when it crashed lately."""

    service: Service
    process: subprocess.Popen[bytes]
    crashes: deque[float] = field(default_factory=lambda: deque(maxlen=CRASHES))
    left_down: bool = False


class Supervisor:
    """The demo's processes. Use it from the main thread alone: children are tied to the thread that starts them."""

    def __init__(self, folder: Path) -> None:
        """Keep one file with the process id per service in the folder; end what a killed demo left there."""
        self._folder = folder
        self._running: list[Running] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in sorted(folder.glob("*.pid")):
            _end_left_over(file)

    def run(self, name: str, command: tuple[str, ...], environment: dict[str, str], cwd: Path) -> None:
        """Run a command to its end.

        Raises:
            NotReadyError: it failed, in one sentence.
        """
        process = processes.start(command, output=subprocess.PIPE, environment=environment, cwd=cwd)
        reader = _show(name, process)
        try:
            code = process.wait()
        except BaseException:
            processes.stop(process)
            raise
        reader.join()
        if code:
            words = " ".join(command[1:])
            message = f"`{words}` failed with code {code}; what it said is above and in log/{name}.log."
            raise NotReadyError(message)

    def add(self, service: Service) -> subprocess.Popen[bytes]:
        """Start a service and return its process. Services are stopped in the reverse order of their start.

        Raises:
            NotReadyError: it does not start, in one sentence.
        """
        running = Running(service, self._start(service))
        self._running.append(running)
        return running.process

    def _start(self, service: Service) -> subprocess.Popen[bytes]:
        process = service.start()
        (self._folder / f"{service.name}.pid").write_text(f"{process.pid}\n", encoding="ascii")
        _show(service.name, process)
        return process

    def watch(self) -> None:
        """Bring back what crashes, for ever.

        A process that somebody stopped on purpose (SIGTERM, SIGINT, or its own orderly end) stays down: that is how one
        tries the portal without Redis or without a worker.

        Raises:
            NotReadyError: a process crashes again and again.
        """
        while True:
            time.sleep(0.2)
            for running in self._running:
                if running.process.poll() is not None and not running.left_down:
                    self._ended(running)

    def _ended(self, running: Running) -> None:
        name, code = running.service.name, running.process.returncode
        if code in {0, -signal.SIGTERM, -signal.SIGINT}:
            running.left_down = True
            say(f"{name} was stopped and stays so; the next `make demo` starts it again.")
            return
        now = time.monotonic()
        running.crashes.append(now)
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        if len(running.crashes) == CRASHES and now - running.crashes[0] < CRASH_SECONDS:
            message = f"{name} ended {how}, the {CRASHES}th time within a minute: its log is log/{name}.log."
            raise NotReadyError(message)
        say(f"{name} ended {how}: starting it again.")
        time.sleep(1)
        try:
            running.process = self._start(running.service)
        except NotReadyError as error:
            say(str(error))

    def stop(self) -> None:
        """Stop everything, the last one started first; whoever presses Ctrl-C meanwhile does not want to wait."""
        patient = True
        if self._running:
            say("Stopping everything; once more Ctrl-C does not wait.")
        while self._running:
            running = self._running[-1]
            seconds = running.service.patience if patient else 1.0
            try:
                if not processes.stop(running.process, running.service.ends_with, seconds=seconds):
                    say(f"{running.service.name} did not stop within {seconds:.0f} seconds and was killed.")
            except KeyboardInterrupt:
                patient = False
                continue
            (self._folder / f"{running.service.name}.pid").unlink(missing_ok=True)
            self._running.pop()


def _show(name: str, process: subprocess.Popen[bytes]) -> threading.Thread:
    log = logging.getLogger(f"demo.{name}")

    def pump() -> None:
        if process.stdout:
            with process.stdout as lines:
                for line in lines:
                    log.info("%s", line.decode(errors="replace").rstrip())

    reader = threading.Thread(target=pump, name=f"log of {name}", daemon=True)
    reader.start()
    return reader


def _end_left_over(file: Path) -> None:
    """End the process of a demo that was killed before it could stop it."""
    with suppress(ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(file.read_text(encoding="ascii")))
        # Younger than the file: another process that got the number later.
        if process.create_time() <= file.stat().st_mtime:
            say(f"Ending {file.stem}, process {process.pid}, which a killed demo left behind.")
            process.terminate()
            try:
                process.wait(5)
            except psutil.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    file.unlink()
