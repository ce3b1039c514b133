"""Tests of the release helpers."""
