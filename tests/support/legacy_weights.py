"""Weights as earlier versions of Keras wrote them."""

import h5py


def write_legacy(model, path, kept):
    """The layout of the official weight files: a group per layer, names in attributes."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if kept(layer.name)]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name.decode()] = weight
