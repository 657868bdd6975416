import keras
import numpy as np
import pytest

from edge.errors import BadInput
from edge.inference.preprocess import float_input
from tests.support.legacy_weights import write_legacy
from train.learning.model import (
    before_boundary,
    behind_boundary,
    build_network,
    continue_from,
    in_float32,
    set_trainable,
)
from train.learning.recipe import LAST_FROZEN, Recipe, plan_phases


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """ResNet50 with random weights, and files of all of them and of all but most of conv5."""
    keras.utils.set_random_seed(5)
    model = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3))
    folder = tmp_path_factory.mktemp("weights")
    model.save_weights(folder / "new_layout.weights.h5")
    write_legacy(model, folder / "all.h5", lambda name: True)
    write_legacy(
        model,
        folder / "partial.h5",
        lambda name: not name.startswith("conv5") or name.startswith("conv5_block1_1"),
    )
    return model, folder


def test_folding_the_normalisation_into_conv1_changes_nothing_but_the_padding(pretrained):
    original, folder = pretrained
    network = build_network(3, 64, str(folder / "all.h5"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    caffe = keras.applications.resnet.preprocess_input(pixels.astype(np.float32))
    expected = keras.Model(original.input, original.get_layer("conv1_conv").output)
    folded = keras.Model(network.model.input, network.model.get_layer("conv1_conv").output)
    # The outermost rows see the padding, which is 117 instead of each channel's mean.
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        folded(float_input(pixels)).numpy()[inner], expected(caffe).numpy()[inner], atol=2e-3
    )


def test_missing_layers_start_new_and_train_from_the_start(pretrained):
    network = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    assert "logits" in network.new_layers and "conv5_block3_3_conv" in network.new_layers
    assert "conv5_block1_1_conv" not in network.new_layers
    assert not any(name.startswith(("conv1", "conv4")) for name in network.new_layers)
    assert network.pretrained
    part = behind_boundary(network.model, LAST_FROZEN)
    set_trainable(network, part, unfrozen=False)
    assert _learning(part) == set(network.new_layers)
    set_trainable(network, part, unfrozen=True)
    assert _learning(part) == set(network.new_layers) | {"conv5_block1_1_conv"}
    deeper = behind_boundary(network.model, "conv3_block4_out")
    set_trainable(network, deeper, unfrozen=True)
    assert "conv4_block1_1_conv" in _learning(deeper)
    assert "conv4_block1_1_bn" not in _learning(deeper)


def _learning(part):
    return {layer.name for layer in part.layers if layer.trainable_weights}


def test_the_two_parts_are_the_whole(pretrained):
    network = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    pixels = float_input(np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8))
    features = before_boundary(network.model, LAST_FROZEN)(pixels)
    through_parts = behind_boundary(network.model, LAST_FROZEN)(features).numpy()
    np.testing.assert_allclose(through_parts, network.model(pixels).numpy(), atol=1e-5)


def test_without_weights_everything_is_new_and_nothing_frozen():
    network = build_network(3, 32, "none")
    assert not network.pretrained
    assert "conv1_conv" in network.new_layers


def test_a_run_can_be_continued_from_with_nothing_new(pretrained, tmp_path):
    first = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    first.model.save(tmp_path / "model.keras")
    second = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    pixels = float_input(np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), np.uint8))
    order = [2, 0, 1]  # the same classes, listed otherwise: each keeps what was learned of it
    continued = continue_from(second, tmp_path / "model.keras", order)
    expected = first.model(pixels).numpy()[:, order]
    np.testing.assert_allclose(continued.model(pixels), expected, atol=1e-6)
    assert continued.new_layers == ()
    part = behind_boundary(continued.model, LAST_FROZEN)
    set_trainable(continued, part, unfrozen=True)
    learning = _learning(part)
    assert "logits" in learning and "conv5_block3_3_conv" in learning
    assert not any(name.endswith("_bn") for name in learning)


def test_a_run_is_continued_from_with_a_new_class(pretrained, tmp_path):
    first = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    first.model.save(tmp_path / "model.keras")
    second = build_network(4, 64, str(pretrained[1] / "partial.h5"))
    continued = continue_from(second, tmp_path / "model.keras", [0, None, 1, 2])
    pixels = float_input(np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), np.uint8))
    embedding = [
        keras.Model(model.input, model.get_layer("embedding").output)(pixels)
        for model in (first.model, continued.model)
    ]
    np.testing.assert_allclose(*embedding, atol=1e-6)
    assert continued.new_layers == ("logits",)
    assert [phase.name for phase in plan_phases(Recipe(), continued)] == ["unfrozen"]


def test_what_was_trained_in_16_bits_is_kept_in_32(pretrained):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    finally:
        keras.config.set_dtype_policy("float32")
    kept = in_float32(network.model, 0.4)
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}
    pixels = float_input(np.random.default_rng(4).integers(0, 256, (2, 64, 64, 3), np.uint8))
    np.testing.assert_allclose(kept(pixels), network.model(pixels), atol=0.05)


def test_other_classes_or_no_model_cannot_be_continued_from(pretrained, tmp_path):
    build_network(3, 64, "none").model.save(tmp_path / "model.keras")
    other = build_network(4, 64, str(pretrained[1] / "partial.h5"))
    with pytest.raises(BadInput, match="cannot be continued from"):
        continue_from(other, tmp_path / "model.keras", range(4))
    with pytest.raises(BadInput, match="missing"):
        continue_from(other, tmp_path / "nowhere.keras", range(4))


def test_a_new_last_stage_starts_by_passing_the_features_on(pretrained):
    network = build_network(3, 64, str(pretrained[1] / "partial.h5"))
    pixels = float_input(np.random.default_rng(3).integers(0, 256, (2, 64, 64, 3), np.uint8))
    features = before_boundary(network.model, LAST_FROZEN)(pixels).numpy()[:, ::2, ::2]
    both = np.concatenate([features, -features], axis=-1)
    normalized = both / np.sqrt(1 + 1.001e-5)  # of a new batch normalization at inference
    expected = np.maximum(normalized, 0).mean(axis=(1, 2))
    embedding = keras.Model(network.model.input, network.model.get_layer("embedding").output)
    np.testing.assert_allclose(embedding(pixels).numpy(), expected, rtol=1e-3, atol=1e-4)


def test_weights_of_another_architecture_are_refused(tmp_path):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    write_legacy(other, tmp_path / "other.h5", lambda name: True)
    with pytest.raises(BadInput, match="no layer of ResNet50"):
        build_network(3, 32, str(tmp_path / "other.h5"))
    with pytest.raises(BadInput, match="no such weights file"):
        build_network(3, 32, str(tmp_path / "none_here.h5"))
