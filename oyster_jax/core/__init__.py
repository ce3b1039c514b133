"""What a world is, without any neural network: its state, its specification, its model protocol, its rollouts."""
