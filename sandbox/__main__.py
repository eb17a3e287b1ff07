"""`python -m sandbox`: start the stand-in ITCare and say where it listens."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.application import Application, Options
from sandbox.auth import TOKEN_PATH
from sandbox.httpd import BASE, Server
from sandbox.routes.router import GUESSED

CONTRACT = Path(__file__).parent.parent / "docs" / "itcare" / "openapi.yaml"


def main(words: Sequence[str] | None = None, *, say: Callable[[str], object] = sys.stdout.write) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status.

    Args:
        words: the command line's; None takes this process's own.
        say: told where it listens, once it does.
    """
    arguments = _arguments(words)
    options = Options(
        state=arguments.state,
        contract=arguments.contract,
        client_id=arguments.client_id,
        client_secret=arguments.client_secret,
        clusters=arguments.clusters,
        seed=arguments.seed,
        speed=arguments.speed,
        token_seconds=arguments.token_seconds,
        narrow_password=arguments.narrow_password,
        without=arguments.without,
    )
    try:
        application = Application(options, clock=lambda: time.time() + arguments.clock_shift)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 1
    try:
        server = Server((arguments.host, arguments.port), application)
    except OSError as error:
        sys.stderr.write(f"The sandbox cannot listen on {arguments.host}:{arguments.port}: {error.strerror}\n")
        return 1
    if application.world.founding.seed != options.seed:
        sys.stderr.write(f"{options.state} holds a world of seed {application.world.founding.seed}, which goes on\n")

    def stop(_number: int, _frame: object) -> None:
        # shutdown() waits for serve_forever(), which this handler interrupts: it needs a thread of its own.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    address = f"http://{arguments.host}:{server.server_port}"
    say(f"sandbox ready: {address}{BASE} (token address {address}{TOKEN_PATH})\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    application.stop()
    return 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in ITCare.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Path("var/sandbox.json"), help="file (default: %(default)s)")
    parser.add_argument("--speed", type=_positive, default=1.0, help="divides what actions take (default: 1)")
    parser.add_argument("--clock-shift", type=float, default=0.0, help="seconds added to the clock (default: 0)")
    parser.add_argument("--clusters", type=_count, default=40, help="to start with (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the data follows from (default: %(default)s)")
    parser.add_argument("--client-id", default=os.environ.get("SANDBOX_CLIENT_ID"))
    parser.add_argument("--client-secret", default=os.environ.get("SANDBOX_CLIENT_SECRET"))
    parser.add_argument("--token-seconds", type=_positive, default=1200.0, help="life of a token (default: 1200)")
    parser.add_argument("--narrow-password", action="store_true", help="ask for the narrower rule (API.md 7.1)")
    parser.add_argument("--without", type=_lists, default=frozenset(), help="of services,networks,regions: answer 404")
    parser.add_argument("--contract", type=Path, default=CONTRACT, help="openapi.yaml")
    arguments = parser.parse_args(words)
    if not arguments.client_id or not arguments.client_secret:
        parser.error("set --client-id and --client-secret, or SANDBOX_CLIENT_ID and SANDBOX_CLIENT_SECRET")
    return arguments


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _lists(text: str) -> frozenset[str]:
    names = frozenset(part for part in text.split(",") if part)
    if names - set(GUESSED):
        raise ValueError(text)
    return names


if __name__ == "__main__":
    sys.exit(main())
