# Darkroom's own image: the server, its workers, and the saving Jobs on a cluster's nodes.
#
#     docker build -t registry.example.com/darkroom .
#
# BASE is any image with Python 3.11. git is installed where the base lacks it. Where no package
# index is reachable, put wheels beside this file first, on a machine that reaches one:
#
#     pip wheel --wheel-dir wheels -r requirements.txt 'setuptools>=77'
#
# With them, and git in the base, it is built with `--network none` too.
ARG BASE=python:3.11-slim

FROM ${BASE} AS installed
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python3 -m venv /opt/darkroom
# What changes seldom comes first, so that a change of the code installs nothing anew.
COPY requirements.txt wheel[s] ./wheels/
RUN set -eu; offline=; \
    if ls wheels/*.whl >/dev/null 2>&1; then offline="--no-index --find-links wheels"; fi; \
    /opt/darkroom/bin/pip install --quiet $offline 'setuptools>=77' -r wheels/requirements.txt
COPY pyproject.toml settings.py README.md ./
COPY models models
COPY engine engine
COPY schema schema
COPY resolvers resolvers
COPY server server
# As it is: everything that it needs is there. The installers are of no use to what runs.
RUN /opt/darkroom/bin/pip install --quiet --no-deps --no-build-isolation . && \
    /opt/darkroom/bin/pip uninstall --quiet --yes setuptools pip

FROM ${BASE}
RUN command -v git >/dev/null || { apt-get update && \
    apt-get install --yes --no-install-recommends git ca-certificates && \
    rm -rf /var/lib/apt/lists/*; }
COPY --from=installed /opt/darkroom /opt/darkroom
# The data folder is for one machine; a cluster has a database and a bucket instead.
RUN mkdir /data && chown 10001:10001 /data
ENV PATH=/opt/darkroom/bin:$PATH DARKROOM_DATA_DIR=/data HOME=/data PYTHONUNBUFFERED=1
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["darkroom"]
CMD ["serve", "--host", "0.0.0.0"]
