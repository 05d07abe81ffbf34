"""Reminders by a real mail server on loopback: who gets what and when, and nothing twice."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import forked
import pytest
from killing import MAIL, die
from ledger_filled import fill_two_units, submit
from mail_server import MailServer, mail_server, make_certificate
from typer.testing import CliRunner

from followup.cli.main import app
from followup.reminding.letters import letter_of_failure
from followup.reminding.reminders import due_today, remind
from followup.reminding.settings import checked_address, load_mail_settings
from followup.tasks.reminders import MailNotSent, remind_and_log, report_failure_and_log
from ingest.contracts import load_contracts
from ingest.ledger import Ledger, acts, outbox
from ingest.ledger.decisions import lock_quarter
from ingest.quarters import Quarter
from ingest.settings import ROOT, Settings, SettingsError

AFTER = "2018-04-21T08:00:00"
"""The day after the deadline of 2018Q1, which is a day of reminders."""


@dataclass
class City:
    """An installation with a mail server; its clock is moved by the environment."""

    root: Path
    server: MailServer
    set_variable: Callable[[str, str], None]

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name.startswith("FOLLOWUP_")}

    def at(self, moment: str) -> None:
        self.set_variable("FOLLOWUP_NOW", moment)

    def ledger(self) -> Ledger:
        return Ledger(Settings().ledger)

    def submit(self, unit: str, dataset: str | None, state: str = "accepted", **changes: object) -> None:
        with closing(self.ledger()) as ledger:
            submit(ledger, unit, dataset, state, **changes)

    def submit_all(self, unit: str) -> None:
        with closing(self.ledger()) as ledger:
            for dataset in load_contracts():
                submit(ledger, unit, dataset)

    def run(self, *command: str, expect: int = 0) -> str:
        done = CliRunner().invoke(app, list(command))
        assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        return done.output

    def mailed(self) -> Counter[str]:
        return Counter(str(one["To"]) for one in self.server.taken)


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    with mail_server() as server:
        for name, value in {
            "FOLLOWUP_HOME": str(tmp_path / "home"),
            "FOLLOWUP_NOW": AFTER,
            "FOLLOWUP_MAIL_HOST": "127.0.0.1",
            "FOLLOWUP_MAIL_PORT": str(server.port),
            "FOLLOWUP_MAIL_TLS": "none",
            "FOLLOWUP_MAIL_SENDER": "uppfoljning@staden.example",
            "FOLLOWUP_MAIL_TEAM": "teamet@staden.example",
        }.items():
            monkeypatch.setenv(name, value)
        yield City(tmp_path, server, monkeypatch.setenv)


@pytest.fixture(scope="module")
def filled_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of `fill_two_units`."""
    root = tmp_path_factory.mktemp("filled")
    (root / "home").mkdir()
    with closing(Ledger(f"sqlite:///{root / 'home' / 'ledger.sqlite'}")) as ledger:
        fill_two_units(ledger)
    return root / "home" / "ledger.sqlite"


@pytest.fixture
def two_units(city: City, filled_ledger: Path) -> City:
    """An installation with that ledger."""
    (city.root / "home").mkdir()
    shutil.copy(filled_ledger, city.root / "home")
    return city


FARSTA, ALVSJO, TEAM = (
    "anna.berg@farsta.example, bo@farsta.example", "cecilia@alvsjo.example", "teamet@staden.example",
)  # fmt: skip


