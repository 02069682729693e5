"""Lower the common syntax tree to the intermediate representation from which every target is built."""
