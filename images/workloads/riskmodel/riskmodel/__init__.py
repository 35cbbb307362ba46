"""The reference risk model: a loan application scored from text, transactions, shared devices and a scanned document.

It is trained for real, on synthetic data, by PaddlePaddle. Its purpose is to measure an environment: every random number
comes from numpy's frozen generator, so whatever moves a loss or a score was moved by the environment.
"""

__version__ = "1.2.0"