def test_each_unit_gets_one_mail_in_swedish_with_what_is_left_and_the_team_the_overview(two_units: City) -> None:
    printed = two_units.run("remind")
    assert "sent: reminder 2018-04-21 farsta" in printed
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}
    farsta, alvsjo, team = (
        next(one for one in two_units.server.taken if one["To"] == to) for to in (FARSTA, ALVSJO, TEAM)
    )
    assert farsta["Subject"] == "Farsta: 2 saker kvar för kvartal 1 2018"
    said = farsta.get_content()
    assert "Sista dagen var 20 april 2018." in said
    assert "Togs inte in. Rätta felen" in said and "- Ärenden (version 1 gäller tills vidare)" in said
    assert "3 frågor" in said and "Saknas" not in said
    assert "Saknas:" in alvsjo.get_content() and alvsjo["Subject"].startswith("Älvsjö: 9 saker kvar")
    overview = team.get_content()
    assert "0 av 14 enheter är klara" in overview
    assert "- Farsta: 1 togs inte in, 3 öppna frågor; påminnelse till 2 kontakter" in overview
    assert "- Bromma: 9 saknas; ingen kontakt är anmäld" in overview


def test_mail_is_marked_as_sent_by_a_program_and_holds_swedish_letters(two_units: City) -> None:
    two_units.run("remind")
    for one in two_units.server.taken:
        assert one["Auto-Submitted"] == "auto-generated"
        assert one["From"] == "Stadens uppföljning <uppfoljning@staden.example>"
        assert one["Date"].datetime.date() == date(2018, 4, 21)
        assert (one.get_content_type(), one.get_content_charset()) == ("text/plain", "utf-8")
        assert one["Content-Transfer-Encoding"] == "quoted-printable"
        assert one["Message-ID"].endswith("@staden.example>")
    assert len({one["Message-ID"] for one in two_units.server.taken}) == 3


def test_no_text_of_a_file_and_nothing_personal_is_mailed(two_units: City) -> None:
    two_units.submit("alvsjo", None, "refused", submitted_at=datetime(2018, 4, 9))
    two_units.run("remind")
    whole = "\n".join(f"{one}\n{one.get_content()}" for one in two_units.server.taken)
    assert "1 fil gick inte att känna igen på namnet" in whole
    for part in ("calc", "20050505", "cmd", ".csv", "ARE-001"):
        assert part not in whole


def test_a_second_run_of_the_same_day_sends_nothing(two_units: City) -> None:
    two_units.run("remind")
    assert "Nobody is left to be reminded today" in two_units.run("remind")
    two_units.at("2018-04-21T23:30:00")
    two_units.run("remind")
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_days_before_and_after_the_deadline_and_none_between_them(two_units: City) -> None:
    days = []
    for day in (1, 9, 10, 11, 17, 20, 21, 22, 28, 60):
        two_units.server.taken.clear()
        two_units.at(f"{date(2018, 3, 31) + timedelta(days=day)}T08:00:00")
        two_units.run("remind")
        if ALVSJO in two_units.mailed():
            days.append(day)
            text = next(one for one in two_units.server.taken if one["To"] == ALVSJO).get_content()
            assert ("Har inte kommit än:" in text) == (day <= 20)
    assert days == [10, 17, 21, 28]  # on day 60 the lock is proposed, and units are left alone


def test_a_day_on_which_nothing_ran_is_made_up_for_within_a_week_once(two_units: City) -> None:
    two_units.at("2018-04-24T08:00:00")
    two_units.run("remind")
    two_units.at("2018-04-25T08:00:00")
    two_units.run("remind")
    assert two_units.mailed()[ALVSJO] == 1


def test_a_unit_that_is_done_and_a_locked_quarter_get_no_mail(two_units: City) -> None:
    two_units.submit_all("farsta")
    two_units.run("remind")
    assert FARSTA not in two_units.mailed()
    two_units.server.taken.clear()
    with closing(two_units.ledger()) as ledger:
        lock_quarter(ledger, Quarter(2018, 1), datetime(2018, 4, 22))
    two_units.at("2018-04-28T08:00:00")
    two_units.run("remind")
    assert two_units.mailed() == {}


