"""Kernels: a kernelspec, requirements and a lock, and the environments made from them."""
