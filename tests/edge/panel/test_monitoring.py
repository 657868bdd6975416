"""What a monitoring system gets: a real page, a real Prometheus, and the documents beside them."""

import json
import math
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from edge.operation import Mode, Order
from edge.panel import app as panel
from edge.panel.monitoring import METRICS, Surroundings, exposition, samples, why_not_ready
from edge.records.store import Store
from edge.status import NO_PICTURE, NO_POSITION, RUNNING, STOPPED, Percentiles, Status, write_status
from tests.support.page import free_port
from tests.support.served import get, served
from tests.support.waiting import wait_until

parser = pytest.importorskip("prometheus_client.parser")
ROOT = Path(__file__).parents[3]
RULES = ROOT / "edge" / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "edge" / "deploy" / "grafana-dashboard.json"
ODD = 'a "quoted" \\ <b>label</b>\nof two lines'
STATUS = Status(
    updated_at=1000.0,
    state=RUNNING,
    bundle=ODD,
    digest="sha256:1f",
    fps=30.0,
    speed_mm_s=250.0,
    items=12,
    per_label={"Battery": 5, ODD: 7},
    per_bin={"hazardous": 5, "manual": 7},
    unknown=1,
    late=2,
    latency={"verdict": Percentiles(p50=26.0, p99=126.0)},
    gates={"hazardous": True},
)
AROUND = Surroundings(
    newest_at=999.0,
    records_bytes=1e6,
    is_readable=True,
    disk_bytes=4e9,
    disk_free_bytes=1e9,
    started_at=1.0,
    cpu_s=2.0,
    memory_bytes=3e8,
)


