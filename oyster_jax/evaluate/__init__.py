"""How good a learned world is: fidelity, obedience to actions, speed; and the report that says so."""