def test_dry_run_prints_all_of_it_and_changes_nothing(two_units: City) -> None:
    printed = two_units.run("remind", "--dry-run")
    assert f"To: {FARSTA}" in printed and "Subject: Farsta: 2 saker kvar" in printed and "would be sent: 3." in printed
    assert two_units.mailed() == {}
    with closing(two_units.ledger()) as ledger:
        assert outbox.waiting_mail(ledger) == []


def test_without_a_mail_server_set_up_a_plain_message_and_nothing_breaks(
    two_units: City, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("FOLLOWUP_MAIL_HOST")
    assert "No mail is set up" in two_units.run("remind")
    caplog.set_level("INFO")
    assert remind_and_log() == 0
    report_failure_and_log("build_marts", "a run")
    assert "nobody is reminded" in caplog.text and "the team is sent nothing" in caplog.text
    assert two_units.mailed() == {}


@pytest.mark.kill
@pytest.mark.parametrize("step", [2, 5, 8])
def test_a_run_killed_while_it_talks_to_the_server_sends_nothing_twice(two_units: City, step: int) -> None:
    """The steps: greeting, sender, recipients, DATA, the text, goodbye; then the next mail."""
    done = die(
        forked.COMMAND_LINE, "remind", environment=two_units.environment, watched="", step=step, kinds=(MAIL,)
    )  # fmt: skip
    assert done.was_killed, done.err
    two_units.run("remind")
    two_units.run("remind")
    mailed = two_units.mailed()
    assert set(mailed.values()) == {1}
    assert len(mailed) >= 2  # the one that was under way may not have been taken; the others are sent
    listed = two_units.run("remind", "--sent")
    assert listed.count("unsure, never sent again") == 1
    two_units.at("2018-04-28T08:00:00")
    two_units.run("remind")
    unsure = {one["To"]: one.get_content() for one in two_units.server.taken[sum(mailed.values()) :]}
    assert "Det går inte att veta om dessa brev kom fram" in unsure[TEAM]


@pytest.mark.kill
def test_a_run_killed_after_the_server_took_the_mail_and_before_it_heard_so_sends_it_once(two_units: City) -> None:
    started = forked.start(forked.COMMAND_LINE, "remind", environment=os.environ | two_units.environment)
    two_units.server.on_taken = lambda message: os.kill(started.pid, signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    two_units.server.on_taken = lambda message: None
    two_units.run("remind")
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_two_processes_at_once_send_each_mail_once(two_units: City) -> None:
    both = [
        forked.start(forked.COMMAND_LINE, "remind", environment=os.environ | two_units.environment) for _ in range(2)
    ]
    assert [one.wait() for one in both] == [0, 0]
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_a_server_that_is_out_of_reach_is_said_and_what_waits_is_sent_the_same_day(two_units: City) -> None:
    port = os.environ["FOLLOWUP_MAIL_PORT"]
    two_units.set_variable("FOLLOWUP_MAIL_PORT", "1")
    assert "can't be reached" in two_units.run("remind", expect=3)
    with pytest.raises(MailNotSent):
        remind_and_log()
    two_units.set_variable("FOLLOWUP_MAIL_PORT", port)
    two_units.run("remind")
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_what_was_not_sent_on_its_day_is_not_sent_later(two_units: City) -> None:
    two_units.server.answer = "451 later"
    two_units.run("remind", expect=3)
    assert "would be sent: 3." in two_units.run("remind", "--dry-run")  # those that wait
    two_units.server.answer = "250 OK"
    two_units.at("2018-04-22T08:00:00")
    assert "would be sent: 0." in two_units.run("remind", "--dry-run")
    assert "Nobody is left to be reminded" in two_units.run("remind")
    assert "expired" in two_units.run("remind", "--sent")


def test_a_server_that_refuses_a_mail_for_good_is_said_once_and_the_others_get_theirs(two_units: City) -> None:
    two_units.server.answer_to = lambda address: "550 no such user" if "alvsjo" in address else None
    assert "reminder 2018-04-21 alvsjo" in two_units.run("remind", expect=1)
    two_units.run("remind")
    assert two_units.mailed() == {FARSTA: 1, TEAM: 1}
    assert "alvsjo: refused, 1 recipients (the mail server takes none of the 1 recipients (550))" in two_units.run(
        "remind", "--sent"
    )


def test_one_address_that_is_refused_does_not_keep_the_mail_from_the_other(two_units: City) -> None:
    two_units.server.answer_to = lambda address: "550 no" if address.startswith("bo@") else None
    two_units.run("remind")
    assert two_units.mailed()[FARSTA] == 1
    assert "not taken for 1 of 2 recipients" in two_units.run("remind", "--sent")


def test_a_connection_that_ends_before_the_answer_leaves_a_mail_unsure_and_never_sent_again(two_units: City) -> None:
    two_units.set_variable("FOLLOWUP_MAIL_TIMEOUT_SECONDS", "0.3")
    two_units.server.late_answers = 1
    assert "unsure, and never sent again" in two_units.run("remind")
    two_units.run("remind")
    assert two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_mail_goes_by_starttls_with_a_login_to_a_server_whose_certificate_is_believed(
    two_units: City, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    secret = tmp_path / "secret"
    secret.write_text("s3kret\n")
    secret.chmod(0o600)
    with mail_server(certificate) as server:
        for name, value in {
            "PORT": str(server.port), "TLS": "starttls", "USER": "uppfoljning", "LOGIN_FILE": str(secret),
        }.items():  # fmt: skip
            two_units.set_variable(f"FOLLOWUP_MAIL_{name}", value)
        assert "certificate is not believed" in two_units.run("remind", expect=3)
        assert server.logins == []
        two_units.set_variable("FOLLOWUP_MAIL_CA_FILE", str(certificate))
        secret.chmod(0o644)
        with pytest.raises(SettingsError, match="chmod 600"):
            remind_and_log()
        secret.chmod(0o600)
        two_units.run("remind")
        assert len(server.taken) == 3 and set(server.logins) == {("uppfoljning", "s3kret")}
    with closing(two_units.ledger()) as ledger:
        assert [one.action for one in acts.acts(ledger)].count("mail.sent") == 3


def test_a_failed_run_is_reported_to_the_team_once_a_day_for_each_dag(two_units: City) -> None:
    for run_id in ("first", "second"):
        report_failure_and_log("collect_submissions", run_id)
    report_failure_and_log("build_marts", "third")
    two_units.at("2018-04-22T06:00:00")
    report_failure_and_log("collect_submissions", "fourth")
    subjects = [str(one["Subject"]) for one in two_units.server.taken]
    assert subjects == ["Insamlingen misslyckades", "Bygget misslyckades", "Insamlingen misslyckades"]
    assert "collect_submissions first" in two_units.server.taken[0].get_content()


def test_a_notice_that_could_not_be_sent_is_sent_by_the_next_reminders(two_units: City) -> None:
    two_units.server.answer = "451 later"
    report_failure_and_log("build_marts", "first")
    two_units.server.answer = "250 OK"
    two_units.at("2018-04-22T08:00:00")
    remind_and_log()
    assert [str(one["Subject"]) for one in two_units.server.taken].count("Bygget misslyckades") == 1


@pytest.mark.parametrize(
    "address",
    [
        "", "anna", "anna@", "@farsta.example", "anna@farsta", "Anna <anna@farsta.example>",
        "a@b.example,c@d.example",
        "anna@farsta.example\nBcc: all@x.example", "anna@farsta.example\r\n", "anna @farsta.example",
        "å@farsta.example",
        "anna..berg@farsta.example", "anna@farsta..example", "<anna@farsta.example>", "anna@[127.0.0.1]",
        "20050505-9824@farsta.example", "a" * 250 + "@x.example", "anna@farsta.example\x00",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(city: City, address: str) -> None:
    if address.strip() == address and address.isprintable():
        printed = city.run("contact", "add", "farsta", address, expect=2)
        assert "20050505" not in printed
    if address.strip() != "anna@farsta.example":
        with pytest.raises(ValueError, match=r"address|personnummer"):
            checked_address(address)


def test_contacts_are_added_listed_and_removed_by_anybody_s_case(city: City) -> None:
    city.run("contact", "add", "farsta", "Anna@farsta.example")
    assert "already" in city.run("contact", "add", "farsta", "anna@Farsta.example")
    assert "farsta: Anna@farsta.example" in city.run("contact", "list")
    assert "alvsjo: -" in city.run("contact", "list")
    city.run("contact", "remove", "farsta", "ANNA@farsta.example")
    assert "no contact of the unit" in city.run("contact", "remove", "farsta", "anna@farsta.example", expect=1)
    assert "no unit" in city.run("contact", "add", "atlantis", "anna@farsta.example", expect=2)
    with closing(city.ledger()) as ledger:
        logged = [(one.action, one.subject) for one in acts.acts(ledger)]
    assert logged == [("contact.added", "farsta"), ("contact.removed", "farsta")]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SENDER": ""}, "needs FOLLOWUP_MAIL_SENDER"),
        ({"SENDER": "x@y.example\nBcc: z@y.example"}, "address"),
        ({"SENDER_NAME": "Staden\r\nBcc: z@y.example"}, "one line"),
        ({"TEAM": "teamet"}, "FOLLOWUP_MAIL_TEAM"),
        ({"REMINDER_DAYS": "soon"}, "FOLLOWUP_MAIL_REMINDER_DAYS"),
        ({"REMINDER_DAYS": "400"}, "at most 90"),
        ({"PORT": "0"}, "PORT"),
        ({"TLS": "maybe"}, "TLS"),
        ({"USER": "uppfoljning"}, "set together"),
        ({"USER": "u", "PASSWORD": "hemligt", "LOGIN_FILE": "/x"}, "both set"),
        ({"USER": "u", "PASSWORD": "hemligt", "HOST": "mail.staden.example"}, "never sent in clear"),
        ({"USER": "u", "LOGIN_FILE": "hemligt.txt"}, "whole path"),
        ({"HOST": "mail.staden.example\nx"}, "HOST"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_repeats_no_secret(
    city: City, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        city.set_variable(f"FOLLOWUP_MAIL_{name}", value)
    with pytest.raises(SettingsError, match="FOLLOWUP_MAIL_") as raised:
        load_mail_settings()
    assert said in str(raised.value) and "hemligt" not in str(raised.value)


def test_overview_of_a_run_that_was_cut_off_counts_the_reminders_recorded_before(two_units: City) -> None:
    settings, mail = Settings(), load_mail_settings()
    with closing(two_units.ledger()) as ledger:
        for one in due_today(settings, mail, ledger).mails[:2]:
            outbox.record_mail(ledger, one)
        remind(settings, mail, ledger)
    overview = next(one for one in two_units.server.taken if one["To"] == TEAM).get_content()
    assert "påminnelse till 2 kontakter" in overview and two_units.mailed() == {FARSTA: 1, ALVSJO: 1, TEAM: 1}


def test_notice_of_a_failed_run_names_a_chapter_of_the_runbook_for_each_dag() -> None:
    lines = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").splitlines()
    chapters = [line.strip("# ") for line in lines if line.startswith("#")]
    dags = [path.stem for path in (ROOT / "dags").glob("*.py")]
    assert len(dags) >= 9
    for dag_id in dags:
        letter = letter_of_failure(dag_id, "manual__1", "Teamet")
        chapter = letter.text.partition("under ”")[2].partition("”")[0]
        assert chapter in chapters and dag_id not in letter.subject, dag_id
    assert "”Publishing”" in letter_of_failure("publish_release", "r", "Teamet").text
    assert "”Exit codes”" in letter_of_failure("another", "r", "Teamet").text
