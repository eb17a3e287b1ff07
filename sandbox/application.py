"""The way of a request: journal, faults, token, address, answer."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sandbox import answers
from sandbox.auth import Tokens
from sandbox.contract import Contract
from sandbox.exchange import MEDIA_TYPE, NOT_FOUND, Refusal, Reply, Request, invalid
from sandbox.faults import WRITES, BadRulesError, Fault, Faults
from sandbox.routes import places
from sandbox.routes.actions import Actions
from sandbox.routes.clusters import Clusters
from sandbox.routes.resources import Resources
from sandbox.state import StateFile
from sandbox.world.model import Action
from sandbox.world.stories import Order
from sandbox.world.world import Founding, World

LARGEST_ID = 2**63 - 1
GUESSED = {"services": "/compute/services", "networks": "/networks", "regions": "/regions"}
JSON_TYPES = frozenset({"application/json", MEDIA_TYPE})
ACCEPTABLE = frozenset({"*/*", "application/*", *JSON_TYPES})

_NUMBERED = (
    (re.compile(r"/databases/postgresql/(\d{1,20})"), "cluster"),
    (re.compile(r"/databases/postgresql/(\d{1,20})/([a-z]+)"), "part"),
    (re.compile(r"/compute/resources/(\d{1,20})/history"), "history"),
    (re.compile(r"/actions/(\d{1,20})"), "action"),
)


@dataclass(frozen=True)
class Options:
    """How a sandbox is to be."""

    state: Path
    contract: Path
    client_id: str
    client_secret: str = field(repr=False)
    clusters: int = 40
    seed: int = 1
    speed: float = 1.0
    token_seconds: float = 1200.0
    narrow_password: bool = False
    without: frozenset[str] = frozenset()


class Application:
    """Everything behind the listener. Safe to call from many threads."""

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.time) -> None:
        """Found the world, or continue the one in the state file.

        Raises:
            OSError: the contract or the state cannot be read.
            ValueError: the state file holds something else.
        """
        self._options = options
        self._stopping = threading.Event()
        self._file = StateFile(options.state)
        self._clock = clock
        self._writes: list[dict[str, Any]] = []
        self.faults = Faults()
        self.tokens = Tokens(options.client_id, options.client_secret, seconds=options.token_seconds, clock=clock)
        state = self._file.load()
        seed = options.seed if state is None else state["seed"]
        epoch = round(clock(), 3) if state is None else state["epoch"]
        self.world = World(
            Founding(seed=seed, count=options.clusters, epoch=epoch),
            speed=options.speed,
            account=options.client_id,
            clock=clock,
        )
        self._actions = Actions(self.world)
        contract = Contract(options.contract, narrow_password=options.narrow_password)
        self._clusters = Clusters(self.world, contract, account=options.client_id)
        self._resources = Resources(self.world)
        if state is not None:
            self.world.restore(state["world"])
            self.tokens.restore(state["tokens"])
            self.faults.replace(state["faults"])
            self._writes = state["writes"]
        self._save()

    # --- answering -----------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer a request below the API's base."""
        if request.method in WRITES:
            self._note(request)
        fault = self.faults.take(request) or Fault()
        reply = fault.instead(self._wait)
        if reply is None:
            try:
                with self.world.lock:
                    self.world.advance()
                    reply = self._routed(request, fault)
            except Refusal as refused:
                reply = refused.reply
            if request.method in WRITES:
                self._save()
            reply = fault.afterwards(reply, self._wait)
        return reply

    def answer_token(self, request: Request) -> Reply:
        """Answer a request for a token; faults with a path that begins with `/auth` hold here."""
        fault = self.faults.take(request) or Fault()
        reply = fault.instead(self._wait)
        if reply is None:
            with self.world.lock:
                reply = self.tokens.issue(request)
            self._save()
            reply = fault.afterwards(reply, self._wait)
        return reply

    def answer_control(self, request: Request) -> Reply:
        """Answer a request below /_sandbox: no token is asked for."""
        match request.method, request.path:
            case "GET", "/_sandbox/writes":
                with self.world.lock:
                    return _plain(HTTPStatus.OK, list(self._writes))
            case "GET", "/_sandbox/faults":
                return _plain(HTTPStatus.OK, self.faults.shown())
            case "PUT" | "POST" | "DELETE", "/_sandbox/faults":
                return self._set_faults(request)
            case "DELETE", "/_sandbox/tokens":
                with self.world.lock:
                    self.tokens.revoke_all()
                self._save()
                return _plain(HTTPStatus.OK, [])
        return _plain(HTTPStatus.NOT_FOUND, {"error": "no such address"})

    def stop(self) -> None:
        """End the waiting of late answers and save."""
        self._stopping.set()
        self._save()

    # --- inside --------------------------------------------------------------------------------------------------

    def _routed(self, request: Request, fault: Fault) -> Reply:
        if request.path == "/health" and request.method == "GET":
            return Reply(HTTPStatus.OK, {"status": "UP"})
        if not self.tokens.accepts(request.headers.get("authorization", "")):
            return Reply(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        _check_media_types(request)
        handler = self._handler(request, fault)
        return NOT_FOUND if handler is None else handler()

    def _handler(self, request: Request, fault: Fault) -> Callable[[], Reply] | None:
        def carry(order: Order) -> Reply:
            return _accepted(self.world.accept(fault.order(order)))

        if request.path in {GUESSED[name] for name in self._options.without}:
            return None
        fixed: dict[tuple[str, str], Callable[[], Reply]] = {
            ("GET", "/compute/resources"): lambda: self._resources.search(request),
            ("GET", "/compute/services"): lambda: places.services(request),
            ("GET", "/networks"): lambda: places.networks(request),
            ("GET", "/regions"): lambda: places.regions(request),
            ("GET", "/actions"): lambda: self._actions.search(request),
            ("POST", "/databases/postgresql"): lambda: self._clusters.create(request, carry),
        }
        if (request.method, request.path) in fixed:
            return fixed[request.method, request.path]
        if any(path == request.path for _, path in fixed):
            return lambda: Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        return self._numbered_handler(request, carry)

    def _numbered_handler(self, request: Request, carry: Callable[[Order], Reply]) -> Callable[[], Reply] | None:
        for pattern, name in _NUMBERED:
            found = pattern.fullmatch(request.path)
            if found is None:
                continue
            number = int(found[1])
            if number > LARGEST_ID:
                raise invalid("id", "is too large")
            handlers: dict[tuple[str, str], Callable[[], Reply]] = {
                ("GET", "cluster"): lambda: self._clusters.read(number),
                ("PATCH", "cluster"): lambda: self._clusters.patch(number, request),
                ("DELETE", "cluster"): lambda: self._clusters.delete(number, request, carry),
                ("GET", "part"): lambda: self._clusters.read_part(number, found[2]),
                ("GET", "history"): lambda: self._resources.history(number),
                ("GET", "action"): lambda: self._actions.read(number),
            }
            return handlers.get((request.method, name), lambda: Reply(HTTPStatus.METHOD_NOT_ALLOWED))
        return None

    def _set_faults(self, request: Request) -> Reply:
        try:
            match request.method:
                case "PUT":
                    self.faults.replace(request.payload)
                case "POST":
                    self.faults.add(request.payload)
                case _:
                    self.faults.replace([])
        except BadRulesError as error:
            return _plain(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        self._save()
        return _plain(HTTPStatus.OK, self.faults.shown())

    def _note(self, request: Request) -> None:
        """Keep a write before anything is made of it, so that refused and dropped ones are there too."""
        with self.world.lock:
            self._writes.append(
                {
                    "at": answers.moment(self._clock()),
                    "method": request.method,
                    "path": request.path,
                    "body": request.payload,
                }
            )
        self._save()

    def _save(self) -> None:
        self._file.save(self._gathered)

    def _gathered(self) -> dict[str, Any]:
        with self.world.lock:
            return {
                "seed": self.world.founding.seed,
                "epoch": self.world.founding.epoch,
                "world": self.world.as_state(),
                "tokens": self.tokens.as_state(),
                "faults": self.faults.shown(),
                "writes": list(self._writes),
            }

    def _wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)


def _accepted(action: Action) -> Reply:
    return Reply(HTTPStatus.ACCEPTED, answers.accepted(action))


def _plain(status: HTTPStatus, body: object) -> Reply:
    return Reply(status, body, media_type="application/json")


def _check_media_types(request: Request) -> None:
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")}
    if not accepted & ACCEPTABLE:
        raise Refusal(Reply(HTTPStatus.NOT_ACCEPTABLE))
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and sent not in JSON_TYPES:
        raise Refusal(Reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