def parsed(text: bytes) -> dict[tuple[str, ...], float]:
    """The value of each series: name and values of the labels, by their names -> value."""
    return {
        (sample.name, *(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_each_metric_is_served_in_base_units_and_documented():
    text = exposition(samples(STATUS, AROUND, 1001.0))
    found = parsed(text)
    assert {name for name, *_ in found} == set(METRICS)
    assert found["ewaste_stage_latency_seconds", "99", "verdict"] == 0.126
    assert found["ewaste_belt_speed_meters_per_second",] == 0.25
    assert found["ewaste_disk_free_ratio",] == 0.25
    assert found["ewaste_class_items_total", ODD] == 7
    for name, metric in METRICS.items():
        assert (metric.kind == "counter") == name.endswith("_total"), name
        assert name.startswith("ewaste_")
    table = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8").partition("## Metrics")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", table, re.MULTILINE)
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in rows
    }
    assert documented == {
        name: (metric.kind, metric.labels, metric.help) for name, metric in METRICS.items()
    }


READY = {
    "": {},
    "stalled": {"updated_at": 900.0},
    "stopped": {"state": STOPPED},
    "blind": {"state": NO_PICTURE},
    "unmeasured": {"state": NO_POSITION},
    "other": {"state": "dreaming"},
    "paused": {"order": Order(mode=Mode.PAUSE, by="Anna", at=1.0)},
    "manual": {"order": Order(mode=Mode.MANUAL, by="Anna", at=1.0)},
}


@pytest.mark.parametrize("word", READY)
def test_one_word_says_why_a_line_cannot_sort(word):
    status = STATUS.model_copy(update=READY[word])
    assert why_not_ready(status, 1001.0) == word
    found = parsed(exposition(samples(status, AROUND, 1001.0)))
    assert found["ewaste_line_ready",] == (not word)
    assert sum(value for (name, *_), value in found.items() if name == "ewaste_line_state") == 1


def test_what_is_not_known_or_too_much_is_not_served():
    counts = {f"bin {number}": number for number in range(100_000)}
    odd = Status(updated_at=1000.0, state=RUNNING, items=10**400, fps=math.nan, per_bin=counts)
    text = exposition(samples(odd, Surroundings(), 1001.0))
    found = parsed(text)
    assert ("ewaste_items_total",) not in found and ("ewaste_frame_rate_hertz",) not in found
    assert len(text) < 50_000 and ("ewaste_bin_items", "bin 7") in found
    nothing = parsed(exposition(samples(None, Surroundings(), 1001.0)))
    assert nothing["ewaste_line_state", "not started"] == 1
    assert not any(name.startswith(("ewaste_items", "ewaste_bin")) for name, *_ in nothing)


@pytest.fixture(scope="module")
def page(tmp_path_factory, bundle, make_record):
    """The real page over HTTP: its address, and its state folder."""
    state = tmp_path_factory.mktemp("monitored")
    with Store(state / "records.db") as store:
        store.append([make_record("a", decided_at=1_700_000_000.0)])
    with served(panel.build(state, state / "records.db", bundle.path)) as url:
        yield url, state


def test_a_probe_tells_whether_page_and_line_are_well(page):
    url, state = page
    assert get(f"{url}healthz")[::2] == (200, b"ok\n")
    (state / "status.json").unlink(missing_ok=True)
    assert get(f"{url}readyz")[::2] == (503, b"absent\n")
    assert parsed(get(f"{url}metrics")[2])["ewaste_line_ready",] == 0
    write_status(state, STATUS.model_copy(update={"updated_at": time.time()}))
    assert get(f"{url}readyz")[::2] == (200, b"ok\n")
    status, headers, text = get(f"{url}metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    found = parsed(text)
    assert found["ewaste_newest_record_timestamp_seconds",] == 1_700_000_000.0
    assert found["ewaste_records_readable",] == 1
    assert found["ewaste_page_resident_memory_bytes",] > 1e7
    assert get(f"{url}health")[0] == 200


def test_an_installation_without_the_library_has_a_page_but_no_metrics(page, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    status, _, text = get(f"{page[0]}metrics")
    assert status == 501 and b"pip install prometheus-client" in text
    assert get(f"{page[0]}healthz")[0] == 200


def queries() -> list[str]:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [each["expr"] for shown in board["panels"] for each in shown["targets"]]
    variables = [str(each.get("query")) for each in board["templating"]["list"]]
    return [*expressions, *variables, RULES.read_text(encoding="utf-8")]


def test_dashboard_and_rules_ask_only_for_what_is_served():
    asked = set(re.findall(r"\bewaste_\w+", "\n".join(queries())))
    assert len(asked) > 10 and asked <= set(METRICS)


@pytest.fixture
def prometheus(page, tmp_path):
    """A real Prometheus that scrapes the page and holds the rules: its address."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus; apt-get install prometheus brings it")
    target, port = page[0].removeprefix("http://").rstrip("/"), free_port()
    settings = tmp_path / "prometheus.yml"
    settings.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES)],
                "scrape_configs": [
                    {"job_name": "ewaste", "static_configs": [{"targets": [target]}]}
                ],
            }
        )
    )
    command = [program, f"--config.file={settings}", f"--storage.tsdb.path={tmp_path / 'series'}"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
        try:
            yield f"http://127.0.0.1:{port}/api/v1/"
        finally:
            process.terminate()
            process.wait(20)


def asked(url: str, **values: str) -> dict:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(values)}", timeout=10) as answer:
        return json.load(answer)["data"]


def test_a_real_prometheus_takes_the_rules_and_sees_the_series(page, prometheus):
    promtool = shutil.which("promtool")
    assert promtool is not None, "it comes with Prometheus"
    checked = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True)
    assert checked.returncode == 0 and "7 rules found" in checked.stdout, checked.stderr
    text = exposition(samples(STATUS, AROUND, 1001.0))
    linted = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert (linted.returncode, linted.stderr) == (0, b""), "names and units as Prometheus has them"
    write_status(page[1], STATUS.model_copy(update={"updated_at": time.time()}))

    def latency() -> list:
        query = 'ewaste_stage_latency_seconds{job="ewaste", percentile="99"}'
        try:
            return asked(f"{prometheus}query", query=query)["result"]
        except OSError:
            return []

    wait_until(latency, 60)
    assert float(latency()[0]["value"][1]) == 0.126
    served_names = set(asked(f"{prometheus}label/__name__/values"))
    assert set(METRICS) <= served_names
    rules = asked(f"{prometheus}rules")["groups"][0]["rules"]
    assert len(rules) == 7 and {each["health"] for each in rules} <= {"ok", "unknown"}
    assert all(each["annotations"]["action"] for each in rules)
    for expression in queries()[:-1]:
        if "label_values" not in expression and "ewaste_" in expression:
            expression = expression.replace("$instance", ".*")
            assert "result" in asked(f"{prometheus}query", query=expression)
