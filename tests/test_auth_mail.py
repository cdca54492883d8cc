"""Mail: sent to a real SMTP server after the commit, and never at the cost of a request."""

import socket
import threading
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from django.conf import settings as django_settings
from django.core import mail
from django.db import OperationalError, transaction
from django.template.loader import get_template
from django.utils import timezone

from tests.factories import PASSWORD, make_user
from users.models import OneTimeLink, OutgoingMail, User
from users.services import delivery
from users.services.mail import notify

ADA = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class Inbox(Message):
    """Keeps what it is handed."""

    def __init__(self):
        super().__init__()
        self.messages = []
        self.came = threading.Event()

    def handle_message(self, message):
        """Keep it."""
        self.messages.append(message)
        self.came.set()


class Refusing:
    """Takes no mail."""

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (aiosmtpd's name)
        """Refuse."""
        return "451 try again later"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def smtp(settings):
    """Starts a real SMTP server with a handler, and points the settings at it."""
    servers = []

    def start(handler):
        server = Controller(handler, hostname="127.0.0.1", port=free_port())
        server.start()
        servers.append(server)
        settings.EMAIL_BACKEND, settings.EMAIL_USE_TLS = BACKEND, False
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        return handler

    yield start
    for server in servers:
        server.stop()


@pytest.mark.django_db(transaction=True)
class TestDelivery:
    def test_a_registration_mails_a_link_over_smtp_from_a_thread(self, api, smtp, settings):
        settings.ACCOUNT_MAIL_DELIVERY = "background"
        inbox = smtp(Inbox())
        assert api.post("/api/auth/register/", ADA).status_code == 201
        assert inbox.came.wait(10)
        delivery.wait_for_deliveries()
        (message,) = inbox.messages
        assert message["To"] == "ada@example.com"
        assert message["From"] == settings.DEFAULT_FROM_EMAIL
        kinds = [part.get_content_type() for part in message.walk()]
        assert kinds == ["multipart/alternative", "text/plain", "text/html"]
        for part in list(message.walk())[1:]:
            assert "/api/auth/verify-email/" in part.get_payload(decode=True).decode()
        assert not OutgoingMail.objects.exists()

    def test_a_dead_mail_server_costs_no_request_and_no_mail(self, api, smtp, settings):
        settings.ACCOUNT_MAIL_DELIVERY = "background"
        settings.EMAIL_BACKEND, settings.EMAIL_USE_TLS = BACKEND, False
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
        assert api.post("/api/auth/register/", ADA).status_code == 201
        delivery.wait_for_deliveries()
        waiting = OutgoingMail.objects.get()
        assert waiting.attempts == 1
        assert waiting.due_at > timezone.now()
        inbox = smtp(Inbox())
        assert delivery.send_due() == 0
        OutgoingMail.objects.update(due_at=timezone.now())
        assert delivery.send_due() == 1
        assert inbox.messages[0]["Subject"] == "Verify your e-mail address"
        assert not OutgoingMail.objects.exists()

    def test_a_refused_mail_is_tried_again_and_at_last_given_up(self, smtp):
        smtp(Refusing())
        user = make_user()
        notify(user, "password_changed")
        waits = []
        for _ in range(delivery.MAX_ATTEMPTS):
            OutgoingMail.objects.update(due_at=timezone.now())
            before = timezone.now()
            assert delivery.send_due() == 0
            row = OutgoingMail.objects.first()
            waits.append(row and row.due_at - before)
        assert waits[-1] is None
        assert waits[0] < waits[1] < waits[2] < delivery.MAX_WAIT + timedelta(minutes=1)

    def test_nothing_is_sent_for_what_was_rolled_back(self, settings):
        settings.ACCOUNT_MAIL_DELIVERY = "background"
        user = make_user()
        with transaction.atomic():
            notify(user, "password_changed")
            transaction.set_rollback(True)
        delivery.wait_for_deliveries()
        assert mail.outbox == []
        assert not OutgoingMail.objects.exists()

    def test_two_senders_send_a_mail_once(self, smtp):
        inbox = smtp(Inbox())
        notify(make_user(), "password_changed")
        row = OutgoingMail.objects.get()
        barrier = threading.Barrier(4)
        gone = []

        def send():
            from django.db import connection

            barrier.wait()
            gone.append(delivery.deliver(row.pk))
            connection.close()

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(gone) == [False, False, False, True]
        assert len(inbox.messages) == 1


@pytest.mark.django_db
class TestSweep:
    def test_a_mail_that_cannot_be_written_holds_nobody_up(self, user, sent_mail):
        OutgoingMail.objects.create(kind="account_deleted", to="x@example.com\nBcc: y@example.com")
        notify(user, "password_changed")
        assert [message.to for message in sent_mail()] == [[user.email]]
        assert OutgoingMail.objects.get().attempts == 1

    def test_it_stops_when_the_mail_server_is_down(self, settings, monkeypatch):
        settings.EMAIL_BACKEND, settings.EMAIL_USE_TLS = BACKEND, False
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
        user = make_user()
        for _ in range(delivery.SWEEP_FAILURES + 3):
            notify(user, "password_changed")
        assert delivery.send_due() == 0
        assert OutgoingMail.objects.filter(attempts=1).count() == delivery.SWEEP_FAILURES

    def test_a_database_that_is_away_leaves_the_mail_for_the_sweep(self, user, monkeypatch, caplog):
        def away(pk):
            raise OperationalError

        monkeypatch.setattr(delivery, "deliver", away)
        delivery._deliver_in_thread(user.pk)
        assert "left for the sweep" in caplog.text

    def test_what_is_due_can_be_counted(self, user):
        notify(user, "password_changed")
        assert delivery.count_due() == 1

    def test_an_owner_is_warned_five_times_an_hour_from_however_many_places(self, api, sent_mail):
        make_user(email="ada@example.com")
        for number in range(8):
            body = ADA | {"username": f"eve{number}"}
            api.post("/api/auth/register/", body, REMOTE_ADDR=f"198.51.100.{number}")
        assert len(sent_mail()) == 5


@pytest.mark.django_db
class TestContent:
    @pytest.mark.parametrize("kind", sorted(delivery.SUBJECTS))
    def test_every_mail_has_a_text_and_an_html_body(self, user, sent_mail, kind):
        User.objects.filter(pk=user.pk).update(email_verified_at=None)
        notify(user, kind)
        (message,) = sent_mail()
        html = message.alternatives[0].content
        assert message.subject == delivery.SUBJECTS[kind]
        assert user.username in message.body
        assert user.username in html
        assert ("http://localhost:8000/api/auth/" in message.body) == (kind in delivery.LINKS)
        assert "{{" not in message.body + html

    def test_no_token_is_in_the_database_while_a_mail_waits(self, api, monkeypatch):
        monkeypatch.setattr(django_settings, "ACCOUNT_MAIL_DELIVERY", "sweep")
        api.post("/api/auth/register/", ADA)
        assert not OneTimeLink.objects.exists()
        assert "token" not in str(OutgoingMail.objects.values().get()["context"])

    def test_markup_of_a_user_agent_stays_text(self, user, sent_mail):
        from common.clients import Client

        notify(user, "new_device", client=Client(address="x", user_agent="<b>bold</b>"))
        (message,) = sent_mail()
        assert "<b>" not in message.alternatives[0].content
        assert "<b>bold</b>" in message.body

    def test_a_link_for_who_is_verified_already_is_not_sent(self, user, sent_mail):
        notify(user, "verify_email")
        assert sent_mail() == []
        assert not OutgoingMail.objects.exists()


def test_every_kind_has_its_own_words():
    for kind in delivery.SUBJECTS:
        assert get_template(f"users/mail/{kind}.txt")
