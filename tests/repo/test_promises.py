"""The Makefile, CI and pre-commit have what the pages promise, and the pages name what exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TARGETS = ["help", "setup", "demo", "test", "check", "docs", "up", "down", "bench", "clean", "lock"]
PAGES = ["README.md", "CONTRIBUTING.md", "docs/runbook.md", "docs/connect.md", "docs/style.md", "dags/README.md"]
README_LINES = 100
COMMANDS = {
    "demo-data", "check", "template", "preview", "receive", "build", "publish", "status", "run", "doctor",
    "lock", "unlock", "exception", "withdraw", "explain", "alias", "reprocess", "restore-rows", "erase",
    "erase-expired",
    "protect", "audit", "release", "extract", "service", "keys", "audit-log", "user", "token",
    "remind", "contact", "quarter", "mapping", "contract",
    "metrics", "ledger", "backup", "restore", "person",
}  # fmt: skip


def makefile_targets(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_readme_has_at_most_100_lines(root: Path) -> None:
    assert (root / "README.md").read_text(encoding="utf-8").count("\n") <= README_LINES


def test_readme_says_where_every_folder_is(root: Path, tracked: list[Path]) -> None:
    table = (root / "README.md").read_text(encoding="utf-8").partition("## Where things are")[2].partition("\n## ")[0]
    listed = "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    assert [
        top for top in sorted({path.parts[0] for path in tracked if len(path.parts) > 1}) if f"`{top}/`" not in listed
    ] == []


def test_contributing_names_every_folder_of_tests(root: Path, tracked: list[Path]) -> None:
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = {f"tests/{path.parts[1]}/" for path in tracked if path.parts[0] == "tests" and len(path.parts) > 2}
    assert sorted(folder for folder in folders if f"`{folder}`" not in text) == []


def test_changelog_names_every_mart(root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    marts = {path.stem for path in (root / "dbt_project" / "models" / "marts").glob("mart_*.sql")}
    assert sorted(mart for mart in marts if f"`{mart}`" not in text) == []


@pytest.mark.parametrize("word", ["doctor", "suppression", "diff", "retry", "lock"])
def test_the_fields_words_are_found_in_the_pages(root: Path, word: str) -> None:
    pages = [root / page for page in PAGES]
    assert any(re.search(rf"\b{word}\b", page.read_text(encoding="utf-8"), re.IGNORECASE) for page in pages)


@pytest.mark.parametrize("target", TARGETS)
def test_makefile_has_the_target(root: Path, target: str) -> None:
    assert target in makefile_targets(root)


def test_make_help_lists_every_target_that_a_person_calls(root: Path) -> None:
    listing = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert {target for target in TARGETS if f"make {target} " not in listing} == set()


@pytest.mark.parametrize("page", PAGES)
def test_page_names_only_make_targets_that_exist(root: Path, page: str) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", (root / page).read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= makefile_targets(root)


@pytest.mark.parametrize("page", PAGES)
def test_page_names_only_subcommands_that_exist(root: Path, page: str) -> None:
    named = set(re.findall(r"(?:`|^)followup ([a-z-]+)", (root / page).read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= COMMANDS


def test_the_command_line_has_the_subcommands_and_options_that_the_pages_name(root: Path) -> None:
    from typer.main import get_command

    from followup.cli.main import app

    commands = get_command(app).commands
    assert set(commands) >= COMMANDS
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        for line in re.findall(r"(?:`|^)followup ([a-z-]+[^`\n#]*)", text, re.MULTILINE):
            name, *rest = line.split()
            command = commands[name]
            if rest and rest[0] in getattr(command, "commands", {}):
                command = command.commands[rest[0]]
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in rest if word.startswith("--")} <= options, f"{page}: followup {line}"


@pytest.mark.parametrize("page", PAGES)
def test_page_names_only_paths_that_exist(root: Path, page: str) -> None:
    text = (root / page).read_text(encoding="utf-8")
    quoted = [*re.findall(r"`([\w.{}<>*/-]+/[\w.{}<>*/-]*)`", text), *re.findall(r"\]\(([^)#:]+)\)", text)]
    base = (root / page).parent
    installed = "data|proposed|landing|validated|queries|published|feedback|spool|work|aterkoppling|for_stora"
    elsewhere = re.compile(rf"^({installed}|\.venv|\.venv-spark|demo|examples)/|[<>*{{}}…]")
    wanted = [name for name in quoted if not elsewhere.search(name)]
    assert [name for name in wanted if not ((root / name).exists() or (base / name).exists())] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_links_between_pages_lead_somewhere(root: Path, tracked: list[Path]) -> None:
    broken = []
    for page in (root / path for path in tracked if path.suffix == ".md"):
        for name, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8")):
            target = page.parent / name if name else page
            if not target.exists() or (anchor and anchor not in headings(target)):
                broken.append(f"{page.name}: {name}#{anchor}")
    assert broken == []


def test_the_star_is_drawn_of_what_is_declared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "bi"))
    from star import pages

    for name, content in pages().items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == content, "run python bi/star.py"


def test_ci_and_tools_can_be_run(root: Path) -> None:
    scripts = [root / ".ci" / "run", *sorted((root / "tools").glob("*.sh"))]
    assert [script.name for script in scripts if not os.access(script, os.X_OK)] == []
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_pre_commit_runs_the_parts_of_make_check(root: Path) -> None:
    config = yaml.safe_load((root / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    called = {hook["entry"].removeprefix("make ") for hook in hooks if hook["entry"].startswith("make ")}
    recipe = re.search(r"^check:.*\n\t.*--keep-going ([a-z ]+)$", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    assert called == set(recipe.group(1).split())
    pre_commit = Path(sys.executable).parent / "pre-commit"
    subprocess.run([str(pre_commit), "validate-config", ".pre-commit-config.yaml"], cwd=root, check=True)
