"""The verbs of the command, each one short function; `cli` calls them."""
