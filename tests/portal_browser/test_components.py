"""Every component, with what it is likely to be given at its worst, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Gallery, Looked, _Pages

from ingest.settings import Settings

Look = Callable[..., Looked]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1440, 1920])
def test_components_have_no_fault(look: Look, gallery: Gallery, width: int, scheme: str) -> None:
    """320 px is 1280 px at 400 % zoom."""
    looked = look(gallery.url, width, scheme=scheme)
    looked.page.wait_for_selector("#fil-2 .state--ok")
    assert looked.wrong() == []


def test_components_have_no_fault_in_forced_colours(look: Look, gallery: Gallery) -> None:
    assert look(gallery.url, forced_colors="active").wrong() == []


@pytest.mark.parametrize("email", [None, "uppfoljning@stad.example"])
def test_the_accessibility_statement_has_no_fault_and_names_whom_to_ask(
    look: Look, gallery: Gallery, email: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Pages, "settings", Settings(catalogue_contact_email=email))
    looked = look(gallery.url + "/tillganglighet", 360)
    assert looked.wrong() == []
    said = looked.page.inner_text("main")
    assert "Stadens uppföljningsenhet" in said
    assert (looked.page.locator("a[href^='mailto:']").all_inner_texts() or [None]) == [email]
    for part in ("delvis förenlig", "2018:1937", "Digg", "30 november 2026"):
        assert part in said


def test_text_of_a_file_is_text(look: Look, gallery: Gallery) -> None:
    looked = look(gallery.url)
    assert looked.page.title() == "Prov – Uppföljning"
    assert looked.page.locator("main img").count() == 0
    assert looked.page.locator("text=1337").count() == 0
    assert "<script>" in looked.page.inner_text("main")


def test_the_error_summary_has_the_focus_and_links_to_its_fields(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url).page
    assert page.evaluate("document.activeElement.className") == "error-summary"
    page.click("text=Skriv varför. >> nth=0")
    assert page.evaluate("document.activeElement.id") == "why"


def test_an_explanation_replaces_its_rule_and_has_the_focus(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url).page
    page.fill("#text-ARE-021", "Barnet flyttade.")
    page.click("#valda-ARE-021")
    page.check("#rad-ARE-021-3")
    page.click("#regel-ARE-021 button[type=submit]")
    page.wait_for_selector("text=Förklarad nu.")
    assert page.evaluate("document.activeElement.id") == "regel-ARE-021"
    assert page.url.rstrip("/") == gallery.url
    body = gallery.bodies[0].decode()
    assert "scope=chosen" in body
    assert "row_3=1" in body
    assert "csrf=csrf-value" in body


def test_a_file_that_is_polled_takes_the_focus_from_nobody(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url).page
    page.focus("#name")
    page.wait_for_selector("#fil-2 .state--ok")
    assert page.evaluate("document.activeElement.id") == "name"
    assert page.inner_text("#live") == "polled.csv Inlämnad"


def test_files_are_sent_with_progress_and_the_csrf_field_first(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    looked = look(gallery.url)
    page = looked.page
    large, small = tmp_path / "stor.csv", tmp_path / "liten.csv"
    large.write_bytes(b"a;b\n" * 5_000_000)
    small.write_bytes(b"a;b\n")
    page.set_input_files("#files", [large, small])
    assert page.locator("[data-chosen-files] li").all_inner_texts() == ["stor.csv (20 MB)", "liten.csv (4 byte)"]
    page.click("form:has(#files) >> text=Lämna in")
    page.wait_for_selector("progress#files-progress", state="visible")
    page.wait_for_url(gallery.url + "/taken-in")
    body = gallery.bodies[0]
    assert body.index(b'name="csrf"') < body.index(b"stor.csv") < body.index(b"liten.csv")
    assert looked.said == []


def test_a_form_can_be_sent_again_after_going_back(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    page = look(gallery.url).page
    (tmp_path / "x.csv").write_bytes(b"a;b")
    page.set_input_files("#files", tmp_path / "x.csv")
    page.click("form:has(#files) >> text=Kontrollera")
    page.wait_for_url(gallery.url + "/taken-in")
    page.go_back()
    assert not page.is_visible("progress#files-progress")
    page.set_input_files("#files", tmp_path / "x.csv")
    page.click("form:has(#files) >> text=Kontrollera")
    page.wait_for_url(gallery.url + "/taken-in")
    assert len(gallery.bodies) == 2


def test_files_that_are_too_large_are_not_sent(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    page = look(gallery.url).page
    (tmp_path / "x.csv").write_bytes(b"a" * 50_000_001)
    page.set_input_files("#files", tmp_path / "x.csv")
    page.click("form:has(#files) >> text=Kontrollera")
    assert "Filerna är 50 MB. Högst 50 MB" in page.inner_text("form:has(#files) [data-upload-error]")
    assert gallery.bodies == ()


def test_files_can_be_dropped(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url).page
    page.evaluate(
        """() => {
            const files = new DataTransfer();
            files.items.add(new File(["a;b"], "a_b_2019q1.csv"));
            const area = document.querySelector("[data-drop]");
            for (const kind of ["dragover", "drop"]) {
                area.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: files}));
            }
        }"""
    )
    assert page.inner_text("[data-chosen-files]") == "a_b_2019q1.csv (3 byte)"
    page.click("form:has(#files) >> text=Kontrollera")
    page.wait_for_url(gallery.url + "/taken-in")
    assert b"a_b_2019q1.csv" in gallery.bodies[0]


def test_a_refused_upload_shows_the_answers_page_with_its_error(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    page = look(gallery.url).page
    (tmp_path / "x.zip").write_bytes(b"no zip")
    page.set_input_files("#other-files", tmp_path / "x.zip")
    page.click("form:has(#other-files) >> text=Kontrollera")
    page.wait_for_selector("#files-error")
    assert "går inte att öppna" in page.inner_text("#files-error")


def test_a_broken_connection_says_that_nothing_is_handed_in(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    page = look(gallery.url).page
    (tmp_path / "x.csv").write_bytes(b"a;b")
    page.route("**/check", lambda route: route.abort())
    page.set_input_files("#files", tmp_path / "x.csv")
    page.click("form:has(#files) >> text=Kontrollera")
    page.wait_for_selector("form:has(#files) [data-upload-error]")
    assert "Inget är inlämnat" in page.inner_text("form:has(#files) [data-upload-error]")


def test_without_a_script_the_same_forms_work(look: Look, gallery: Gallery, tmp_path: Path) -> None:
    page = look(gallery.url, java_script_enabled=False).page
    assert not page.is_visible("[data-print]")
    (tmp_path / "x.csv").write_bytes(b"a;b")
    page.set_input_files("#files", tmp_path / "x.csv")
    page.click("form:has(#files) >> text=Lämna in")
    assert page.url == gallery.url + "/taken-in"
    assert b'filename="x.csv"' in gallery.bodies[0]
    page.fill("#text-ARE-099", "Det stämmer.")
    page.click("#regel-ARE-099 button[type=submit]")
    assert b"explanation=Det+st" in gallery.bodies[1]


def test_the_first_stop_of_the_keyboard_leads_past_the_menu(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url, java_script_enabled=False).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Till innehållet"
    assert page.locator(".skip-link").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_paper_is_black_on_white_and_has_the_receipt_but_no_buttons(look: Look, gallery: Gallery) -> None:
    page = look(gallery.url, scheme="dark").page
    page.emulate_media(media="print")
    colours = page.evaluate(
        """() => [...document.querySelectorAll("main, h1, .state--bad, .state--ok, .state--ask, .state--wait, main a")]
            .filter(one => one.checkVisibility()).map(one => getComputedStyle(one).color)"""
    )
    assert set(colours) == {"rgb(0, 0, 0)"}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.is_visible(".receipt")
    assert not page.locator("button:visible, form:visible, nav:visible").count()
