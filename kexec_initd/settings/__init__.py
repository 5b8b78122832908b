"""The admin's settings: the file, its values, and what plain shell needs of them."""
