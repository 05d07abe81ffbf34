"""Every page of the city and of the administrator, tried by everybody else."""

from __future__ import annotations

from browsing import Place
from city_filled import City, filled
from starlette.routing import Route

FILL = {
    "quarter": "2018Q1", "code": "farsta", "dataset": "rutiner", "submission": "", "number": "1", "work_id": "0" * 16,
    "name": "anna",
}  # fmt: skip
ALONE = {"/staden": "bo", "/konton": "adm"}


def addresses(place: Place, city: City) -> list[tuple[str, str]]:
    """(method, address) of every page."""
    found = []
    for route in place.app.app.routes:
        if isinstance(route, Route) and route.path.startswith(tuple(ALONE)):
            filling = FILL | {"submission": city.on_time.submission_id}
            for method in sorted((route.methods or set()) - {"HEAD"}):
                found.append((method, route.path.format(**filling)))
    return found


def test_pages_are_closed_to_all_other_roles_and_each_try_is_logged(place: Place) -> None:
    city = filled(place)
    for who, least in (("anna", 31), ("lars", 31), ("adm", 22), ("bo", 9)):
        others = [one for one in addresses(place, city) if ALONE[f"/{one[1].split('/')[1]}"] != who]
        assert len(others) >= least
        browser, before = place.signed_in(who), len(place.acts())
        for method, address in others:
            browser.open("/konto")
            answer = browser.open(address) if method == "GET" else browser.send(address, why="x", session="1")
            assert answer.status_code == 404 and "Sidan finns inte" in answer.text, (who, method, address)
            assert "farsta_rutiner" not in answer.text
        tries = place.acts()[before:]
        assert [(one.action, one.actor) for one in tries] == [("access.refused", who)] * len(others)
    assert city.on_time == place.ledger.find(city.on_time.submission_id)


def test_whoever_has_not_signed_in_is_sent_to_sign_in(place: Place) -> None:
    city, browser = filled(place), place.browser()
    before = len(place.acts())
    for method, address in addresses(place, city):
        browser.open("/logga-in")
        answer = browser.open(address) if method == "GET" else browser.send(address, why="x", session="1")
        assert answer.status_code == 303 and answer.headers["location"].startswith("/logga-in"), address
    assert len(place.acts()) == before


def test_every_page_answers_its_own_role(place: Place) -> None:
    city = filled(place)
    browsers = {start: place.signed_in(who) for start, who in ALONE.items()}
    for method, address in addresses(place, city):
        browser = browsers[f"/{address.split('/')[1]}"]
        if method == "GET":
            status = browser.open(address).status_code
            absent = address.endswith(("/arbetsbok", "/1", "0" * 16))  # there is no workbook, release, work
            assert status == (404 if absent else 303 if address.endswith(city.on_time.submission_id) else 200), address


def test_a_form_without_its_token_changes_nothing(place: Place) -> None:
    city = filled(place)
    browsers = {start: place.signed_in(who) for start, who in ALONE.items()}
    before = len(place.acts())
    for method, address in addresses(place, city):
        if method == "POST":
            browser = browsers[f"/{address.split('/')[1]}"]
            answer = browser.client.post(
                address, data={"csrf": "0" * 64, "why": "x"}, headers={"Origin": "http://127.0.0.1:8090"}
            )
            assert answer.status_code == 403, address
    assert len(place.acts()) == before
