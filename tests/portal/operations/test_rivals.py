"""What is said of one operation names others, and tells what these ask for only within their own service."""

import pytest
from django.core import mail

from portal.audit.models import Entry
from portal.operations import mails
from portal.operations.models import Concern, Operation
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Page
from tests.portal.operations.engine import settled, tells
from tests.portal.operations.test_late import given_up
from tests.portal.operations.test_settle import told, unclear
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("same", [True, False])
def test_the_title_of_a_rival_is_told_within_its_service_only(cast: Cast, upstream: Sandbox, *, same: bool) -> None:
    first = given_up(cast, unclear(cast, upstream))
    service = cast.service if same else cast.other_service
    Operation.objects.filter(pk=first.pk).update(service=service, title="Create what is secret")
    second = unclear(cast, upstream)
    upstream.set_faults(tells([told(90_001)]))
    second = settled(second)
    concern = Concern.objects.get(operation=second)
    whose = f"operation {first.pk}, Create what is secret" if same else f"operation {first.pk}"
    assert concern.words.endswith(f"It fits {whose} too, which ended without its action.")
    mails.tell()
    entries = Entry.objects.filter(subject_id=str(second.pk)).values_list("detail", flat=True)
    texts = {
        "message": second.message,
        "page": Page.of(signed_in(cast.approver).get(concern.get_absolute_url()).content).text,
        "operation": Page.of(signed_in(cast.approver).get(second.get_absolute_url()).content).text,
        "mail": "".join(str(message.body) for message in mail.outbox),
        "log": str(list(entries)),
    }
    expected = {"page", "operation", "mail", "log"} if same else set()
    assert {where for where, text in texts.items() if "secret" in text} == expected
