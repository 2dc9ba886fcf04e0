# What a newcomer types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench chaos schema docs lock protos console migration clean

PYTHON ?= python3.11
BIN := .venv/bin

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## build an example image before your eyes, then serve until Ctrl-C
	@$(BIN)/darkroom demo

test: setup ## run the whole suite against real servers that it starts itself
	@deploy/debian/install test
	@# Three processes, for most of the time is spent waiting for real servers; each takes a file after
	@# the other in the order of the names, so that the longest come first. A cluster's nodes want
	@# both cores, so its tests follow. ARGS may choose none of either, which pytest answers with 5.
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not cluster" $(ARGS) || [ $$? = 5 ]
	@$(BIN)/pytest -m cluster $(ARGS) || [ $$? = 5 ]

check: setup ## format, lint and types, as CI wants them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

setup: .venv/ready ## prepare what the other commands use
	@deploy/debian/install demo

.venv/ready: requirements-dev.txt pyproject.toml
	@deploy/debian/install python
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@# setuptools warns that folders here may hide packages, which is what an editable install is for.
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation -e .
	@touch $@

format: setup ## rewrite the code as `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure, as ratios in one run, and write docs/benchmarks.md
	@deploy/debian/install test
	@$(BIN)/python -m benchmarks

schema: setup ## export schema.graphql from the code
	$(BIN)/darkroom schema > schema.graphql

docs: setup ## write the parts of docs/ that come from the code
	$(BIN)/darkroom settings > docs/settings.md

lock: setup ## pin the newest versions that pyproject.toml admits
	$(BIN)/pip-compile $(LOCK) --allow-unsafe --extra dev --extra tracing --output-file requirements-dev.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --constraint requirements-dev.txt --extra tracing --output-file requirements.txt pyproject.toml

# Exact versions and nothing of the machine that found them.
LOCK := --quiet --upgrade --strip-extras --no-annotate --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

protos: setup ## compile the .proto files again
	PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -I. --python_out=. --mypy_out=. \
	  engine/docker/protos/status.proto engine/containerd/protos/containerd.proto

chaos: setup ## break everything at random, against a stream of builds (ARGS="--seconds 600 --seed 7")
	@deploy/debian/install test
	@$(BIN)/python -m tests.chaos $(ARGS)

console: ## fetch GraphiQL's files from npm again
	console/build

migration: setup ## write a migration for what changed in models/
	$(BIN)/tortoise -c models.database.EXAMPLE makemigrations

clean: ## remove what setup and demo made
	rm -rf .venv data
