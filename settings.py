"""Every setting of Darkroom: `DARKROOM_…` variables, read once, each with a default that works.

`docs/settings.md` is written from the descriptions here.
"""

import importlib.metadata
import importlib.util
import os
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

VERSION = importlib.metadata.version("darkroom")
PREFIX = "DARKROOM_"
SHORTEST_SECRET = 32  # characters; HS256 needs a key of at least 256 bits (RFC 7518)
SIGNATURES = frozenset(
    [
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
    ]
)
UNIX_SOCKET = "unix:///var/run/docker.sock"


class WrongSetting(Exception):
    """A setting cannot be used; the message is one line that names the variable and the remedy."""


def _schemes(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        if url.split(":", 1)[0] not in schemes:
            raise ValueError(f"an address beginning with {', '.join(f'{s}:' for s in schemes)}")
        return url

    return AfterValidator(check)


def _host(value: str) -> str:
    if not value or "/" in value or any(c.isspace() for c in value):
        raise ValueError("a host, with a port where needed, without `http://` and without a path")
    return value


def _listed(value: object) -> object:
    return [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
TASK_KINDS = (
    "jobs.batch",
    "pytorchjobs.kubeflow.org",
    "tfjobs.kubeflow.org",
    "mpijobs.kubeflow.org",
    "jobs.batch.volcano.sh",
)


def _task_kinds(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if not set(kinds) <= set(TASK_KINDS):
        raise ValueError(f"a list of {', '.join(TASK_KINDS)}")
    return kinds


Size = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path("data"), description="Folder for the embedded database, blobs and generated keys."
    )
    database_url: Annotated[str, _schemes("", "sqlite", "postgres", "postgresql", "asyncpg")] = (
        Field("", description="`sqlite://…` or `postgres://…`; SQLite in the data folder if empty.")
    )
    broker_url: Annotated[str, _schemes("memory", "redis", "rediss", "amqp", "amqps")] = Field(
        "memory:",
        description="What wakes workers: `memory:` builds within the server; `redis://…` or "
        "`amqp://…` wake `darkroom worker` processes.",
    )
    notify_url: Annotated[
        str, _schemes("", "memory", "postgres", "postgresql", "redis", "rediss")
    ] = Field(
        "",
        description="How processes tell each other that there is more to read: `postgres://…` or "
        "`redis://…`; the database or broker that is either, if empty.",
    )
    blob_url: Annotated[str, _schemes("", "file", "s3", "memory")] = Field(
        "", description="Where contexts and logs are kept: `file:///…` or `s3://bucket/prefix`."
    )

    engine_url: Annotated[str, _schemes("unix", "tcp", "http", "https")] = Field(
        default_factory=lambda: os.environ.get("DOCKER_HOST", UNIX_SOCKET),
        description="The Docker Engine that builds; `DOCKER_HOST`, then the usual socket.",
    )
    registry: Annotated[str, AfterValidator(_host)] = Field(
        "127.0.0.1:5000", description="Host and port of the registry that images are pushed to."
    )
    registry_username: str = Field("", description="The account that pushes, where one is needed.")
    registry_password: SecretStr = Field(SecretStr(""), description="That account's password.")
    registry_insecure: bool = Field(
        False, description="Speak plain HTTP to a registry that is not on loopback."
    )

    registry_check_seconds: Seconds = Field(
        6 * 3600, description="How long what the registry says of a tag counts, in seconds."
    )

    builds_at_once: Annotated[int, Field(ge=1, le=256)] = Field(
        2, description="Builds that one worker runs at the same time."
    )
    builds_per_user: Annotated[int, Field(ge=0)] = Field(
        0, description="Builds that one user may have running at the same time; 0 for any number."
    )
    builds_in_all: Annotated[int, Field(ge=0)] = Field(
        0, description="Builds that run at the same time on all workers; 0 for any number."
    )
    queue_length: Annotated[int, Field(ge=0)] = Field(
        1000, description="Builds that one user may have waiting; 0 for any number."
    )
    queue_seconds: Seconds = Field(
        86400, description="A build that waited for this long fails, in seconds."
    )
    build_seconds: Seconds = Field(7200, description="Time limit of one build, in seconds.")
    # With the pauses between them, a registry or an engine may be away for a minute.
    build_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        5, description="How often a build is tried when the system, not the input, is to blame."
    )
    retry_seconds: Seconds = Field(
        5, description="Pause before the second try, in seconds; it doubles with every further one."
    )
    lease_seconds: Seconds = Field(
        15, description="A worker that is silent for this long has lost its build, in seconds."
    )
    grace_seconds: Seconds = Field(
        10, description="What a stopping process gives its builds and requests, in seconds."
    )
    keep_builds: Annotated[int, Field(ge=1)] = Field(
        100, description="Builds that are kept of one image, the newest of them."
    )
    keep_build_days: Annotated[float, Field(gt=0)] = Field(
        730, description="Older builds are removed; an image's newest and its current one never."
    )
    keep_log_days: Annotated[float, Field(gt=0)] = Field(
        365, description="Logs of older builds are removed, their records are not."
    )
    keep_log_bytes: Annotated[int, Field(ge=0)] = Field(
        0, description="Beyond so many bytes of logs, the oldest are removed; 0 for any number."
    )
    keep_context_bytes: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Beyond so many bytes of contexts and uploads, those of the oldest builds are "
        "removed, their records are not; 0 for any number.",
    )
    keep_cache_days: Annotated[float, Field(ge=0)] = Field(
        14,
        description="What the engine's build cache has not used for this long is removed, whoever "
        "uses the engine; 0 for no limit.",
    )
    keep_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        50 * 1024**3,
        description="Beyond so many bytes of the engine's build cache, the least used is removed; "
        "0 for any number.",
    )
    housekeeping_seconds: Seconds = Field(
        3600, description="How often old things are looked for in the whole system, in seconds."
    )
    log_bytes: Size = Field(512 * 1024**2, description="Most bytes that one build may log.")
    upload_bytes: Size = Field(4 * 1024**3, description="Largest upload, in bytes.")
    context_bytes: Size = Field(
        8 * 1024**3, description="Largest build context, unpacked, in bytes."
    )
    context_entries: Size = Field(200_000, description="Most files and folders in one context.")

    auth: Literal["local", "jwt"] = Field(
        "local",
        description="`local`: whoever reaches the service is its one user, an administrator. "
        "`jwt`: users are those whom a Bearer token names.",
    )
    jwt_secret: SecretStr = Field(
        SecretStr(""), description="Shared secret of HS tokens, at least 32 characters."
    )
    jwt_jwks_url: Annotated[str, _schemes("", "https", "http")] = Field(
        "", description="Where the identity provider publishes its keys (JSON Web Key Set)."
    )
    jwt_algorithms: CommaSeparated = Field(
        ("HS256", "RS256", "ES256", "EdDSA"),
        description="Signature algorithms that are accepted, comma-separated: HS with the shared "
        "secret alone, the others with published keys alone.",
    )
    jwt_issuer: str = Field("", description="The `iss` that tokens must have; any if empty.")
    jwt_audience: str = Field("", description="The `aud` that tokens must have; any if empty.")
    jwt_leeway_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        30, description="How far the clocks of servers may differ, in seconds."
    )
    jwt_name_claim: str = Field(
        "sub", description="The claim with the user's unique name; dots lead into objects."
    )
    jwt_groups_claim: str = Field("groups", description="The claim with the user's groups.")
    jwt_admin_claim: str = Field(
        "groups", description="The claim that tells administrators, by the values below."
    )
    jwt_admin_values: CommaSeparated = Field(
        ("darkroom-admins",),
        description="Any of these in that claim makes an administrator; `true` for a claim that "
        "is true or false.",
    )
    link_seconds: Seconds = Field(600, description="How long a signed `logUrl` works, in seconds.")
    push_policy: CommaSeparated = Field(
        ("**",),
        description="Repositories that users may push to, comma-separated: `*` is any text "
        "without a slash, `**` any text, `{user}` the user's name, `{group}` each of their "
        "groups. With `=create` behind it, a tag that the registry holds already is never "
        "overwritten. Administrators may push anywhere.",
    )

    read_policy: CommaSeparated = Field(
        ("**",),
        description="Repositories of the registry that users may list, register existing images "
        "from and build on (`FROM`), comma-separated, in the form of the push policy. "
        "Administrators may read any.",
    )

    introspection: bool = Field(True, description="Answer questions about the schema itself.")
    allowed_hosts: CommaSeparated = Field(
        (),
        description="Names under which the service is reached with `DARKROOM_AUTH=local`, "
        "comma-separated, besides `localhost`, addresses and names without a dot.",
    )
    allowed_origins: CommaSeparated = Field(
        (),
        description="Origins whose pages may use the service from a browser, comma-separated, "
        "such as `https://portal.example.com`; its own pages always may.",
    )
    query_tokens: Size = Field(5_000, description="Most tokens of one GraphQL document.")
    query_depth: Size = Field(15, description="Most levels of fields within each other.")
    query_aliases: Size = Field(50, description="Most aliases of one operation.")
    query_cost: Size = Field(
        100_000,
        description="Most fields that one operation may answer with, were every page full.",
    )
    batch_size: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="Most operations in one HTTP request; 1 takes no batches."
    )
    body_bytes: Size = Field(
        4 * 1024**2, description="Largest request that is no upload, in bytes."
    )
    header_bytes: Annotated[int, Field(ge=4096)] = Field(
        65_536, description="Most bytes of a request's headers."
    )
    request_seconds: Seconds = Field(
        30, description="How long a request may take to arrive, in seconds; an upload, its parts."
    )
    page_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        100, description="Most entries that one page of a list may have."
    )
    subscriptions_per_connection: Size = Field(
        100, description="Operations that one WebSocket may have under way."
    )
    subscriptions_per_user: Size = Field(
        1_000, description="Operations that all WebSockets of a user may have under way."
    )
    requests_per_minute: Annotated[int, Field(ge=0)] = Field(
        6_000, description="Operations that a user may start in a minute; 0 for any number."
    )

    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key that seals stored tokens; several, comma-separated, while rotating: the "
        "first seals. Made in the data folder when empty.",
    )
    git_allow_loopback: bool = Field(
        False, description="Let git addresses resolve to loopback; for trying things out only."
    )
    git_hosts: CommaSeparated = Field(
        (), description="Hosts that git may reach, comma-separated, `*` allowed; any if empty."
    )
    git_ssh: bool = Field(False, description="Allow ssh addresses.")
    git_submodules: bool = Field(False, description="Fetch submodules.")
    git_lfs: bool = Field(False, description="Fetch Git LFS objects.")
    git_check_seconds: Seconds = Field(
        5, description="How long creating waits for the git server's answer, in seconds."
    )
    git_answer_seconds: Seconds = Field(
        15, description="How long a build waits for the git server's first answer, in seconds."
    )

    kubeconfig: str = Field(
        "",
        description="Kubeconfig of the cluster whose containers are saved; within a cluster, the "
        "pod's own account if empty. Without a cluster the modes that need one say so.",
    )
    cluster_namespaces: CommaSeparated = Field(
        (), description="Namespaces in which tasks are looked for, comma-separated; all if empty."
    )
    cluster_user_prefix: str = Field(
        "",
        description="What the cluster puts before our users' names, such as `oidc:`; its access "
        "reviews ask about the whole.",
    )
    task_owner_label: str = Field(
        "owner", description="The label whose value is the name of a training task's owner."
    )
    task_kinds: Annotated[CommaSeparated, AfterValidator(_task_kinds)] = Field(
        TASK_KINDS,
        description="Kinds of training tasks, comma-separated, as `plural.group`; a kind that the "
        "cluster lacks is no error.",
    )
    save_image: str = Field(
        "",
        description="Darkroom's own image as nodes pull it: the saving Jobs run it. Containers "
        "cannot be saved without it.",
    )
    save_namespace: str = Field("darkroom", description="Namespace of the saving Jobs.")
    save_host_network: bool = Field(
        False, description="Give saving Jobs the node's network, where only that has the registry."
    )
    save_report_host: str = Field(
        "",
        description="An address of this machine that saving Jobs reach, to report to; if empty, "
        "what they print is read from the cluster's API, which needs no way back.",
    )
    save_seconds: Seconds = Field(3600, description="Time limit of one saving Job, in seconds.")
    save_start_seconds: Seconds = Field(
        180, description="How long a saving Job may take to start on its node, in seconds."
    )
    save_layer_bytes: Size = Field(
        20 * 1024**3, description="Most bytes that a container to be saved may have written."
    )
    docker_socket: Path = Field(
        Path("/var/run/docker.sock"), description="Docker Engine's socket on the cluster's nodes."
    )
    containerd_socket: Path = Field(
        Path("/run/containerd/containerd.sock"),
        description="containerd's socket on the cluster's nodes.",
    )

    worker_name: str = Field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}",
        description="How this process signs its claims.",
    )
    worker_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port where a worker shows its metrics to Prometheus; 0 for none."
    )
    otlp_url: Annotated[str, _schemes("", "http", "https")] = Field(
        "",
        description="An OpenTelemetry collector that takes traces over HTTP, such as "
        "`http://collector:4318`; none if empty. Needs the extra `tracing`, which Darkroom's own "
        "image has.",
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` or `json`.")

    @property
    def database(self) -> str:
        """The database's address, with the embedded default in place."""
        return self.database_url or f"sqlite://{self.data_dir.absolute() / 'darkroom.sqlite3'}"

    @property
    def notifications(self) -> str:
        """Where notifications go; `memory:` where one process serves and builds alone."""
        shared = ("postgres", "asyncpg", "redis")
        for url in (self.notify_url, self.database_url, self.broker_url):
            if url.startswith(shared) or url == self.notify_url != "":
                return url
        return "memory:"

    @property
    def blobs(self) -> str:
        """The blob store's address, with the embedded default in place."""
        return self.blob_url or f"file://{self.data_dir.absolute() / 'blobs'}"

    @property
    def embedded_worker(self) -> bool:
        """Whether the server builds by itself."""
        return self.broker_url.startswith("memory:")


def load() -> Settings:
    """Read the settings from the environment. Raises WrongSetting with one clear line."""
    try:
        found = Settings()
    except ValidationError as error:
        raise WrongSetting(_one_line(error)) from None
    if found.otlp_url and not importlib.util.find_spec("opentelemetry"):
        raise WrongSetting(
            "DARKROOM_OTLP_URL needs OpenTelemetry: install Darkroom with its extra `tracing`."
        )
    if found.auth == "jwt":
        _check_tokens(found)
    return found


def _check_tokens(found: Settings) -> None:
    """Tokens need something to be checked with. Raises WrongSetting."""
    secret = found.jwt_secret.get_secret_value()
    if not secret and not found.jwt_jwks_url:
        raise WrongSetting(
            "DARKROOM_AUTH=jwt needs DARKROOM_JWT_SECRET or DARKROOM_JWT_JWKS_URL to check tokens."
        )
    if secret and len(secret) < SHORTEST_SECRET:
        raise WrongSetting(
            f"DARKROOM_JWT_SECRET is shorter than {SHORTEST_SECRET} characters: make one with "
            "`openssl rand -base64 32`, and give it to the identity provider too."
        )
    unknown = set(found.jwt_algorithms) - SIGNATURES
    if unknown or not found.jwt_algorithms:
        raise WrongSetting(
            f"DARKROOM_JWT_ALGORITHMS cannot be used: some of {', '.join(sorted(SIGNATURES))} are "
            "expected."
        )


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    name = PREFIX + str(first["loc"][0]).upper()
    wanted = first["msg"].removeprefix("Value error, ")
    described = Settings.model_fields[str(first["loc"][0])].description
    # The value itself may be a password, or an address that holds one: it is not repeated.
    return f"{name} cannot be used: {wanted} is expected. ({described})"


def as_markdown() -> str:
    """Every setting with its default and its meaning, as `docs/settings.md` holds them."""
    lines = [
        "# Settings",
        "",
        "Read once, from the environment, when a process starts. A wrong one stops the start with "
        "one line that says what is expected. This page is written by `make docs`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{PREFIX}{name.upper()}` | {_shown(field)} | {meaning} |")
    return "\n".join(lines)


def _shown(field: FieldInfo) -> str:
    default = field.default
    if field.is_required() or default is PydanticUndefined or isinstance(default, SecretStr):
        return ""
    return f"`{default}`" if default not in ("", ()) else ""
