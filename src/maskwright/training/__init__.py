"""Floor 3: the loop, its state, optimizers and schedules."""
