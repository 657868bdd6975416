import pytest

from edge.config import Config
from edge.errors import BadInput
from edge.simulator.pieces import DEBRIS
from edge.simulator.scenario import Scenario, read_scenario, scenario_names
from edge.simulator.simulate import PhotoFolders, pieces_of


def test_there_are_at_least_twenty_and_each_says_what_it_is_about():
    scenarios = [read_scenario(name) for name in scenario_names()]
    assert len(scenarios) >= 20
    assert all(scenario.about for scenario in scenarios)
    assert any(min(each.speed_mm_s for each in scenario.belt) < 0 for scenario in scenarios)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("belt = []", "move it onwards"),
        ("belt = [{ seconds = 1, speed_mm_s = -5 }]", "move it onwards"),
        ("belt = [{ seconds = 1, speed_mm_s = 5, ramp_s = 1 }]", "ramp_s"),
        ("[load]\ngap_mm = [5, 1]", "smaller one first"),
        ('[load]\nlabels = ["Toaster"]', "Toaster"),
        ("[load]\ntouching = 0.3\noverlapping = 0.3", "at most half"),
        ("[encoder]\nkind = 'magic'", "encoder.kind"),
        ("[camera]\nfbs = 3", "camera.fbs"),
        ("= 3", "TOML"),
    ],
)
def test_a_malformed_scenario_is_reported_in_one_line(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(BadInput, match=message) as error:
        read_scenario(str(path))
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(BadInput, match="stop-and-go"):
        read_scenario("never-heard-of")


def test_a_load_has_its_share_of_debris_and_only_the_chosen_labels():
    load = Scenario.model_validate({"load": {"debris": 0.5, "labels": ["Mouse"]}}).load
    pieces = pieces_of(load, PhotoFolders(), 3, Config())
    labels = [next(pieces).label for _ in range(60)]
    assert set(labels) == {"Mouse", DEBRIS}
    assert 18 <= labels.count(DEBRIS) <= 42
