"""Recipes of earlier runs are read by the names that their settings had."""

from dataclasses import asdict

import pytest

from train.learning.earlier_names import EARLIER_SETTINGS
from train.learning.recipe import Recipe, recipe_of


def test_a_recipe_is_read_by_its_own_keys_and_by_earlier_ones():
    recipe = Recipe(views=3, learning_rate=2e-3, unfreeze="conv4", unfreeze_epochs=5, seed=7)
    stored = asdict(recipe)
    earlier = {EARLIER_SETTINGS.get(name, name): value for name, value in stored.items()}
    assert {"copies", "rate", "thaw", "thaw_epochs", "thaw_rate"} <= set(earlier)
    assert recipe_of(stored) == recipe_of(earlier) == recipe
    del earlier["patience"]
    with pytest.raises(KeyError, match="patience"):
        recipe_of(earlier)
