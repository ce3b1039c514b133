"""Simulators that recordings are made of; each file wraps one."""
