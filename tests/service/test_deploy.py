"""What stands in deploy/ keeps to what the service says and takes."""

import json
import re
from pathlib import Path

from prometheus_client import REGISTRY

from engine import metrics
from settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]


def exported() -> set[str]:
    names = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    names |= {
        f"{family.name}{end}" for family in REGISTRY.collect() for end in ("", "_total", "_bucket")
    }
    names |= set(re.findall(r'"(darkroom_\w+)"', (ROOT / "server/metrics.py").read_text()))
    return names


def test_every_panel_of_the_dashboard_asks_for_a_metric_that_there_is() -> None:
    assert metrics.builds_ended
    dashboard = json.loads((ROOT / "deploy/grafana/darkroom.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for text in expressions for name in re.findall(r"darkroom_\w+", text)}
    assert len(asked) >= 12
    assert asked <= exported()


def test_compose_sets_what_there_is_and_holds_no_secret() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {"DARKROOM_IMAGE", "DARKROOM_PORT", "DARKROOM_AUTH"}
    assert set(re.findall(r"DARKROOM_[A-Z_]+", compose)) <= known
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "DARKROOM_SECRET_KEY"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", compose)
        assert uses
        assert all(use.startswith(":?") for use in uses)  # required, and without a default
