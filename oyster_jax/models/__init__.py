"""The parts of a learned world and the world model that ties them together."""
