"""The tests of Oyster; their folders mirror the package."""
