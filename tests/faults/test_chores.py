"""The sweep killed at each point of what it does beside carrying operations on, and cut off in each transaction of it.

`make test` takes two points of some that tell a person; `make faults` takes each point of each, and each cut.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from django.db.models import F
from pytest_django import Settings

from portal.audit.models import Entry
from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Part
from portal.operations import history, late, mails
from portal.operations.models import Concern, Operation
from portal.operations.sweep import once
from tests.faults.chores import CHORES, Chore, ready
from tests.faults.cutting import CUTS, through
from tests.faults.figures import EVERYTHING, Figures
from tests.faults.framing import Smtp
from tests.faults.judge import judge, later, named
from tests.faults.points import Point, clean, killed, points
from tests.faults.post import Post
from tests.faults.proxy import LOOPBACK, Proxy, Rule, cut
from tests.faults.scenes import Scenes
from tests.faults.steps import Stage, stage
from tests.faults.table import Row, told
from tests.faults.transactions import CAMPAIGN, GROUP
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

# Jobs of which test_crash_points and test_deeds hit each point.
OF_OPERATIONS = {
    "lapsed leases",
    "due operations",
    "running operations",
    "unclear operations",
    "clusters that somebody waits for",
    "lists of ITCare",
}
# Writes a line to a file, and nothing to the database.
WITHOUT_POINTS = {"head of the audit chain"}


@pytest.fixture
def post(settings: Settings) -> Iterator[Post]:
    """A mail server, for the portal in this process too, which does at once what nobody else has done."""
    with Post() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = LOOPBACK, server.port
        settings.SWEEP_PATIENCE_SECONDS = 0
        yield server


@pytest.fixture
def the_stage(portal_environment: dict[str, str], upstream: Sandbox, log: Path, post: Post) -> Iterator[Stage]:
    """Load the portal between proxies, one of them before the mail server."""
    with (
        Proxy((LOOPBACK, post.port), Smtp) as before_post,
        stage(
            portal_environment, upstream, log, before_post, EMAIL_URL=f"smtp://{LOOPBACK}:{before_post.port}"
        ) as made,
    ):
        yield made


class Played:
    """A chore that is made ready, for somebody to do it, and to be cut off in it.

    Args:
        chore: Which one.
        scenes: Where it is made ready.
        post: The mail server.
    """

    def __init__(self, chore: Chore, scenes: Scenes, post: Post) -> None:
        self._chore, self._scenes, self._post = chore, scenes, post
        self._about = ready(chore, scenes)
        self._entries = Entry.objects.order_by("-number").values_list("number", flat=True).first() or 0
        self._letters = len(post.letters)

    def done_once(self) -> None:
        """Let the sweep do it if it is not done, and look: it is done once, told once, and mailed as often as promised.

        A mail leaves at least once: twice only where it had left, and that could not be written down.
        """
        left = len(self._post.letters) - self._letters
        again = left and Concern.objects.open().filter(told_at=None).exists()
        for _ in range(2):
            time_passes()
            once(named(self._chore.job))
        time_passes()
        mails.tell()
        entries = Entry.objects.filter(number__gt=self._entries).order_by("number")
        assert tuple(entries.values_list("verb", flat=True)) == self._chore.told
        assert self._chore.done(self._about)
        assert len(self._post.letters) - self._letters == self._chore.mails + again
        assert not Concern.objects.open().filter(told_at=None).exists()
        self._chore.ends(self._scenes, self._about)


def time_passes() -> None:
    """Let what was begun, and not brought to its end, be due again."""
    later()
    Concern.objects.filter(told_at=None).update(tell_at=F("tell_at") - mails.AGAIN)
    Operation.objects.update(searched_at=F("searched_at") - late.AGAIN_AFTER)
    Part.objects.update(wanted_at=F("wanted_at") - history.AGAIN)


def undisturbed(chore: Chore, scenes: Scenes, post: Post) -> Sequence[Point]:
    """Do it without a fault; answers the points that there are."""
    played = Played(chore, scenes, post)
    found = list(points(clean(scenes.stage, chore.job)))
    played.done_once()
    return found


# Where time is short: those of which more than one thing is written down, so that the second could be lost.
ALWAYS = ("another one shows up", "a mail", "a history", "drifted")


def chosen(found: Sequence[Point]) -> Sequence[Point]:
    """All in a campaign; where time is short the one in the middle, and the one before the last commit."""
    return found if EVERYTHING else [found[len(found) // 2], found[-2]]


def test_each_job_of_the_sweep_is_killed_at_its_points() -> None:
    here = {chore.job for chore in CHORES.values()}
    assert sorted([*OF_OPERATIONS, *WITHOUT_POINTS, *here]) == sorted(job.name for job in jobs())


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "the sweep killed at any point of what it does beside carrying operations on",
        "SIGKILL before and after each commit, and before, in the middle of and after each request and each word to "
        "the mail server, in each of its jobs: late actions, what takes too long, drift, histories, what was missed "
        "while the portal was away, mails, requests that end by themselves, passwords past their time, and the others",
        "the next pass does it: it is done, and told in the audit log and to a person, once; a mail leaves once, or "
        "twice where it had left and that could not be written down",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize(
    "names",
    [pytest.param([name], id=name) for name in CHORES] if EVERYTHING else [pytest.param(ALWAYS, id="some")],
)
def test_killed_at_each_point(
    names: Sequence[str], scenes: Scenes, post: Post, figures: Figures, subtests: pytest.Subtests
) -> None:
    for name in names:
        chore = CHORES[name]
        found = undisturbed(chore, scenes, post)
        for point in chosen(found):
            with subtests.test(f"{name}, {point}"):
                played = Played(chore, scenes, post)
                killed(scenes.stage, chore.job, point)
                played.done_once()
                figures.struck(points=1, kills=1)
    judge(scenes.upstream, besides=scenes.besides)


# Cut there in every run; the others are of the campaign.
CUT = {("drifted", "before each commit")}


@told(
    Row(
        GROUP,
        "a connection cut in a transaction of what the sweep does beside carrying operations on",
        "a proxy closes it before, and after, each commit, and before each statement, in each of its jobs",
        "all of the transaction or nothing of it; no row is blamed for it; the next pass does it, and it is told once",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize(
    ("name", "where"),
    [pytest.param(name, where, marks=() if (name, where) in CUT else CAMPAIGN) for name in CHORES for where in CUTS],
)
def test_a_cut_connection_leaves_nothing_half_done(
    scenes_here: Scenes, post: Post, figures: Figures, name: str, where: str
) -> None:
    """Cut at the first of such messages, then at the second with something new, and so on to the last one."""
    chore, (fits, moment) = CHORES[name], CUTS[where]
    for number in count(1):
        played = Played(chore, scenes_here, post)
        rule = Rule(fits, moment, cut, number)
        with through(rule):
            once(named(chore.job))
        played.done_once()
        if not rule.done.is_set():
            break
        figures.struck()
    assert number > 1
    judge(scenes_here.upstream, besides=scenes_here.besides)
