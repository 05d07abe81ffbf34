"""What docker-compose.yml, Dockerfile and .env.example say is so: by the specification's schema, and name by name."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from composefile import MissingVariable, load, named, required

from followup.reminding.settings import MailSettings
from ingest.settings import ROOT, Settings
from portal.settings import PortalSettings

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FILLED = dict.fromkeys(required(), "x")
AIRFLOW_SERVICES = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")
OURS = (*AIRFLOW_SERVICES, "portal", "log-remover")
WITH_DATA = {"init", "worker", "portal"}


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
    assert {name for name, value in _documented().items() if value} == set()


@pytest.mark.parametrize("name", sorted(required()))
def test_nothing_starts_without(name: str) -> None:
    with pytest.raises(MissingVariable, match=name):
        load({**FILLED, name: ""})


def test_every_password_and_secret_must_be_given() -> None:
    secret = {name for name in named() if re.search("PASSWORD|SECRET|FERNET|KEYS_DIR|ADMIN_USER", name)}
    secret -= {"FOLLOWUP_PORTAL_OIDC_SECRET_FILE"}  # only with an identity provider
    assert secret
    assert secret <= required()


def test_no_password_is_written_out() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if re.search(r"PASSWORD|SECRET|FERNET|requirepass|://\w*:.*@", line):
            assert re.search(r"\$\{|\$\$[A-Z]", line), line


def test_the_issues_components_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "proxy", *OURS}
    assert compose["services"]["worker"]["deploy"]["replicas"] == "2"
    assert load({**FILLED, "FOLLOWUP_WORKERS": "5"})["services"]["worker"]["deploy"]["replicas"] == "5"


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


def _mounts(service: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Path in the container → (what is mounted there: empty for a volume of its own, `ro` or empty)."""
    parts = [(declared.split(":") if ":" in declared else ["", declared]) for declared in service.get("volumes", [])]
    return {target: (source, mode[0] if mode else "") for source, target, *mode in parts}


def test_volumes_and_secrets_are_declared(compose: dict[str, Any]) -> None:
    mounted = {source for s in compose["services"].values() for source, _ in _mounts(s).values()}
    on_the_host = {FILLED[name] for name in ("FOLLOWUP_INBOX_DIR", "FOLLOWUP_PUBLISHED_DIR", "FOLLOWUP_KEYS_DIR")}
    assert {name for name in mounted if not name.startswith("./")} - on_the_host - {""} == set(compose["volumes"])
    for path in (name for name in mounted if name.startswith("./")):
        assert (ROOT / path).exists()
    assert {name for s in compose["services"].values() for name in s.get("secrets", [])} == set(compose["secrets"])


def test_what_several_machines_share_may_be_a_mounted_volume() -> None:
    elsewhere = {"FOLLOWUP_DATA_DIR": "/mnt/followup", "FOLLOWUP_LOGS_DIR": "/mnt/logs"}
    worker = load({**FILLED, **elsewhere})["services"]["worker"]
    assert _mounts(worker)["/data"] == ("/mnt/followup", "")
    assert _mounts(worker)["/opt/airflow/logs"] == ("/mnt/logs", "")
    assert _mounts(worker)["/scratch"] == ("", ""), "each container has its own"


def test_a_worker_on_another_machine_reaches_what_is_on_the_first() -> None:
    hosts = {"POSTGRES": "db.inner", "REDIS": "queue.inner", "API": "api.inner"}
    worker = load({**FILLED, **{f"FOLLOWUP_{name}_HOST": host for name, host in hosts.items()}})["services"]["worker"]
    said = " ".join(map(str, worker["environment"].values()))
    assert said.count("@db.inner:5432/") == 3 and "@queue.inner:6379/0" in said
    assert "http://api.inner:8080/execution/" in said
    for name in ("postgres", "redis", "api-server"):
        assert not re.search(rf"[@/]{name}:", said), name


