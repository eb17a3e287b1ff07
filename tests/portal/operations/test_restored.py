"""The portal's database is lost, and a backup of it restored on another server: with PostgreSQL's own tools."""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from portal.home.management.commands.sweep import jobs
from portal.operations import cancel, continuity, holds, tasks
from portal.operations.models import Action, Attempt, Concern, Operation
from portal.operations.sweep import once
from sandbox import processes, servers
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.operations.engine import everybody_tries, posts, sent
from tests.sandbox_server import Sandbox
from tests.settings import OWNER_DATABASE

pytestmark = pytest.mark.django_db(transaction=True)


def tool(name: str, *arguments: str) -> None:
    subprocess.run([servers.postgres_programs() / name, *arguments], check=True, timeout=120)


def backup(to: Path) -> None:
    """Dump the test's database as its owner."""
    database = connection.settings_dict
    password = quote(OWNER_DATABASE["PASSWORD"], safe="")
    owner = f"postgresql://{OWNER_DATABASE['USER']}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    tool("pg_dump", "--format=custom", f"--file={to}", owner)


@contextmanager
def restored(dump: Path) -> Iterator[servers.Postgres]:
    """Restore the dump on a server of its own, and let the portal in this process work with that one."""
    folder = Path(tempfile.mkdtemp(prefix="portal-restored-"))
    folder.chmod(0o711)
    server = servers.Postgres(folder / "data", processes.free_port(), secrets.token_urlsafe(), durable=False)
    process = server.start(subprocess.DEVNULL)
    before = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "PASSWORD")}
    owner, portal, name = secrets.token_urlsafe(), secrets.token_urlsafe(), connection.settings_dict["NAME"]
    try:
        server.add_role("portal_owner", owner)
        server.add_role("portal_app", portal)
        server.add_database(name, "portal_owner")
        tool("pg_restore", f"--dbname={server.url('portal_owner', owner, name)}", str(dump))
        connection.close()
        connection.settings_dict.update({"HOST": processes.LOOPBACK, "PORT": server.port, "PASSWORD": portal})
        yield server
    finally:
        connection.close()
        connection.settings_dict.update(before)
        processes.stop(process, server.ends_with)
        shutil.rmtree(folder, ignore_errors=True)


@told(
    Row(
        "PostgreSQL",
        "the portal's own database restored from a backup",
        "pg_dump, then a write, then pg_restore into another server",
        "nothing is sent until ITCare's actions since the backup have been read; what the portal does not remember "
        "is shown to a person, whose decision lets sends go",
        "It waits: all sends are on hold. The portal's database was restored, or another one took its place.",
    )
)
def test_what_was_sent_after_the_backup_is_shown_and_not_sent_a_second_time(
    cast: Cast, upstream: Sandbox, tmp_path: Path
) -> None:
    operation = queued(cast.developer, cast.approver)
    backup(tmp_path / "backup")
    assert (sent(operation).state, posts(upstream)) == ("running", 1)
    other = queued(cast.developer, cast.approver, name="another01")
    was = continuity.database()

    with restored(tmp_path / "backup"):
        # As the backup had it: approved, due, and nothing known of a write. What was approved since is lost.
        row = Operation.objects.get()
        assert (row.pk, row.state, row.sent_at, row.fence) == (operation.pk, "queued", None, 0)
        assert (Attempt.objects.count(), Action.objects.count(), continuity.database() == was) == (0, 0, False)
        # A worker may come before the sweep, and the backup is younger than any absence that would be noticed.
        tasks.send_operation(row.pk)
        assert (Operation.objects.get().state, Operation.objects.get().fence, posts(upstream)) == ("queued", 0, 1)

        once(jobs())
        everybody_tries(row)
        assert (Operation.objects.get().state, posts(upstream)) == ("queued", 1)
        hold = holds.held()
        assert hold is not None
        assert hold.why == (
            f"{continuity.RESTORED} ITCare did something meanwhile that the portal does not remember (1). "
            "Nothing is sent until somebody has dealt with it, or lets sends go."
        )
        (concern,) = Concern.objects.open()
        assert (concern.situation, concern.operation) == ("unknown_action", row)
        assert [action.resource_name for action in concern.actions.all()] == ["newpostgre01"]
        page = Page.of(signed_in(cast.developer).get(row.get_absolute_url()).content).one(id="live")
        assert [note.text for note in page.with_class("note")] == [
            f"Needs a person. {concern}",
            f"It waits: all sends are on hold. {hold.why}",
            f"It waits: somebody has to decide whether it was sent already. {concern.words} "
            "It does not go on by itself. You can cancel it: then it is not sent, and what ITCare did stays. "
            + cancel.LOSES,
        ]

        # The person sees that it was this one, and cancels it: that decides, and sends go again.
        cancel.cancel(Operation.objects.get(), cast.approver, with_password=True)
        once(jobs())
        assert (holds.held(), Concern.objects.open().count(), continuity.unbroken()) == (None, 0, True)
        again = queued(cast.developer, cast.approver, name=other.name)
        assert (sent(again).state, posts(upstream)) == ("running", 2)
        settle_down()
        # The first was written by the database that is lost.
        judge(upstream, besides=[("create", operation.name)])


def test_where_postgresql_tells_less_of_itself_the_database_alone_is_compared(cast: Cast, tmp_path: Path) -> None:
    whole = continuity.database().split("/")
    backup(tmp_path / "backup")
    with restored(tmp_path / "backup") as server:
        with server.connect(connection.settings_dict["NAME"]) as superuser:
            superuser.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        less = continuity.database().split("/")
    assert ([len(whole), len(less)], continuity.database().split("/")) == ([4, 2], whole)
