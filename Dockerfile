# One image for every Airflow component and for the command line: `docker compose run --rm init followup status`.
FROM python:3.11.13-slim-bookworm AS followup

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/app

RUN groupadd --gid 50000 followup \
    && useradd --uid 50000 --gid followup --home-dir /opt/airflow --create-home --shell /usr/sbin/nologin followup \
    && mkdir -p /app /data /scratch /inbox /keys /published /opt/airflow/logs \
    && chown -R followup:followup /data /scratch /inbox /keys /published /opt/airflow

WORKDIR /app

# The lock is complete, so nothing is resolved here. Compiled once, or every process would compile anew.
COPY requirements.txt ./
RUN pip install --no-deps --require-hashes --requirement requirements.txt
RUN python -m compileall -q -j 0 /usr/local/lib/python3.11/site-packages || true

COPY pyproject.toml requirements.in README.md GLOSSARY.md LICENSE ./
COPY expectations expectations
COPY ingest ingest
COPY dbt_project dbt_project
COPY publish publish
COPY synthetic synthetic
COPY followup followup
COPY dags dags
COPY portal portal
COPY docker docker

# The portal's browser files, by the npm that the lock has; the lock in portal/assets has their checksums.
COPY tools/setup.sh tools/setup.sh
RUN PYTHON=python npm_config_cache=/tmp/npm tools/setup.sh assets && rm -rf /tmp/npm

RUN pip install --no-deps --no-build-isolation --editable . \
    && chown -R followup:followup dbt_project

USER followup
# What any command writes is for this user alone.
ENTRYPOINT ["/bin/sh", "-c", "umask 077 && exec \"$0\" \"$@\""]
CMD ["followup", "--help"]

# For builds on Apache Spark: docker build --target spark . (docs/runbook.md, "When one machine is outgrown")
FROM followup AS spark
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
COPY requirements-spark.txt ./
RUN pip install --no-deps --require-hashes --requirement requirements-spark.txt
ENV FOLLOWUP_ENGINE=spark
USER followup

# What is built without --target
FROM followup
