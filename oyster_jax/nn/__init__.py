"""Layers: what neural networks are made of here. The only room, with `models`, that imports `flax.nnx`."""