def test_only_what_works_with_the_data_reaches_it_and_has_the_secrets(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        inside = {"/data", "/scratch", "/inbox", "/published", "/keys"} & _mounts(service).keys()
        if name != "redis":  # whose own volume is at /data
            assert bool(inside) == (name in WITH_DATA), name
        assert ("followup_logins" in service.get("secrets", [])) == (name in WITH_DATA), name
    environments = {name: compose["services"][name].get("environment", {}) for name in compose["services"]}
    superusers = {name for name, given in environments.items() if "POSTGRES_PASSWORD" in given}
    assert superusers == {"postgres", "init"}
    assert not any(key.startswith("AIRFLOW__") for key in environments["portal"])
    assert environments["log-remover"].keys() == {"AIRFLOW_LOGS_KEPT_DAYS"}


def test_old_logs_are_removed_and_others_stay(tmp_path: Path, compose: dict[str, Any]) -> None:
    logs, scratch = tmp_path / "logs", tmp_path / "tmp"
    old, new = logs / "dag_id=a" / "old.log", logs / "dag_id=b" / "new.log"
    for path in (old, new):
        path.parent.mkdir(parents=True)
        path.touch()
    days = int(compose["services"]["log-remover"]["environment"]["AIRFLOW_LOGS_KEPT_DAYS"])
    for path, age in ((old, days * 86400 + 120), (new, days * 86400 - 120), (old.parent, 2 * 86400)):
        os.utime(path, (time.time() - age,) * 2)
    scratch.mkdir()
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "AIRFLOW_LOGS_KEPT_DAYS": str(days)}
    command = ["bash", str(ROOT / "docker" / "remove_old_logs.sh"), str(logs)]
    with subprocess.Popen(command, env=environment) as running:
        give_up_at = time.monotonic() + 20
        while not (scratch / "old_logs_removed").exists() and time.monotonic() < give_up_at:
            time.sleep(0.05)
        running.terminate()
    assert running.returncode == 0
    assert not old.exists() and new.exists()
    wrong = subprocess.run(command, env=environment | {"AIRFLOW_LOGS_KEPT_DAYS": "0"}, capture_output=True, check=False)
    assert wrong.returncode == 2 and b"must be a number of days" in wrong.stderr


def test_images_are_pinned_by_version() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE)
    bases = [base for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) if base not in stages]
    images = re.findall(r"^ +image: (\S+)", text, re.MULTILINE) + bases
    assert len(images) == 5
    for image in images:
        assert re.search(r":\d+\.\d+(\.\d+)?(-|$)", image), image


def test_no_container_runs_as_root(compose: dict[str, Any]) -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "followup"
    for name, service in compose["services"].items():
        if "build" not in service:
            assert service["user"] not in ("root", "0"), name


def test_ports_but_the_proxys_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    inner = ["5432:5432", "6379:6379", "8080:8080"]
    assert ports == [*(f"127.0.0.1:{port}" for port in inner), "443:8443", "8444:8444"]
    joined = load({**FILLED, "FOLLOWUP_INNER_ADDRESS": "10.0.0.4"})["services"]
    assert [p for s in joined.values() for p in s.get("ports", [])][:3] == [f"10.0.0.4:{port}" for port in inner]


def test_the_portal_believes_the_proxys_address_and_no_other(compose: dict[str, Any]) -> None:
    address = compose["services"]["proxy"]["networks"]["default"]["ipv4_address"]
    assert compose["services"]["portal"]["environment"]["FOLLOWUP_PORTAL_PROXIES"] == address
    (subnet,) = compose["networks"]["default"]["ipam"]["config"]
    assert ip_address(address) in ip_network(subnet["subnet"])


