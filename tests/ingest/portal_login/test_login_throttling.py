"""Who guesses at passwords has to wait; who owns the name signs in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given as drawn_by
from hypothesis import strategies as st
from portal_ledger import CHEAP, ELSEWHERE, NOW, SECRET, CountedPasswords, Portal, anna

from ingest.ledger import Ledger, login_attempts, portal_users
from ingest.ledger.login_attempts import LIMITS, Limit
from ingest.ledger.portal_users import Role
from ingest.portal_login.signing_in import SignInMustWait


@pytest.mark.parametrize("name", ["anna", "nobody", "not even a name\0"])
def test_after_five_wrong_passwords_a_wait_doubles_up_to_a_quarter_for_any_name(portal: Portal, name: str) -> None:
    portal.fail(5, name)
    waits, at = [], NOW
    for _ in range(11):
        verified = portal.passwords.verified
        with pytest.raises(SignInMustWait) as refused:
            portal.sign_in(name, SECRET, at=at)
        assert portal.passwords.verified == verified  # the right password is not looked at either
        waits.append(refused.value.wait)
        at += refused.value.wait
        portal.fail(1, name, at=at)
    assert [wait.total_seconds() for wait in waits] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    logged = portal.actions()[1:]
    assert len(logged) == 16 and {action for action, _ in logged} == {"login.refused"}  # waits fill no log


def test_tries_that_must_wait_do_not_prolong_the_wait_and_the_owner_then_signs_in(portal: Portal) -> None:
    portal.fail(5)
    for _ in range(50):
        with pytest.raises(SignInMustWait):
            portal.sign_in(at=NOW + timedelta(seconds=1), address=ELSEWHERE)
    portal.sign_in(at=NOW + timedelta(seconds=2))
    portal.fail(4, at=NOW + timedelta(seconds=2))  # the count began anew
    portal.sign_in(at=NOW + timedelta(seconds=2))


def test_count_survives_a_restart_and_is_forgotten_after_a_day(portal: Portal) -> None:
    portal.fail(5)
    portal.ledger.close()
    portal.ledger, portal.passwords = Ledger(f"sqlite:///{portal.path}"), CountedPasswords(CHEAP)
    with pytest.raises(SignInMustWait):
        portal.sign_in()
    portal.fail(5, at=NOW + timedelta(days=1, seconds=1), address=ELSEWHERE)


def test_an_address_that_tries_many_names_has_to_wait_and_others_do_not(portal: Portal) -> None:
    for number in range(LIMITS["address"].free):
        portal.fail(1, f"user{number}")
    with pytest.raises(SignInMustWait):
        portal.sign_in()
    assert portal.sign_in(address=ELSEWHERE).user.name == "anna"
    portal.fail(1, "user0", at=NOW + timedelta(seconds=2))
    with pytest.raises(SignInMustWait):
        portal.sign_in("user1", at=NOW + timedelta(seconds=3))


def test_addresses_of_one_subscriber_count_together(portal: Portal) -> None:
    for number in range(LIMITS["address"].free):
        portal.fail(1, f"user{number}", address=f"2001:db8:1:2::{number:x}")
    with pytest.raises(SignInMustWait):
        portal.sign_in(address="2001:db8:1:2:ffff::1")
    portal.sign_in(address="2001:db8:1:3::1")
    for number in range(LIMITS["address"].free):
        portal.fail(1, f"user{number + 100}", address="::ffff:192.0.2.17" if number % 2 else "192.0.2.17")
    with pytest.raises(SignInMustWait):
        portal.sign_in(address="192.0.2.17")


def test_own_account_buys_no_tries_at_other_names(portal: Portal) -> None:
    portal_users.add_user(portal.ledger, "mallory", Role.READER, [], portal.passwords.hash(SECRET), NOW)
    for number in range(LIMITS["address"].free):
        portal.fail(1, f"user{number}")
        if number < LIMITS["address"].free - 1:
            portal.sign_in("mallory")
    with pytest.raises(SignInMustWait):
        portal.sign_in()


def test_known_browser_is_not_locked_out_by_who_guesses_elsewhere(portal: Portal) -> None:
    device = portal.sign_in().device
    portal.fail(5, address=ELSEWHERE)
    with pytest.raises(SignInMustWait):
        portal.sign_in()
    assert portal.sign_in(device=device).device == device
    with pytest.raises(SignInMustWait):  # her signing in gives the one who guesses no new tries
        portal.sign_in(address=ELSEWHERE)


def test_known_browser_has_its_own_count_and_is_known_for_its_user_alone(portal: Portal) -> None:
    device = portal.sign_in().device
    portal_users.add_user(portal.ledger, "berit", Role.CITY, [], portal.passwords.hash(SECRET), NOW)
    portal.fail(5, device=device)
    with pytest.raises(SignInMustWait):
        portal.sign_in(device=device)
    portal.fail(5, "berit", device=device)
    for given in (device, None, "forged"):
        with pytest.raises(SignInMustWait):
            portal.sign_in("berit", device=given)


@pytest.mark.parametrize("what", ["disable", "password", "age"])
def test_browser_is_forgotten_with_the_password_the_user_and_time(portal: Portal, what: str) -> None:
    device, at = portal.sign_in().device, NOW
    if what == "disable":
        portal_users.disable_user(portal.ledger, anna(portal), NOW)
        portal_users.enable_user(portal.ledger, anna(portal))
    elif what == "password":
        portal_users.set_password(portal.ledger, anna(portal), portal.passwords.hash(SECRET), NOW)
    else:
        at += timedelta(days=91)
    portal.fail(5, at=at, address=ELSEWHERE)
    with pytest.raises(SignInMustWait):
        portal.sign_in(device=device, at=at)


@pytest.mark.parametrize("what", ["enable", "password"])
def test_administrator_ends_a_wait(portal: Portal, what: str) -> None:
    portal.fail(5)
    if what == "enable":
        assert portal_users.enable_user(portal.ledger, anna(portal)) is False
        assert portal.actions()[-1] == ("user.wait_ended", "anna")
    else:
        portal_users.set_password(portal.ledger, anna(portal), portal.passwords.hash(SECRET), NOW)
    assert portal.sign_in().user.name == "anna"


def test_wait_set_by_a_clock_that_was_ahead_does_not_count(portal: Portal) -> None:
    portal.fail(5, at=NOW + timedelta(days=365))
    assert portal.sign_in().user.name == "anna"


@drawn_by(st.integers(0, 10**6), st.integers(1, 100))
def test_wait_never_shrinks_with_failures_nor_exceeds_the_longest(failures: int, free: int) -> None:
    limit = Limit(free)
    assert limit.wait(failures) <= limit.wait(failures + 1) <= limit.longest_wait
    assert (limit.wait(failures) == timedelta()) == (failures < free)


def test_who_never_stops_guessing_has_about_a_hundred_tries_a_day_and_leaves_the_owner_the_next(portal: Portal) -> None:
    name, owner, at, looked_at = login_attempts.name_key(portal.ledger, "anna"), portal.sign_in().device, NOW, 0
    while at < NOW + timedelta(days=1):
        wait = login_attempts.reserve(portal.ledger, [name], at)
        looked_at += wait is None
        at += wait or timedelta()
    assert 90 < looked_at < 120
    assert portal.sign_in(device=owner, at=at).device == owner
    assert portal.sign_in(at=at + LIMITS["name"].longest_wait).user.name == "anna"
