"""What docker-compose.yml, Dockerfile and .env.example say is so: by the specification's schema, and name by name."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from composefile import MissingVariable, load, named, required

from followup.reminding.settings import MailSettings
from ingest.settings import ROOT, Settings

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FILLED = dict.fromkeys(required(), "x")
AIRFLOW_SERVICES = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load(FILLED)


def _documented() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_compose_file_keeps_to_the_specification(compose: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose)


def test_the_schema_would_notice_a_fault(compose: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate({**compose, "services": {"a": {"imagee": "x"}}})


def test_every_variable_is_explained_and_none_is_explained_for_nothing() -> None:
    assert set(_documented()) == named()


def test_the_example_holds_no_secret() -> None:
    assert {name for name, value in _documented().items() if value} == {"AIRFLOW_PORT"}


@pytest.mark.parametrize("name", sorted(required()))
def test_nothing_starts_without(name: str) -> None:
    with pytest.raises(MissingVariable, match=name):
        load({**FILLED, name: ""})


def test_every_password_and_secret_must_be_given() -> None:
    secret = {name for name in named() if re.search("PASSWORD|SECRET|FERNET|KEYS_DIR|ADMIN_USER", name)}
    assert secret
    assert secret <= required()


def test_no_password_is_written_out() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if re.search(r"PASSWORD|SECRET|FERNET|requirepass|://\w*:.*@", line):
            assert re.search(r"\$\{|\$\$[A-Z]", line), line


def test_the_issues_components_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "proxy", *AIRFLOW_SERVICES}


def test_services_depend_on_services_that_are_there_and_can_be_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in services
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[name]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[name]["restart"] == "no"


def test_lasting_services_are_watched_and_started_again(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name != "init":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_volumes_and_secrets_are_declared(compose: dict[str, Any]) -> None:
    mounted = {v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])}
    on_the_host = {FILLED[name] for name in ("FOLLOWUP_INBOX_DIR", "FOLLOWUP_PUBLISHED_DIR", "FOLLOWUP_KEYS_DIR")}
    assert {name for name in mounted if not name.startswith("./")} - on_the_host == set(compose["volumes"])
    for path in (name for name in mounted if name.startswith("./")):
        assert (ROOT / path).is_file()
    assert {name for s in compose["services"].values() for name in s.get("secrets", [])} == set(compose["secrets"])


def test_images_are_pinned_by_version() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    images = re.findall(r"image: (\S+)", text) + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) == 5
    for image in images:
        assert re.search(r":\d+\.\d+(\.\d+)?(-|$)", image), image


def test_no_container_runs_as_root(compose: dict[str, Any]) -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "followup"
    for name, service in compose["services"].items():
        if "build" not in service:
            assert service["user"] not in ("root", "0"), name


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080", "443:8443"]
    assert compose["services"]["proxy"]["profiles"] == ["tls"]


def test_every_service_has_limits_and_logs_that_do_not_grow_for_ever(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_only_the_first_start_may_write_keys(compose: dict[str, Any]) -> None:
    for name in AIRFLOW_SERVICES:
        (mount,) = [volume for volume in compose["services"][name]["volumes"] if ":/keys" in volume]
        assert mount.endswith(":/keys" if name == "init" else ":/keys:ro"), name


def test_commands_are_there(compose: dict[str, Any]) -> None:
    binaries = Path(sys.executable).parent
    for name in AIRFLOW_SERVICES:
        program, *arguments = compose["services"][name]["command"]
        assert (binaries / program).exists() or shutil.which(program), name
        for argument in arguments:
            if "/" in argument:
                assert (ROOT / argument).is_file(), name


def test_init_calls_airflow_commands_on_files_that_are_there() -> None:
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert re.findall(r"^airflow (\w+ [\w-]+)", script, re.MULTILINE) == [
        "db migrate",
        "pools import",
    ]
    paths = re.findall(r'"\$here/(\S+?)"', script)
    assert len(paths) == 2
    for path in paths:
        assert (ROOT / "docker" / path).is_file()


def test_every_variable_that_init_needs_is_given_to_it(compose: dict[str, Any]) -> None:
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?\}", script)) <= set(compose["services"]["init"]["environment"])


def test_airflow_settings_are_ones_that_airflow_knows(compose: dict[str, Any]) -> None:
    from airflow.providers.celery.get_provider_info import get_provider_info

    (folder,) = importlib.util.find_spec("airflow.config_templates").submodule_search_locations
    sections = yaml.safe_load((Path(folder) / "config.yml").read_text(encoding="utf-8")) | get_provider_info()["config"]
    for name in compose["services"]["scheduler"]["environment"]:
        if name.startswith("AIRFLOW__"):
            section, key = name.removeprefix("AIRFLOW__").lower().split("__")
            if section != "usage_data_collection":  # gone from this version; set all the same, so that none calls home
                assert key in sections[section]["options"], name


def test_our_settings_are_ones_that_we_know(compose: dict[str, Any]) -> None:
    known = Settings.variables() | MailSettings.variables()
    given = {name for name in compose["services"]["worker"]["environment"] if name.startswith("FOLLOWUP_")}
    assert given <= known
    assert {"FOLLOWUP_HOME", "FOLLOWUP_INBOX", "FOLLOWUP_KEYS"} <= given


def test_an_installation_can_set_everything_but_what_the_containers_fix(compose: dict[str, Any]) -> None:
    given = {name for name in compose["services"]["worker"]["environment"] if name.startswith("FOLLOWUP_")}
    known = Settings.variables() | MailSettings.variables()
    # districts.yml is mounted, the clock is the real one, and what builds store is under home
    assert known - given == {
        *("FOLLOWUP_DISTRICTS", "FOLLOWUP_NOW", "FOLLOWUP_PARSED"),
        *("FOLLOWUP_AIRFLOW_HOME", "FOLLOWUP_POSTGRES_HOME"),  # of an Airflow without containers
        *("FOLLOWUP_MAIL_PASSWORD", "FOLLOWUP_MAIL_CA_FILE"),  # the password is a file; the image has its certificates
    }


def test_what_the_environment_leaves_empty_is_as_if_it_were_not_there(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in compose["services"]["worker"]["environment"].items():
        if name.startswith("FOLLOWUP_"):
            monkeypatch.setenv(name, "" if name.endswith(("KEYS", "LOGINS")) else value)
    settings = Settings()
    assert settings.release_approves_itself is None and settings.publish_analysts is False
    assert settings.ledger == "sqlite:////data/home/ledger.sqlite" and settings.publish_postgres is None
    assert (settings.settle_seconds, settings.max_file_megabytes, settings.originals_kept_days) == (60, 200, 365)
    assert (settings.session_idle_minutes, settings.session_hours) == (30, 10)


def test_paths_in_the_container_are_made_by_the_image_or_mounted(compose: dict[str, Any]) -> None:
    environment = compose["services"]["worker"]["environment"]
    for name in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER"):
        assert (ROOT / environment[name].removeprefix("/app/")).is_dir()
    mounted = [volume.split(":")[1] for volume in compose["services"]["worker"]["volumes"]]
    for name in ("FOLLOWUP_HOME", "FOLLOWUP_INBOX", "FOLLOWUP_PUBLISHED", "AIRFLOW__LOGGING__BASE_LOG_FOLDER"):
        assert any(environment[name].startswith(folder) for folder in mounted), name
    assert any(environment["FOLLOWUP_KEYS"].startswith(f"{folder}/") for folder in mounted)
    assert environment["FOLLOWUP_PUBLISH_LOGINS"] == "/run/secrets/" + compose["services"]["worker"]["secrets"][0]


def test_dockerfile_copies_what_is_there_and_dockerignore_lets_it_through() -> None:
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = [source for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    for source in copied:
        assert (ROOT / source).exists(), source
    assert set(copied) == let_through


def test_image_holds_every_package_and_declared_part() -> None:
    for part in ("ingest", "followup", "publish", "dags", "portal", "dbt_project", "expectations"):
        assert f"COPY {part} {part}" in DOCKERFILE


def test_image_makes_the_portals_browser_files_after_the_portal_is_there() -> None:
    assert DOCKERFILE.index("COPY portal portal") < DOCKERFILE.index("tools/setup.sh assets")


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    assert "--require-hashes --requirement requirements.txt" in DOCKERFILE
    assert "apt-get" not in DOCKERFILE
