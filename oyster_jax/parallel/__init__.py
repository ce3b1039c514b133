"""Many devices: meshes, what is split over which of their axes, batches of worlds, and many processes."""
