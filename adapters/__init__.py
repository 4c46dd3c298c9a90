"""Who answers: one module per framework family, and the worker that runs inside its environment.

Everything in this package must import on CPython 3.6 with NumPy 1.14.
"""
