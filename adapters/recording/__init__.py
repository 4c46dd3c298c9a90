"""Writes down what an adapter does with its framework, for `bnconform reproduce`."""
