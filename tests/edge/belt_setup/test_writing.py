"""Numbers are changed in a configuration file, and nothing else is."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.belt_setup.writing import Change, changed_toml, new_text, write_text
from edge.config import Config
from edge.errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCALE = Change(("belt", "mm_per_px"), 0.63125)
LINE = """\
# The line in hall 2. mm_per_px = 0.5 stood here once.
state = "/srv/line"  # belt.mm_per_px = 1

[camera]
source = "mm_per_px = 0.7"

[belt]          # rubber
speed_mm_s = 240  # as the label on the motor has it
mm_per_px   =   0.8\t# measured in May

[bins]
a = ["PCB"]
b = ["Battery"]

[[gates]]
bin = "a"
distance_mm = 700  # near
pin = 5

[[gates]]
bin = "b"
pin = 6
distance_mm = 900.0 # far
"""


def changed_lines(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    assert len(old) == len(new)
    return [line for was, line in zip(old, new, strict=True) if was != line]


def test_only_the_numbers_change_and_comments_stay():
    changes = [
        SCALE,
        Change(("belt", "speed_mm_s"), 250.2),
        Change(("gates", 1, "distance_mm"), 817.8),
    ]
    after = changed_toml(LINE, changes)
    assert changed_lines(LINE, after) == [
        "speed_mm_s = 250.2  # as the label on the motor has it",
        "mm_per_px   =   0.63125\t# measured in May",
        "distance_mm = 817.8 # far",
    ]
    config = Config.model_validate(tomllib.loads(after))
    assert config.belt.mm_per_px == 0.63125 and config.gates[1].distance_mm == 817.8
    assert config.gates[0].distance_mm == 700


@pytest.mark.parametrize(
    "text",
    [
        "",
        "simulated = true",
        "[camera]\nfps = 10\n",
        "[belt]\nspeed_mm_s = 100",
        "[belt] # rubber\r\nspeed_mm_s = 100\r\n[camera]\r\nfps = 10\r\n",
        "belt = { speed_mm_s = 100 }\n",
        "belt = {}\n",
        "belt.speed_mm_s = 100\n[camera]\nfps = 10\n",
        'belt = { mm_per_px = 1_0.5e-1, encoder = "time" }\n',
        '"belt"."mm_per_px" = 0.5\n[camera]\nsource = """\n[belt]\nmm_per_px = 3\n"""\n',
    ],
)
def test_every_form_of_a_file_takes_a_number(text):
    after = changed_toml(text, [SCALE])
    before = tomllib.loads(text)
    assert tomllib.loads(after) == {
        **before,
        "belt": {**before.get("belt", {}), "mm_per_px": 0.63125},
    }
    assert after.count("\n") == after.count("\r\n") or "\r\n" not in text
    for line in text.split("\n"):
        assert line in after or "mm_per_px" in line or "{" in line


number = st.floats(0.05, 10).map(lambda value: round(value, 4))
comment = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)


@settings(max_examples=100, deadline=None)
@given(number, number, comment, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_number_and_comment(old, new, words, end, is_first):
    lines = ["[belt]", f"mm_per_px = {old} #{words}", "speed_mm_s = 9"]
    other = ["[camera]", f"# mm_per_px = {old} {words}", "fps = 9"]
    text = end.join([*lines, *other] if is_first else [*other, *lines]) + end
    after = changed_toml(text, [Change(("belt", "mm_per_px"), new)])
    assert after == text.replace(f"mm_per_px = {old} #{words}", f"mm_per_px = {new} #{words}", 1)


def test_a_file_without_gates_gets_all_of_them():
    gates = Config().gate_specs
    text = new_text("[belt]\n", [Change(("gates", 1, "distance_mm"), 812.5)], gates, "line.toml")
    config = Config.model_validate(tomllib.loads(text))
    distances = [gate.distance_mm for gate in config.gates]
    assert distances == [700, 812.5, 1100, 1300, 1500]
    assert [gate.bin for gate in config.gates] == [gate.bin for gate in gates]


@pytest.mark.parametrize(
    ("text", "change", "words"),
    [
        ("belt = 3\n", SCALE, "it has no place for belt.mm_per_px"),
        ("belt = [\n", SCALE, "not valid TOML"),
        ("", Change(("belt", "speed_mm_s"), 0.5), "belt.speed_mm_s: 0.5; must be"),
        ('[belt]\nmm_per_px = """\n1"""', SCALE, "set belt.mm_per_px = 0.63125 yourself"),
    ],
)
def test_what_cannot_be_changed_is_refused(text, change, words):
    with pytest.raises(BadInput, match=r"line\.toml: ") as refused:
        new_text(text, [change], (), "line.toml")
    assert words in str(refused.value)


def test_the_file_before_is_kept_beside_it_and_a_link_stays_one(tmp_path):
    path, link = tmp_path / "real.toml", tmp_path / "line.toml"
    path.write_text(LINE)
    path.chmod(0o600)
    link.symlink_to(path)
    kept = write_text(link, LINE + "# more\n")
    assert link.is_symlink() and path.read_text() == LINE + "# more\n"
    assert kept == tmp_path / "real.toml.bak" and kept.read_text() == LINE
    assert kept.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o600
    assert write_text(tmp_path / "new.toml", "") is None
    with pytest.raises(BadInput, match="cannot be written"):
        write_text(tmp_path / "none" / "line.toml", "")
