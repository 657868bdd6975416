import numpy as np

from train.augmentation.augment import plain_augmenter
from train.learning import fit as fitting
from train.learning.model import HEAD, build_network
from train.learning.recipe import Recipe


def test_only_the_first_phase_starts_as_a_probe(weights, tmp_path, monkeypatch):
    fitted = []

    def once(*arguments, **more):
        fitted.append(network.model.get_layer(HEAD).get_weights()[0].copy())
        return found(*arguments, **more)

    found = fitting.fit_head
    monkeypatch.setattr(fitting, "fit_head", once)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    network = build_network(2, 32, str(weights))
    train, val = np.arange(8), np.arange(8, 12)
    material = fitting.Material(
        classes=np.arange(12) % 2,
        train=train,
        val=val,
        augmenter=plain_augmenter(pixels, 0),
        cache=tmp_path / "features",
        augmented=train,
        plain=val,
    )
    recipe = Recipe(epochs=1, unfreeze_epochs=1, views=1, batch=8)
    rows, _ = fitting.fit(
        network, material, recipe=recipe, out=tmp_path, on_step=lambda *step: None
    )
    assert [row["phase"] for row in rows] == ["new layers", "unfrozen"]
    assert len(fitted) == 1
