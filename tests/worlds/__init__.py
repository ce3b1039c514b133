"""Tests of stored and loaded worlds."""
