"""The portal's users: added, disabled, signed in and out; nothing secret is left behind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from portal_ledger import CHEAP, ELSEWHERE, HOME, MINUTE, NOW, SECRET, TIMES, CountedPasswords, Portal, anna, find

from ingest.districts import load_districts
from ingest.ledger import ChangeRefused, Ledger, acts, login_attempts, portal_users, sessions
from ingest.ledger.portal_users import PortalUser, Role, units_of
from ingest.ledger.sessions import Browser, SessionTimes, network_of
from ingest.ledger.tables import login_attempt, portal_session
from ingest.portal_login.passwords import Passwords
from ingest.portal_login.signing_in import SignInRefused, Try, sign_in

# users


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "-anna", "anna.", "än", "a\nb", "x" * 81, "20100315-9801", "../anna", "<b>", "an\0na"]
)
def test_add_user_refuses_names_that_are_none(portal: Portal, name: str) -> None:
    with pytest.raises(ChangeRefused) as refused:
        portal_users.add_user(portal.ledger, name, Role.CITY, [], None, NOW)
    assert len(name) < 2 or name not in str(refused.value)
    assert portal_users.find_user(portal.ledger, name) is None


def test_add_user_refuses_taken_names_and_units_that_do_not_fit_the_role(portal: Portal) -> None:
    for name, role, units in (
        ("ANNA ", Role.CITY, []),
        ("berit", Role.OFFICER, []),
        ("berit", Role.READER, ["farsta"]),
    ):
        with pytest.raises(ChangeRefused):
            portal_users.add_user(portal.ledger, name, role, units, None, NOW)
    assert [one.name for one in portal_users.users(portal.ledger)] == ["anna"]
    assert portal.actions() == [("user.added", "anna: officer farsta")]


@pytest.mark.parametrize(
    ("role", "units", "sees"),
    [
        (Role.OFFICER, ["farsta"], {"farsta"}),
        (Role.OFFICER, ["jarva", "farsta"], {"jarva", "rinkeby-kista", "spanga-tensta", "farsta"}),
        (Role.OFFICER, ["norrmalm"], {"norrmalm"}),  # not its successor's, nor who was merged with it
        (Role.READER, [], set()),
        (Role.ADMINISTRATOR, [], set()),
        (Role.CITY, [], {one.code for one in load_districts().districts}),
    ],
)
def test_units_of_has_predecessors_and_never_successors(role: Role, units: list[str], sees: set[str]) -> None:
    user = PortalUser(1, "x", role, tuple(units), None, NOW, None)
    assert units_of(user, load_districts()) == sees
    assert units_of(replace(user, disabled_at=NOW), load_districts()) == set()


def test_units_of_follows_mergers_of_mergers_and_ends_in_a_circle() -> None:
    registry = replace(
        load_districts(),
        successions=tuple((a, b, NOW.date()) for a, b in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"))),
    )
    user = PortalUser(1, "x", Role.OFFICER, ("c",), None, NOW, None)
    assert units_of(user, registry) == {"a", "b", "c"}


# signing in


def test_sign_in_begins_a_session_that_only_its_token_finds(portal: Portal) -> None:
    signed = portal.sign_in(" ANNA ")
    assert signed.user.name == "anna" and len(signed.token) == 43
    found = find(portal, signed.token, NOW)
    assert found is not None and (found.name, found.network, found.agent) == ("anna", "192.0.2.0/24", "Mozilla/5.0")
    digest = hashlib.sha256(signed.token.encode()).hexdigest()
    for other in ("", signed.token[:-1], signed.token + "A", signed.token[::-1], digest, "å" * 43, "\ud800" * 43):
        assert find(portal, other, NOW) is None
    assert portal.actions()[1:] == [("session.begun", "anna: session 1 from 192.0.2.0/24")]
    assert [(one.actor_kind, one.actor) for one in acts.acts(portal.ledger)[1:]] == [("user", "anna")]


def test_refusals_are_alike_and_cost_one_hash_each(portal: Portal) -> None:
    stranger = portal_users.add_user(portal.ledger, "by-oidc", Role.CITY, [], None, NOW)
    left = portal_users.add_user(portal.ledger, "left", Role.CITY, [], portal.passwords.hash(SECRET), NOW)
    assert portal_users.disable_user(portal.ledger, left, NOW) and stranger.password_hash is None
    said = set()
    tries = (
        ("anna", "wrong"), ("anna", ""), ("anna", SECRET + "\0"), ("anna", SECRET * 9), ("nobody", SECRET),
        ("by-oidc", SECRET), ("by-oidc", ""), ("left", SECRET), ("an\0na", SECRET), ("x" * 9999, SECRET),
        ("\ud800", "\ud800"),
    )  # fmt: skip
    for number, (name, password) in enumerate(tries, start=1):
        with pytest.raises(SignInRefused) as refused:
            portal.sign_in(name, password)
        said.add((type(refused.value), str(refused.value)))
        assert portal.passwords.verified == number, name
    assert said == {(SignInRefused, "name or password is wrong")}
    refusals = [subject for action, subject in portal.actions() if action == "login.refused"]
    assert len(refusals) == len(tries)
    assert set(refusals) == {f"{who} from 192.0.2.0/24" for who in ("anna", "unknown user", "by-oidc", "left")}


def test_password_is_the_same_from_keyboards_that_compose_letters_otherwise(portal: Portal) -> None:
    assert "ö" in SECRET
    assert portal.sign_in(password=SECRET.replace("ö", "o\u0308").replace("ä", "a\u0308")).user.name == "anna"


def test_session_is_never_one_that_the_browser_brought_and_its_earlier_one_ends(portal: Portal) -> None:
    first = portal.sign_in()
    second = portal.sign_in(session=first.token, device=first.device)
    assert second.token != first.token and second.device == first.device
    assert find(portal, first.token, NOW) is None and find(portal, second.token, NOW) is not None
    planted = "A" * 43
    assert portal.sign_in(session=planted).token != planted
    assert find(portal, planted, NOW) is None
    assert ("session.ended", "anna: session 1") in portal.actions()


@pytest.mark.parametrize("what", ["disable", "password"])
def test_nobody_is_signed_in_who_is_disabled_or_changed_while_the_hash_is_computed(portal: Portal, what: str) -> None:
    class Interrupted(Passwords):
        def verify(self, stored: str | None, password: str) -> bool:
            if what == "disable":
                portal_users.disable_user(portal.ledger, anna(portal), NOW)
            else:
                portal_users.set_password(portal.ledger, anna(portal), self.hash("another " + SECRET), NOW)
            return super().verify(stored, password)

    with pytest.raises(SignInRefused):
        sign_in(portal.ledger, Interrupted(CHEAP), Try("anna", SECRET, Browser(HOME, "")), TIMES, NOW)
    assert sessions.sessions(portal.ledger, TIMES, NOW) == []


def test_hash_is_renewed_at_sign_in_when_parameters_change_and_sessions_go_on(portal: Portal) -> None:
    before, first = anna(portal).password_hash, portal.sign_in()
    portal.passwords = CountedPasswords(replace(CHEAP, passes=2))
    portal.sign_in()
    after = anna(portal).password_hash
    assert before is not None and after is not None and "t=1" in before and "t=2" in after
    assert after.startswith("$argon2id$") and find(portal, first.token, NOW) is not None
    portal.sign_in()
    assert anna(portal).password_hash == after
    assert [action for action, _ in portal.actions()].count("password.rehashed") == 1


# sessions


def test_session_ends_unused_and_at_its_absolute_end(portal: Portal) -> None:
    idle = portal.sign_in().token
    assert find(portal, idle, NOW + 29 * MINUTE) is not None  # used: the time begins anew
    assert find(portal, idle, NOW + 58 * MINUTE) is not None
    assert find(portal, idle, NOW + 88 * MINUTE) is None
    used, at = portal.sign_in().token, NOW
    while at < NOW + TIMES.absolute:
        assert find(portal, used, at) is not None
        at += 20 * MINUTE
    assert find(portal, used, at) is None
    shorter = SessionTimes(TIMES.idle, timedelta(hours=1))  # a setting that is made shorter holds for old sessions too
    third = portal.sign_in().token
    assert sessions.find(portal.ledger, third, shorter, NOW + 20 * MINUTE) is not None
    assert sessions.find(portal.ledger, third, shorter, NOW + 29 * MINUTE) is not None
    assert sessions.find(portal.ledger, third, replace(shorter, absolute=25 * MINUTE), NOW + 29 * MINUTE) is None


def test_last_seen_is_written_once_a_minute(portal: Portal) -> None:
    token = portal.sign_in().token
    for seconds, seen in ((59, 0), (61, 61), (90, 61)):
        find(portal, token, NOW + timedelta(seconds=seconds))
        (one,) = sessions.sessions(portal.ledger, TIMES, NOW)
        assert one.last_seen_at == NOW + timedelta(seconds=seen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: portal_users.disable_user(p.ledger, anna(p), NOW), "user.disabled"),
        (lambda p: portal_users.set_password(p.ledger, anna(p), p.passwords.hash("x" + SECRET), NOW), "password.set"),
        (lambda p: sessions.revoke(p.ledger, anna(p).user_id, "anna", NOW), "session.revoked"),
    ],
)
def test_all_sessions_of_a_user_end_and_no_other(portal: Portal, change: Callable[[Portal], object], said: str) -> None:
    portal_users.add_user(portal.ledger, "berit", Role.CITY, [], portal.passwords.hash(SECRET), NOW)
    hers, theirs = [portal.sign_in(), portal.sign_in()], portal.sign_in("berit")
    assert change(portal)
    assert [find(portal, one.token, NOW) for one in hers] == [None, None]
    assert find(portal, theirs.token, NOW) is not None
    assert portal.actions()[-1][0] == said and "2 sessions" in portal.actions()[-1][1]


def test_one_session_is_revoked_and_never_another_users(portal: Portal) -> None:
    berit = portal_users.add_user(portal.ledger, "berit", Role.CITY, [], portal.passwords.hash(SECRET), NOW)
    first, second = portal.sign_in(), portal.sign_in()
    assert sessions.revoke(portal.ledger, berit.user_id, "berit", NOW, first.session_id) == 0
    assert sessions.revoke(portal.ledger, anna(portal).user_id, "anna", NOW, first.session_id) == 1
    assert sessions.revoke(portal.ledger, anna(portal).user_id, "anna", NOW, first.session_id) == 0
    assert [one.session_id for one in sessions.sessions(portal.ledger, TIMES, NOW)] == [second.session_id]
    assert sessions.end(portal.ledger, second.token, NOW) and not sessions.end(portal.ledger, second.token, NOW)
    assert portal.actions()[-2:] == [("session.revoked", "anna: session 1"), ("session.ended", "anna: session 2")]


def test_session_of_a_user_who_was_disabled_by_hand_counts_for_nothing(portal: Portal) -> None:
    token = portal.sign_in().token
    with portal.ledger.engine.begin() as connection:
        connection.execute(sa.text("update portal_user set disabled_at = '2026-03-02 08:00:00.000000'"))
    assert find(portal, token, NOW) is None and sessions.sessions(portal.ledger, TIMES, NOW) == []


def test_enabled_again_the_old_sessions_stay_revoked(portal: Portal) -> None:
    token = portal.sign_in().token
    portal_users.disable_user(portal.ledger, anna(portal), NOW)
    assert portal_users.enable_user(portal.ledger, anna(portal)) is True
    assert find(portal, token, NOW) is None and portal.sign_in().user.name == "anna"


def test_what_a_browser_calls_itself_is_stored_cut_and_without_control_characters(portal: Portal) -> None:
    agent = "Mozilla\r\n\x1b[31m\u202e<script>" + "x" * 10_000
    sign_in(portal.ledger, portal.passwords, Try("anna", SECRET, Browser("no\naddress", agent)), TIMES, NOW)
    (one,) = sessions.sessions(portal.ledger, TIMES, NOW)
    assert one.network == "unknown" and len(one.agent) == 200 and one.agent.startswith("Mozilla[31m<script>x")


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("curl/8.5.0", "curl/8.5.0"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",) * 2,
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0",) * 2,
        ("Mozilla 20100315-9801", "not shown"),
        ("Mozilla 2010\u200b0315\n9801", "not shown"),
    ],
)
def test_browser_that_calls_itself_a_persons_number_is_not_shown(portal: Portal, agent: str, shown: str) -> None:
    sign_in(portal.ledger, portal.passwords, Try("anna", SECRET, Browser(HOME, agent)), TIMES, NOW)
    (one,) = sessions.sessions(portal.ledger, TIMES, NOW)
    assert one.agent == shown


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.17", "192.0.2.0/24"), ("::ffff:192.0.2.17", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"), ("", "unknown"), ("192.0.2.17:80", "unknown"),
    ],
)  # fmt: skip
def test_network_of_an_address_names_no_single_machine(address: str, network: str) -> None:
    assert network_of(address) == network


def test_rows_that_count_for_nothing_are_removed_at_the_next_sign_in(portal: Portal) -> None:
    portal.sign_in()
    portal.fail(3, "nobody")
    portal.sign_in(at=NOW + timedelta(days=100), address=ELSEWHERE)
    with portal.ledger.reading() as connection:
        assert len(connection.execute(sa.select(portal_session)).all()) == 1
        kinds = sorted(row.kind for row in connection.execute(sa.select(login_attempt)))
    assert kinds == ["address", "device", "name"]


# secrets


def test_ledger_file_acts_and_texts_have_no_secret_and_nothing_that_was_typed(portal: Portal) -> None:
    typed = "min hemliga fras som hamnade i namnrutan"
    portal.fail(2, typed)
    signed = portal.sign_in()
    again = portal.sign_in(session=signed.token, device=signed.device)
    portal_users.set_password(portal.ledger, anna(portal), portal.passwords.hash("nio " + SECRET), NOW)
    secrets = [SECRET, "wrong " + SECRET, typed, signed.token, signed.device, again.token, HOME]
    shown = [repr(signed), repr(again), repr(Try("anna", SECRET, Browser(HOME, ""), "d", "s").password is None)]
    shown += [repr(anna(portal)), repr(acts.acts(portal.ledger)), repr(sessions.sessions(portal.ledger, TIMES, NOW))]
    assert "$argon2" not in "".join(shown) and SECRET not in repr(Try("anna", SECRET, Browser(HOME, "")))
    portal.ledger.close()
    stored = b"".join(path.read_bytes() for path in portal.path.parent.iterdir())
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret not in "".join(shown)
    assert b"$argon2id$" in stored and acts.verify(Ledger(f"sqlite:///{portal.path}")).holds


def test_keys_of_the_same_name_differ_between_ledgers(portal: Portal, tmp_path: Path) -> None:
    other = Ledger(f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert login_attempts.name_key(portal.ledger, "anna") == login_attempts.name_key(portal.ledger, "anna")
    assert login_attempts.name_key(portal.ledger, "anna") != login_attempts.name_key(other, "anna")
