"""The files that kexec-initd keeps, and how each shows that it is whole."""