def test_every_service_has_limits_and_logs_that_do_not_grow_for_ever(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["mem_limit"] and service["cpus"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_only_the_first_start_may_write_keys(compose: dict[str, Any]) -> None:
    modes = {name: _mounts(service)["/keys"][1] for name, service in compose["services"].items() if name in WITH_DATA}
    assert modes == {"init": "", "worker": "ro", "portal": "ro"}


def test_commands_are_there(compose: dict[str, Any]) -> None:
    binaries = Path(sys.executable).parent
    for name in OURS:
        program, *arguments = compose["services"][name]["command"]
        assert (binaries / program).exists() or shutil.which(program), name
        for argument in arguments:
            if "/" in argument and not argument.startswith("/opt/"):
                assert (ROOT / argument).is_file(), name


def test_init_calls_airflow_commands_on_files_that_are_there() -> None:
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert re.findall(r"^airflow (\w+ [\w-]+)", script, re.MULTILINE) == [
        "db migrate",
        "pools import",
    ]
    paths = re.findall(r'"\$here/(\S+?)"', script)
    assert len(paths) == 3
    for path in paths:
        assert (ROOT / "docker" / path).is_file()


def test_every_variable_that_init_needs_is_given_to_it(compose: dict[str, Any]) -> None:
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?\}", script)) <= set(compose["services"]["init"]["environment"])


def test_airflow_settings_are_ones_that_airflow_knows(compose: dict[str, Any]) -> None:
    from airflow.providers.celery.get_provider_info import get_provider_info

    (folder,) = importlib.util.find_spec("airflow.config_templates").submodule_search_locations
    sections = yaml.safe_load((Path(folder) / "config.yml").read_text(encoding="utf-8")) | get_provider_info()["config"]
    assert not any(name.startswith("AIRFLOW__") for name in compose["services"]["portal"]["environment"])
    for name in compose["services"]["scheduler"]["environment"]:
        if name.startswith("AIRFLOW__"):
            section, key = name.removeprefix("AIRFLOW__").lower().split("__")
            if section != "usage_data_collection":  # gone from this version; set all the same, so that none calls home
                assert key in sections[section]["options"], name


def test_our_settings_are_ones_that_we_know(compose: dict[str, Any]) -> None:
    known = Settings.variables() | MailSettings.variables()
    given = {name for name in compose["services"]["worker"]["environment"] if name.startswith("FOLLOWUP_")}
    assert given <= known
    portal = {name for name in compose["services"]["portal"]["environment"] if name.startswith("FOLLOWUP_PORTAL_")}
    assert portal == {f"FOLLOWUP_PORTAL_{name.upper()}" for name in PortalSettings.model_fields}
    assert {"FOLLOWUP_HOME", "FOLLOWUP_INBOX", "FOLLOWUP_KEYS"} <= given


def test_an_installation_can_set_everything_but_what_the_containers_fix(compose: dict[str, Any]) -> None:
    given = {name for name in compose["services"]["worker"]["environment"] if name.startswith("FOLLOWUP_")}
    known = Settings.variables() | MailSettings.variables()
    # districts.yml and the organisation are mounted, the clock is the real one, and what builds store is under home
    assert known - given == {
        *("FOLLOWUP_DISTRICTS", "FOLLOWUP_ORGANISATION", "FOLLOWUP_NOW", "FOLLOWUP_PARSED"),
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
    for name, value in compose["services"]["portal"]["environment"].items():
        if name.startswith("FOLLOWUP_PORTAL_"):
            monkeypatch.setenv(name, "https://figures.example.org" if name.endswith("_URL") else value)
    portal = PortalSettings()
    assert (portal.workers, portal.spool_hours, portal.oidc_client_secret_file) == (2, 24, None)
    assert settings.release_approves_itself is None and settings.publish_analysts is False
    assert settings.ledger.startswith("postgresql://followup_ledger:") and settings.publish_postgres is None
    assert settings.home_is_shared and settings.half_done == Path("/scratch")
    assert (settings.settle_seconds, settings.max_file_megabytes, settings.originals_kept_days) == (60, 200, 365)
    assert (settings.session_idle_minutes, settings.session_hours) == (30, 10)


def test_paths_in_the_container_are_made_by_the_image_or_mounted(compose: dict[str, Any]) -> None:
    environment = compose["services"]["worker"]["environment"]
    for name in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER"):
        assert (ROOT / environment[name].removeprefix("/app/")).is_dir()
    mounted = _mounts(compose["services"]["worker"]).keys()
    folders = ("FOLLOWUP_HOME", "FOLLOWUP_SCRATCH", "FOLLOWUP_INBOX", "FOLLOWUP_PUBLISHED")
    for name in (*folders, "AIRFLOW__LOGGING__BASE_LOG_FOLDER"):
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
    image, _, of_spark = DOCKERFILE.partition("\nFROM followup AS spark\n")
    assert "--require-hashes --requirement requirements.txt" in image
    assert "apt-get" not in image
    assert "--require-hashes --requirement requirements-spark.txt" in of_spark
    assert of_spark.rstrip().endswith("\nFROM followup")  # what is built without a target


def test_a_pod_of_kubernetes_mounts_what_a_worker_mounts(compose: dict[str, Any]) -> None:
    template = yaml.safe_load((ROOT / "docker" / "pod_template.yml").read_text(encoding="utf-8"))
    (container,) = template["spec"]["containers"]
    assert container["name"] == "base", "the executor looks for this one"
    mounted = {one["mountPath"]: one.get("readOnly", False) for one in container["volumeMounts"]}
    worker = {target: mode == "ro" for target, (_, mode) in _mounts(compose["services"]["worker"]).items()}
    assert worker.items() <= mounted.items()
    assert mounted.keys() - worker.keys() == {"/run/secrets"}
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in template["spec"]["volumes"]}
    assert container["image"] == compose["services"]["worker"]["image"]
