"""Kernel and initrd files: are they whole, and what are they?"""
