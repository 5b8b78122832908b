"""Tests in a real machine: a Debian guest with its own boot loader under QEMU. See README.md beside this file."""
