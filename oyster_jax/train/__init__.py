"""Training: one step, one loop, and the stages that run through it."""
