"""The way of a request: journal, faults, token, address, answer."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sandbox.answers import actions
from sandbox.answers.moments import moment
from sandbox.auth import Tokens
from sandbox.contract import Contract
from sandbox.exchange import MEDIA_TYPE, Refusal, Reply, Request
from sandbox.fault_kinds import Fault
from sandbox.faults import WRITES, BadRulesError, Faults
from sandbox.interventions import Interventions
from sandbox.routes.actions import Actions
from sandbox.routes.clusters import Clusters
from sandbox.routes.resources import Resources
from sandbox.routes.router import Router
from sandbox.state import StateFile
from sandbox.world.stories import Order
from sandbox.world.world import Founding, World

JSON_TYPES = frozenset({"application/json", MEDIA_TYPE})
_CLUSTER = re.compile(r"/_sandbox/clusters/(?P<number>\d{1,18})")
ACCEPTABLE = frozenset({"*/*", "application/*", *JSON_TYPES})


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
            BadStateError: the state file holds something else.
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
        self._interventions = Interventions(self.world)
        self._controls: Mapping[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/_sandbox/writes"): self._written,
            ("GET", "/_sandbox/faults"): lambda _: _plain(HTTPStatus.OK, self.faults.shown()),
            ("PUT", "/_sandbox/faults"): lambda request: self._set_faults(self.faults.replace, request.payload),
            ("POST", "/_sandbox/faults"): lambda request: self._set_faults(self.faults.add, request.payload),
            ("DELETE", "/_sandbox/faults"): lambda _: self._set_faults(self.faults.replace, []),
            ("DELETE", "/_sandbox/tokens"): self._end_tokens,
            ("POST", "/_sandbox/actions/next"): lambda _: self._hasten(self.world.tell_next),
            ("POST", "/_sandbox/actions/end"): lambda _: self._hasten(self.world.end_all),
        }
        contract = Contract(options.contract, narrow_password=options.narrow_password)
        self._router = Router(
            clusters=Clusters(self.world, contract, account=options.client_id),
            resources=Resources(self.world),
            actions=Actions(self.world),
            without=options.without,
        )
        if state is not None:
            self.world.restore(state["world"])
            self.tokens.restore(state["tokens"])
            self.faults.replace(state["faults"])
            self._writes = state["writes"]
        self._save()

    def now(self) -> float:
        """Seconds since 1970, by the clock that everything here goes by."""
        return self._clock()

    # --- answering -----------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer a request below the API's base."""
        if request.method in WRITES:
            self._note(request)
        fault = self._fault(request)
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
        fault = self._fault(request)
        reply = fault.instead(self._wait)
        if reply is None:
            with self.world.lock:
                reply = self.tokens.issue(request)
            self._save()
            reply = fault.afterwards(reply, self._wait)
        return reply

    def answer_control(self, request: Request) -> Reply:
        """Answer a request below /_sandbox: no token is asked for."""
        cluster = _CLUSTER.fullmatch(request.path)
        if cluster is not None:
            return self._intervene(request, int(cluster["number"]))
        control = self._controls.get((request.method, request.path))
        if control is None:
            return _plain(HTTPStatus.NOT_FOUND, {"error": "no such address"})
        return control(request)

    def waited(self, seconds: float) -> bool:
        """Wait that long; return false when the server stops meanwhile."""
        return not self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the waiting of late answers and save."""
        self._stopping.set()
        self._save()

    # --- inside --------------------------------------------------------------------------------------------------

    def _fault(self, request: Request) -> Fault:
        fault = self.faults.take(request)
        if fault is None:
            return Fault()
        self._save()
        return fault

    def _routed(self, request: Request, fault: Fault) -> Reply:
        if request.path == "/health" and request.method == "GET":
            return Reply(HTTPStatus.OK, {"status": "UP"})
        if not self.tokens.accepts(request.headers.get("authorization", "")):
            return Reply(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        _check_media_types(request)

        def carry(order: Order) -> Reply:
            return Reply(HTTPStatus.ACCEPTED, actions.accepted(self.world.accept(fault.order(order))))

        return self._router.answer(request, carry)

    def _intervene(self, request: Request, number: int) -> Reply:
        with self.world.lock:
            self.world.advance()
            reply = self._interventions.answer(request, number)
        if request.method != "GET":
            self._save()
        return reply

    def _written(self, _request: Request) -> Reply:
        with self.world.lock:
            return _plain(HTTPStatus.OK, list(self._writes))

    def _end_tokens(self, _request: Request) -> Reply:
        with self.world.lock:
            self.tokens.revoke_all()
        self._save()
        return _plain(HTTPStatus.OK, [])

    def _hasten(self, how: Callable[[], None]) -> Reply:
        with self.world.lock:
            self.world.advance()
            how()
            left = [action.id for action in self.world.running()]
        self._save()
        return _plain(HTTPStatus.OK, left)

    def _set_faults(self, how: Callable[[Any], None], rules: Any) -> Reply:  # noqa: ANN401 - any JSON
        try:
            how(rules)
        except BadRulesError as error:
            return _plain(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        self._save()
        return _plain(HTTPStatus.OK, self.faults.shown())

    def _note(self, request: Request) -> None:
        """Keep a write before anything is made of it, so that refused and dropped ones are there too."""
        with self.world.lock:
            self._writes.append(
                {
                    "at": moment(self._clock()),
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
        self.waited(seconds)


def _plain(status: HTTPStatus, body: object) -> Reply:
    return Reply(status, body, media_type="application/json")


def _check_media_types(request: Request) -> None:
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")}
    if not accepted & ACCEPTABLE:
        raise Refusal(Reply(HTTPStatus.NOT_ACCEPTABLE))
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and sent not in JSON_TYPES:
        raise Refusal(Reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
